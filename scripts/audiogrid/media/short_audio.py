"""Short audio in memory: levels, gain, overlay and fades (pydub); files of it (PyAV, which needs no ffmpeg)."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.media.demux import MediaError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pcm = NDArray[np.int16]

# Left to themselves, encoders code channels together, and two speakers flow into each other.
_APART = {"libmp3lame": {"joint_stereo": "0"}, "libopus": {"mapping_family": "255"}}


def sound_of(pcm: Pcm) -> Any:
    """Returns samples at 16 kHz (int16, shape ``(channels, n)``) as a pydub ``AudioSegment``. For short audio only."""
    with warnings.catch_warnings():
        # It looks for an ffmpeg program, which is needed for files only, and imports a deprecated module.
        warnings.simplefilter("ignore")
        from pydub import AudioSegment
    data = np.ascontiguousarray(pcm.T, dtype="<i2").tobytes()
    return AudioSegment(data, sample_width=2, frame_rate=SAMPLE_RATE, channels=len(pcm))


def samples_of(sound: Any) -> Pcm:
    """Inverse of ``sound_of``."""
    return np.ascontiguousarray(np.frombuffer(sound.raw_data, dtype="<i2").reshape(-1, sound.channels).T)


def layout(channels: int) -> str:
    """Returns FFmpeg's name for a number of channels."""
    return {1: "mono", 2: "stereo"}.get(channels, f"{channels}c")


def audio_frame(block: Pcm) -> Any:
    """Returns samples as a frame of PyAV; packed, as every encoder's resampler takes them."""
    import av

    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(block.T).reshape(1, -1), format="s16", layout=layout(len(block))
    )
    frame.sample_rate = SAMPLE_RATE
    return frame


def write_audio(
    blocks: Iterable[Pcm], target: Path, container: str, codec: str, *, kbits: float = 0, rate: int = SAMPLE_RATE
) -> None:
    """Encode blocks (int16, shape ``(channels, n)``, 16 kHz) into a file; the same input gives the same bytes.

    ``kbits``: kbit/s per channel, 0 for the encoder's default. Raises ``MediaError`` for more than two channels of MP3.
    """
    import av

    # Serial numbers and dates, which would differ every time, are left out.
    with av.open(str(target), "w", format=container, options={"fflags": "+bitexact"}) as output:
        stream: Any = None
        resampler: Any = None
        for block in blocks:
            if stream is None:
                if codec == "libmp3lame" and len(block) > 2:
                    raise MediaError(f"MP3 holds two channels at most, and this recording has {len(block)}.")
                stream = output.add_stream(codec, rate=rate, layout=layout(len(block)))
                stream.codec_context.flags |= av.codec.context.Flags.bitexact
                if kbits:
                    stream.bit_rate = round(kbits * 1000) * len(block)
                if len(block) > 1:
                    stream.codec_context.options = _APART.get(codec, {})
                stream.codec_context.open()
                resampler = av.AudioResampler(
                    format=stream.codec_context.format,
                    layout=layout(len(block)),
                    rate=rate,
                    frame_size=stream.codec_context.frame_size or None,
                )
            for frame in resampler.resample(audio_frame(block)):
                output.mux(stream.encode(frame))
        if stream is not None:
            for frame in resampler.resample(None):
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
