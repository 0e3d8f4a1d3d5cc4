"""Listens to the audio tracks of a file that has several, to find out which of them hold speech."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from audiogrid.core.timebase import to_samples
from audiogrid.media.audio_tracks import Sound
from audiogrid.media.demux import MediaError
from audiogrid.media.file_parts import MediaFile
from audiogrid.media.pcm_stream import stream_pcm

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BLOCK_SECONDS = 20
# Places that are listened to before all of a long track is.
_PLACES = 8
# Speech that makes a track one with speech, in samples.
_ENOUGH_SPEECH = to_samples(0.3)
# A block that stays below this (-66 dBFS) is silent.
_SILENT_BELOW = 16
# What quiet tracks are raised to before the detector hears them.
_LOUD = 16_000


def hear_track(path: MediaFile, number: int, seconds: float | None, *, until_decoded: bool = False) -> Sound:
    """Returns what is to be heard on a track (``number`` from 1) of a file of about ``seconds``.

    A few places are listened to first, then all of it: only a track without speech is read whole.
    ``until_decoded``: it is enough to know whether it can be decoded.
    """
    found: Sound = "undecodable"
    try:
        for block in _blocks(path, number, seconds):
            found = _louder(found, _sound(block))
            if found == "speech" or until_decoded:
                break
    except MediaError:
        return found
    return found


def _blocks(path: MediaFile, number: int, seconds: float | None) -> Iterator[NDArray[np.int16]]:
    if seconds is not None and seconds > 2 * _PLACES * _BLOCK_SECONDS:
        for place in range(_PLACES):
            start = seconds * (place + 0.5) / _PLACES
            try:
                first = next(iter(stream_pcm(path, tracks=(number,), block_seconds=_BLOCK_SECONDS, start=start)), None)
            except MediaError:
                # The track may begin later, or end before this place.
                continue
            if first is not None:
                yield first[0]
    for block in stream_pcm(path, tracks=(number,), block_seconds=_BLOCK_SECONDS):
        yield block[0]


def _louder(one: Sound, other: Sound) -> Sound:
    order: tuple[Sound, ...] = ("undecodable", "silence", "sound", "speech")
    return max(one, other, key=order.index)


def _sound(block: NDArray[np.int16]) -> Sound:
    import numpy as np

    from audiogrid.media.vad import VoiceOptions, speech_probabilities, speech_spans

    peak = int(np.abs(block.astype(np.int32)).max(initial=0))
    if peak < _SILENT_BELOW:
        return "silence"
    raised = (block.astype(np.float32) * max(1.0, _LOUD / peak)).clip(-32768, 32767).astype(np.int16)
    spans = speech_spans(speech_probabilities(raised), len(raised), VoiceOptions(pad_ms=0))
    return "speech" if sum(end - start for start, end in spans) >= _ENOUGH_SPEECH else "sound"
