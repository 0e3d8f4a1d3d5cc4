"""Makers of files that go wrong: each ``make_<kind>(folder)`` writes one file and returns its path."""

from __future__ import annotations

import os
import random
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

RATE = 16_000
_FORMATS = {"aac": "adts", "m4a": "mp4", "mkv": "matroska", "opus": "ogg", "ts": "mpegts", "wma": "asf"}
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
# Names that shells, paths, tables and options trip over.
HOSTILE_NAMES = (
    "two words.wav",
    'it\'s "quoted".wav',
    "$(touch pwned).wav",
    "`id`;rm -rf x.wav",
    "new\nline.wav",
    "tab\there.wav",
    "-n.wav",
    "--help.wav",
    "..dots..wav",
    "grüße 東京 हिन्दी.wav",
    "e\u0301decomposed.wav",
    "percent %s {recording} *.wav",
    "back\\slash.wav",
    "http:colon.wav",
    "x" * 240 + ".wav",
)


def tone(seconds: float, *, hertz: float = 440.0, level: float = 0.3) -> np.ndarray:
    """A sine, int16, shape ``(n,)`` at 16 kHz."""
    time = np.arange(round(seconds * RATE)) / RATE
    return (level * 32767 * np.sin(2 * np.pi * hertz * time)).astype(np.int16)


def bursts(seconds: float) -> np.ndarray:
    """A short tone at every full second, silence between: tells where in time audio ended up."""
    pcm = np.zeros(round(seconds * RATE), np.int16)
    burst = tone(0.1, level=0.8)
    for start in range(0, len(pcm) - len(burst), RATE):
        pcm[start : start + len(burst)] = burst
    return pcm


