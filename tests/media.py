"""Write audio and video files of any format that PyAV can encode, for tests and samples."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from speech import RATE

# Suffix -> encoder. Others can be named.
CODECS = {
    ".wav": "pcm_s16le",
    ".flac": "flac",
    ".mp3": "libmp3lame",
    ".m4a": "aac",
    ".aac": "aac",
    ".mp4": "aac",
    ".mov": "aac",
    ".mkv": "libopus",
    ".webm": "libopus",
    ".ogg": "libopus",
    ".opus": "libopus",
    ".wma": "wmav2",
    ".amr": "libopencore_amrnb",
    ".ac3": "ac3",
}
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
_FORMATS = {".m4a": "mp4", ".aac": "adts", ".mkv": "matroska", ".wma": "asf", ".opus": "ogg"}
# Rates that a codec insists on.
_RATES = {"libopus": 48_000, "libopencore_amrnb": 8_000, "ac3": 48_000}
# These refuse to start at the default bit rate with 16 kHz.
_BIT_RATES = {"wmav2": 32_000, "libopencore_amrnb": 12_200}


def write_media(
    path: Path,
    pcm: np.ndarray,
    *,
    codec: str | None = None,
    rate: int | None = None,
    bit_rate: int | None = None,
    picture: bool = False,
    options: dict[str, str] | None = None,
) -> Path:
    """Encode 16 kHz int16 samples of shape ``(n,)`` or ``(n, channels)`` into the format of the suffix.

    ``rate``: of the file, default 16 kHz or what the codec asks for. ``picture``: add a still video track.
    """
    import av

    codec = codec or CODECS[path.suffix.lower()]
    rate = rate or _RATES.get(codec, RATE)
    samples = pcm.reshape(len(pcm), -1)
    layout = _LAYOUTS[samples.shape[1]]
    container_format = _FORMATS.get(path.suffix.lower(), path.suffix.lower().removeprefix("."))
    with av.open(str(path), "w", format=container_format) as container:
        video = _still(container) if picture else None
        audio = container.add_stream(codec, rate=rate, options=options or {})
        audio.layout = layout
        bit_rate = bit_rate or _BIT_RATES.get(codec)
        if bit_rate:
            audio.bit_rate = bit_rate
        if video:
            _draw(container, video, len(samples) / RATE)
        encoder = audio.codec_context
        resampler = av.AudioResampler(encoder.format or "s16", layout, rate, encoder.frame_size or 1024)
        # In blocks: libav makes nothing, without a word, of a frame of an hour.
        for start in range(0, len(samples), 60 * RATE):
            block = samples[start : start + 60 * RATE]
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(block.reshape(1, -1).astype(np.int16)), format="s16", layout=layout
            )
            frame.rate = RATE
            frame.pts = start
            frame.time_base = Fraction(1, RATE)
            for part in resampler.resample(frame):
                container.mux(audio.encode(part))
        for part in resampler.resample(None):
            container.mux(audio.encode(part))
        container.mux(audio.encode(None))
    return path


def _still(container: Any) -> Any:
    stream = container.add_stream("libx264", rate=1, options={"crf": "40", "preset": "veryfast"})
    stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
    return stream


def _draw(container: Any, stream: Any, seconds: float) -> None:
    """One plain picture a second, lighter towards the bottom."""
    import av

    rows = np.linspace(40, 200, 180, dtype=np.uint8)
    image = np.repeat(np.repeat(rows[:, None, None], 320, axis=1), 3, axis=2)
    for second in range(max(1, int(seconds))):
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts = second
        frame.time_base = Fraction(1, 1)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def write_wav(path: Path, pcm: np.ndarray, rate: int = RATE, subtype: str = "PCM_16") -> Path:
    """A WAV file of these very samples (no resampling). ``subtype``: e.g. PCM_24, PCM_U8, FLOAT."""
    import soundfile

    soundfile.write(path, pcm, rate, subtype=subtype, format="WAV")
    return path
