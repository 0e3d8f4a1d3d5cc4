"""Degrades recordings for comparisons: lossy codecs, a telephone line, noise, another speed.

Every step streams from file to file at 16 kHz (telephone: 8 kHz), so that a long recording needs
little memory; the same input gives the same bytes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audiogrid.config.conditions import Condition, Step
from audiogrid.core.errors import RetryableError
from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.media.file_parts import MediaFile
from audiogrid.media.pcm_stream import stream_pcm
from audiogrid.media.short_audio import audio_frame, layout, samples_of, sound_of, write_audio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audiogrid.media.pcm_converter import Channels

    Blocks = Iterator[NDArray[np.int16]]

# Raise the number of a kind of step when it gives other audio than before: only its recordings are then made again.
SCHEMAS = {"mp3": 1, "opus": 1, "telephone": 1, "noise": 2, "speed": 1}
_SUFFIXES = {"mp3": ".mp3", "opus": ".opus", "telephone": ".wav", "noise": ".flac", "speed": ".flac"}
_FRAME = SAMPLE_RATE // 50
# Frames this far below the loud ones count as pauses; the noise level refers to speech only.
_SPEECH_RANGE_DB = 25.0
_NOISE_SECONDS = 60
# Its root mean square before its gain, in steps of 16 bits: loud enough to be exact, without clipping.
_NOISE_LEVEL = 4000.0


def schema(condition: Condition) -> int:
    """Returns the number of the audio that a condition gives: another one where one of its steps has changed."""
    return max(SCHEMAS[step.kind] for step in condition.steps)


def suffix(condition: Condition) -> str:
    """Returns the suffix of the files of a condition."""
    return _SUFFIXES[condition.steps[-1].kind]


def degrade(
    source: MediaFile, target: Path, condition: Condition, channels: Channels, tracks: Sequence[int] = ()
) -> None:
    """Write ``source`` as it sounds under ``condition``; with ``channels`` split the channels stay separate.

    ``target`` is written atomically. Raises ``MediaError`` when the source cannot be decoded and
    ``RetryableError`` when the target cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=".tmp-", dir=target.parent) as folder:
            path: MediaFile = source
            for number, step in enumerate(condition.steps):
                made = Path(folder) / f"{number}{_SUFFIXES[step.kind]}"
                _apply(path, made, step, channels, tracks)
                # What was made has one track.
                path, tracks = made, ()
            made.replace(target)
    except OSError as error:
        if isinstance(source, Path) and error.filename is not None and Path(error.filename) == source:
            raise
        raise RetryableError(
            f"cannot write {target} ({error.strerror or error}): free space or check the folder"
        ) from error


def _apply(source: MediaFile, target: Path, step: Step, channels: Channels, tracks: Sequence[int]) -> None:
    blocks: Blocks = iter(stream_pcm(source, channels=channels, tracks=tracks))
    if step.kind == "mp3":
        write_audio(blocks, target, "mp3", "libmp3lame", kbits=step.value)
    elif step.kind == "opus":
        write_audio(blocks, target, "ogg", "libopus", kbits=step.value)
    elif step.kind == "telephone":
        filters = [("highpass", "f=300"), ("highpass", "f=300"), ("lowpass", "f=3400"), ("lowpass", "f=3400")]
        write_audio(_filtered(blocks, filters), target, "wav", "pcm_mulaw", rate=8000)
    elif step.kind == "noise":
        level = speech_level(stream_pcm(source, channels=channels, tracks=tracks)) / 10 ** (step.value / 20)
        write_audio(_with_noise(blocks, level), target, "flac", "flac")
    else:
        write_audio(_filtered(blocks, [("atempo", f"{step.value:g}")]), target, "flac", "flac")


def speech_level(blocks: Iterable[NDArray[np.int16]]) -> float:
    """Returns the level of speech without its pauses: the root mean square of the loud 20 ms frames (16-bit steps).

    ``blocks``: shape ``(channels, n)``; the channel with the most sound counts in every frame.
    """
    powers = []
    for block in blocks:
        whole = block[:, : block.shape[1] // _FRAME * _FRAME].astype(np.float32)
        frames = whole.reshape(len(block), -1, _FRAME)
        powers.append(np.square(frames).mean(axis=2).max(axis=0))
    power = np.concatenate(powers) if powers else np.zeros(0, np.float32)
    if not power.size or not power.max():
        return 0.0
    loud = np.quantile(power[power > 0], 0.95)
    return float(np.sqrt(power[power >= loud / 10 ** (_SPEECH_RANGE_DB / 10)].mean()))


@cache
def _noise(seed: int) -> NDArray[np.float32]:
    """Returns a minute of noise with the falling spectrum of a room; root mean square 1; loops without a seam."""
    size = _NOISE_SECONDS * SAMPLE_RATE
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=size))
    # Power falls with frequency, from 30 Hz on.
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 30 * _NOISE_SECONDS))
    spectrum[0] = 0
    noise = np.fft.irfft(spectrum, size)
    return np.asarray(noise / noise.std(), dtype=np.float32)


def _with_noise(blocks: Blocks, level: float) -> Blocks:
    """Yields blocks with noise laid over them, a different one per channel; ``level``: its root mean square."""
    at = 0
    for block in blocks:
        if level <= 0:
            yield block
            continue
        places = np.arange(at, at + block.shape[1]) % (_NOISE_SECONDS * SAMPLE_RATE)
        noise = np.stack([_noise(seed)[places] for seed in range(len(block))]) * np.float32(_NOISE_LEVEL)
        sound = sound_of(np.clip(np.rint(noise), -32768, 32767).astype(np.int16))
        yield samples_of(sound_of(block).overlay(sound.apply_gain(20 * np.log10(level / _NOISE_LEVEL))))
        at += block.shape[1]


def _filtered(blocks: Blocks, filters: list[tuple[str, str]]) -> Blocks:
    """Yields the blocks after a chain of audio filters."""
    import av
    from av.filter import Graph

    graph: Any = None
    channels = 0
    for block in blocks:
        if graph is None:
            channels = len(block)
            graph = Graph()
            nodes = [graph.add_abuffer(sample_rate=SAMPLE_RATE, format="s16", layout=layout(channels))]
            nodes += [graph.add(name, options) for name, options in filters]
            nodes += [graph.add("aformat", f"sample_fmts=s16:channel_layouts={layout(channels)}")]
            graph.link_nodes(*nodes, graph.add("abuffersink")).configure()
        graph.push(audio_frame(block))
        yield from _pulled(graph, channels)
    if graph is not None:
        graph.push(None)
        try:
            yield from _pulled(graph, channels)
        except av.error.EOFError:
            return


def _pulled(graph: Any, channels: int) -> Blocks:
    import av

    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        yield np.ascontiguousarray(frame.to_ndarray().reshape(-1, channels).T)