def encode(
    path: Path,
    pcm: np.ndarray,
    codec: str,
    *,
    rate: int = 44_100,
    start: float = 0.0,
    hole: tuple[float, float] | None = None,
    picture: bool = False,
    bit_rate: int | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Encode 16 kHz samples of shape ``(n,)`` or ``(n, channels)``.

    ``start``: timestamp of the first sample, seconds. ``hole``: seconds from, to that are left out
    while the clock runs on. ``picture``: a small video from 0 to the end of the audio.
    """
    import av

    samples = pcm.reshape(len(pcm), -1)
    layout = _LAYOUTS[samples.shape[1]]
    suffix = path.suffix[1:]
    with av.open(str(path), "w", format=_FORMATS.get(suffix, suffix), options=container_options or {}) as container:
        video = _add_video(container) if picture else None
        stream: Any = container.add_stream(codec, rate=rate, layout=layout, options=options or {})
        if bit_rate:
            stream.bit_rate = bit_rate
        encoder = stream.codec_context
        encoder.format = encoder.codec.audio_formats[0]
        encoder.open()
        if video is not None:
            _draw(container, video, start + len(samples) / RATE)
        resampler = av.AudioResampler(encoder.format, layout, rate, encoder.frame_size or 1024)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples).reshape(1, -1), format="s16", layout=layout)
        frame.rate = RATE
        done = 0
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            now = done / rate
            done += part.samples
            if hole is None or not hole[0] <= now < hole[1]:
                part.pts = done - part.samples + round(start * rate)
                part.time_base = Fraction(1, rate)
                container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path


def encode_tracks(
    path: Path,
    tracks: list[np.ndarray],
    codec: str = "pcm_s16le",
    *,
    languages: list[str] | None = None,
    default: int | None = None,
) -> Path:
    """A file with an audio track for each of ``tracks`` (int16 at 16 kHz, shape ``(n,)`` or ``(n, channels)``)."""
    import av

    with av.open(str(path), "w", format=_FORMATS.get(path.suffix[1:], path.suffix[1:])) as container:
        streams = []
        for number, pcm in enumerate(tracks):
            layout = _LAYOUTS[pcm.reshape(len(pcm), -1).shape[1]]
            stream = container.add_stream(codec, rate=RATE, layout=layout)
            if languages:
                stream.metadata["language"] = languages[number]
            stream.disposition = av.stream.Disposition.default if number == default else av.stream.Disposition(0)
            streams.append((stream, layout, pcm.reshape(len(pcm), -1)))
        for stream, _, _ in streams:
            encoder = stream.codec_context
            encoder.format = encoder.codec.audio_formats[0]
            encoder.open()
        # One second of each in turn, as recorders write them.
        for start in range(0, max(len(pcm) for _, _, pcm in streams), RATE):
            for stream, layout, pcm in streams:
                piece = pcm[start : start + RATE]
                if len(piece):
                    frame = av.AudioFrame.from_ndarray(
                        np.ascontiguousarray(piece).reshape(1, -1), format="s16", layout=layout
                    )
                    frame.rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
                    container.mux(stream.encode(frame))
        for stream, _, _ in streams:
            container.mux(stream.encode(None))
    return path


def _add_video(container: Any) -> Any:
    video = container.add_stream("mpeg4", rate=10)
    video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
    return video


def _draw(container: Any, video: Any, seconds: float) -> None:
    import av

    for index in range(max(1, round(seconds * 10))):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), index % 200, np.uint8))
        frame.pts = index
        container.mux(video.encode(frame))
    container.mux(video.encode(None))


def write_wav(path: Path, pcm: np.ndarray, *, rate: int = RATE, data_size: int | None = None) -> Path:
    """A plain WAV of int16 samples ``(n,)`` or ``(n, channels)``; ``data_size``: what the header claims."""
    samples = pcm.reshape(len(pcm), -1) if pcm.ndim > 1 or len(pcm) else pcm[:, None]
    channels = samples.shape[1]
    data = np.ascontiguousarray(samples, dtype="<i2").tobytes()
    size = len(data) if data_size is None else data_size
    header = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", min(size + 36, 2**32 - 1), b"WAVE", b"fmt ", 16, 1, channels,
                         rate, 2 * channels * rate, 2 * channels, 16)  # fmt: skip
    path.write_bytes(header + struct.pack("<4sI", b"data", size) + data)
    return path


def _cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def _overwrite(path: Path, start: float, end: float, *, noise: bool = False) -> Path:
    data = bytearray(path.read_bytes())
    first, last = int(len(data) * start), int(len(data) * end)
    data[first:last] = random.Random(1).randbytes(last - first) if noise else bytes(last - first)
    path.write_bytes(data)
    return path


# Files that must be rejected.


def make_empty(folder: Path) -> Path:
    """Zero bytes."""
    path = folder / "empty.mp3"
    path.write_bytes(b"")
    return path


def make_text(folder: Path) -> Path:
    """Text under the name of an MP3."""
    path = folder / "text.mp3"
    path.write_text("This is a letter, not a recording.\r\n" * 500, encoding="utf-8")
    return path


def make_noise_bytes(folder: Path) -> Path:
    """Random bytes under the name of an MP3."""
    path = folder / "random.mp3"
    path.write_bytes(random.Random(3).randbytes(100_000))
    return path


def make_truncated_mp4(folder: Path) -> Path:
    """An MP4 cut off before its index, which stands at the end."""
    return _cut(encode(folder / "truncated.mp4", tone(10), "aac"), 0.6)


def make_no_audio(folder: Path) -> Path:
    """A video without sound."""
    import av

    path = folder / "silent_film.mp4"
    with av.open(str(path), "w") as container:
        _draw(container, _add_video(container), 2)
    return path


def make_too_short(folder: Path) -> Path:
    """50 ms of audio."""
    return write_wav(folder / "too_short.wav", tone(0.05))


def make_protected(folder: Path) -> Path:
    """An MP4 under common encryption, as sold films are."""
    key = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "76" * 16, "encryption_kid": "a7" * 16}
    return encode(folder / "protected.mp4", tone(5), "aac", container_options=key)


def make_unknown_codec(folder: Path) -> Path:
    """A film whose audio format nobody knows."""
    path = encode(folder / "unknown.mkv", tone(5), "libopus", rate=48_000)
    path.write_bytes(path.read_bytes().replace(b"A_OPUS", b"A_ZZZZ"))
    return path


def make_unreadable(folder: Path) -> Path:
    """A file without read permission (root reads it nevertheless)."""
    path = write_wav(folder / "unreadable.wav", tone(1))
    path.chmod(0)
    return path


def make_dangling_link(folder: Path) -> Path:
    """A link to a file that does not exist."""
    path = folder / "dangling.wav"
    path.symlink_to(folder / "gone.wav")
    return path


def make_pipe(folder: Path) -> Path:
    """A named pipe: who opens it waits for ever."""
    path = folder / "pipe.wav"
    os.mkfifo(path)
    return path


def make_playlist(folder: Path) -> Path:
    """A playlist that names another file, under the name of a recording."""
    path = folder / "playlist.mp3"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nother.ts\n", encoding="utf-8")
    return path


REJECTED = {
    make_empty: "empty",
    make_text: "text",
    make_noise_bytes: "decode",
    make_truncated_mp4: "index",
    make_no_audio: "without sound",
    make_too_short: "only 0.05 s",
    make_protected: "protected",
    make_unknown_codec: "decoder",
    make_pipe: "regular file",
    make_playlist: "text",
}


# Files that must be accepted as far as they go.


def make_short(folder: Path) -> Path:
    """0.2 s of audio."""
    return write_wav(folder / "short.wav", tone(0.2))


def make_silence(folder: Path) -> Path:
    """10 s in which nothing sounds."""
    return write_wav(folder / "silence.wav", np.zeros(10 * RATE, np.int16))


def make_music(folder: Path) -> Path:
    """10 s of chords, no speech."""
    bars = [sum(tone(2.5, hertz=h, level=0.1).astype(int) for h in chord) for chord in
            ((262, 330, 392), (220, 262, 330), (175, 220, 262), (196, 247, 294))]  # fmt: skip
    return write_wav(folder / "music.wav", np.concatenate(bars).astype(np.int16))


def make_truncated_mp3(folder: Path) -> Path:
    """10 s by its index, cut off at 6 s."""
    return _cut(encode(folder / "truncated.mp3", bursts(10), "libmp3lame"), 0.6)


def make_truncated_wav(folder: Path) -> Path:
    """10 s by its header, cut off at 6 s."""
    return _cut(write_wav(folder / "truncated.wav", bursts(10)), 0.6)


def make_truncated_faststart(folder: Path) -> Path:
    """An MP4 with its index in front, cut off at about 6 s of 10."""
    return _cut(encode(folder / "faststart.m4a", bursts(10), "aac", container_options={"movflags": "+faststart"}), 0.6)


def make_lying_wav(folder: Path) -> Path:
    """10 s; the header claims 10 h."""
    return write_wav(folder / "lying.wav", tone(10), data_size=10 * 3600 * RATE * 2)


def make_lying_mp3(folder: Path) -> Path:
    """10 s; the index claims 10 h."""
    path = encode(folder / "lying.mp3", tone(10), "libmp3lame")
    data = bytearray(path.read_bytes())
    place = data.find(b"Info")
    data[place + 8 : place + 12] = struct.pack(">I", 10 * 3600 * 44_100 // 1152)
    path.write_bytes(data)
    return path


def make_lying_flac(folder: Path) -> Path:
    """10 s; the header claims 10 h."""
    path = encode(folder / "lying.flac", tone(10), "flac")
    data = bytearray(path.read_bytes())
    packed = int.from_bytes(data[18:26], "big") >> 36 << 36 | 10 * 3600 * 44_100
    data[18:26] = packed.to_bytes(8, "big")
    path.write_bytes(data)
    return path


def make_lying_webm(folder: Path) -> Path:
    """10 s; the header claims 10 h."""
    path = encode(folder / "lying.webm", tone(10), "libopus", rate=48_000)
    data = bytearray(path.read_bytes())
    place = data.find(b"\x44\x89\x88") + 3
    data[place : place + 8] = struct.pack(">d", 36_000_000.0)
    path.write_bytes(data)
    return path


def make_streamed_wav(folder: Path) -> Path:
    """10 s written to a pipe: the header does not know the length. Nothing is wrong with it."""
    return write_wav(folder / "streamed.wav", tone(10), data_size=2**32 - 1)


def make_damaged_mp3(folder: Path) -> Path:
    """Zeros from 40 to 60 % of 20 s."""
    return _overwrite(encode(folder / "damaged.mp3", bursts(20), "libmp3lame"), 0.4, 0.6)


def make_damaged_aac(folder: Path) -> Path:
    """Zeros from 40 to 60 % of 20 s, in a format without an index."""
    return _overwrite(encode(folder / "damaged.aac", bursts(20), "aac", bit_rate=128_000), 0.4, 0.6)


def make_damaged_m4a(folder: Path) -> Path:
    """Noise from 40 to 60 % of 20 s."""
    return _overwrite(encode(folder / "damaged.m4a", bursts(20), "aac"), 0.4, 0.6, noise=True)


def make_damaged_flac(folder: Path) -> Path:
    """Zeros from 40 to 60 % of 20 s."""
    rng = np.random.default_rng(1)
    noisy = bursts(20) // 2 + rng.integers(-200, 200, 20 * RATE).astype(np.int16)
    return _overwrite(encode(folder / "damaged.flac", noisy, "flac"), 0.4, 0.6)


def make_late_audio(folder: Path) -> Path:
    """A video whose sound starts 3 s after the picture: 10 s of sound, 13 s in all."""
    return encode(folder / "late.mkv", bursts(10), "libopus", rate=48_000, start=3, picture=True)


def make_paused_audio(folder: Path) -> Path:
    """A video whose sound pauses from 3.5 s to 6.5 s of 12 s."""
    return encode(folder / "paused.mkv", bursts(12), "pcm_s16le", rate=16_000, hole=(3.5, 6.5), picture=True)


def make_late_then_short(folder: Path) -> Path:
    """A video of 40 s whose sound ends after 20 s."""
    return encode(folder / "ends_early.mkv", bursts(40), "libopus", rate=48_000, hole=(20, 99), picture=True)
