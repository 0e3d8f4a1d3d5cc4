"""Doubtful passages: the flags and the channel of each, whatever its speaker is called."""

from __future__ import annotations

from typing import Any

import pytest

from audiogrid.merging.doubtful_passages import worst_passages
from audiogrid.records.chunks import channel_of_chunk, chunk_id


def segment(channel: int | None, speaker: str | None, start: float, probability: float) -> dict[str, Any]:
    words = [{"start": start, "end": start + 1, "word": " w", "probability": probability}] * 3
    name = {} if speaker is None else {"speaker": speaker}
    chunk = chunk_id("talk.c1", channel, 0)
    return {"start": start, "end": start + 1, "text": "w w w", "words": words, "chunk": chunk, **name}


def window(channel: int | None, flag: str) -> dict[str, Any]:
    name = {} if channel is None else {"speaker": f"Channel {channel + 1}"}
    return {"start": 0.0, "end": 60.0, "flags": [flag], "chunk": chunk_id("talk.c1", channel, 0), **name}


@pytest.mark.parametrize("speaker", [None, "Speaker 1", "Anna"])
def test_passages_of_a_mix_have_the_flags_of_their_windows(speaker: str | None) -> None:
    document = {"recording": "talk.c1", "segments": [segment(None, speaker, 5, 0.3)], "windows": [window(None, "low")]}
    (found,) = worst_passages(document)
    assert found["flags"] == ["low"]
    assert "channel" not in found and found.get("speaker") == speaker


@pytest.mark.parametrize("speaker", ["Channel {}", "Channel {}, speaker 1", "Anna"])
def test_passages_of_channels_have_the_flags_of_their_own_channel(speaker: str) -> None:
    segments = [segment(channel, speaker.format(channel + 1), 5, 0.3 + channel / 10) for channel in (0, 1, 2)]
    document = {"recording": "talk.c1", "segments": segments, "windows": [window(0, "low"), window(1, "loop")]}
    found = worst_passages(document)
    assert [(one["channel"], one["flags"]) for one in found] == [(0, ["low"]), (1, ["loop"]), (2, [])]


@pytest.mark.parametrize("recording", ["talk", "talk.c1", "c0", "talk.c1.0003", "a(b"])
@pytest.mark.parametrize("channel", [None, 0, 1, 12])
@pytest.mark.parametrize("index", [0, 12_345])
def test_a_chunk_tells_its_channel(recording: str, channel: int | None, index: int) -> None:
    assert channel_of_chunk(recording, chunk_id(recording, channel, index)) == channel
