"""Channels of a call that hold each other's voices, on real weights: each sentence once, where it is loud."""

from __future__ import annotations

import json

import numpy as np
import pytest

from media import write_wav
from speech import RATE, say, word_error_rate

pytestmark = pytest.mark.workflow

CALLER = ["Hello, I am calling about my electricity bill.", "It was much too high last month."]
AGENT = ["Good morning, how can I help you today?", "Let me look that up for you."]


def conversation(together: bool) -> np.ndarray:
    """Both parties in turn, int16, shape ``(2, samples)``; ``together``: the last two sentences at the same time."""
    voices = [[say(text, seed=2) for text in AGENT], [say(text, seed=5, pitch=0.8) for text in CALLER]]
    turns, at = [], RATE // 2
    for number in range(2):
        for channel in (0, 1):
            if not (together and number == 1 and channel == 1):
                start = at
            turns.append((channel, start, voices[channel][number]))
            at = max(at, start + len(voices[channel][number]) + RATE // 2)
    pcm = np.random.default_rng(1).normal(size=(2, at + RATE)) * 10
    for channel, start, voice in turns:
        pcm[channel, start : start + len(voice)] += voice * (4000 / np.abs(voice[voice != 0]).mean() / 3)
    return pcm


def leaking(pcm: np.ndarray, quieter_db: float, delay: int) -> np.ndarray:
    leak = np.roll(pcm[::-1], delay, axis=1) * 10 ** (-quieter_db / 20)
    return np.clip(np.rint(pcm + leak), -32768, 32767).astype(np.int16)


def test_each_sentence_once_where_it_is_loud(workspace, base_model):
    here = workspace.path / "in"
    here.mkdir()
    calm, busy = conversation(together=False), conversation(together=True)
    for name, pcm in {
        "leak20": leaking(calm, 20, 0),
        "leak30": leaking(calm, 30, 400),
        "together": leaking(busy, 25, 80),
        "same": np.stack([calm.sum(axis=0), calm.sum(axis=0)]).astype(np.int16),
    }.items():
        write_wav(here / f"{name}.wav", pcm.T)
    workspace.snakemake("--config", "run=x", "recordings=in", "channels=split", "language=en", "formats=[json]")
    run = workspace.path / "results" / "x"

    def said(name: str) -> tuple[dict[str, str], list[str]]:
        document = json.loads((run / "transcripts" / f"{name}.json").read_text())
        texts: dict[str, str] = {}
        for segment in document["segments"]:
            texts[segment["speaker"]] = f"{texts.get(segment['speaker'], '')} {segment['text']}"
        assert document["complete"]
        return texts, document["notes"]

    for name in ("leak20", "leak30", "together"):
        texts, notes = said(name)
        assert word_error_rate(" ".join(AGENT), texts["Channel 1"]) < 0.15, (name, texts)
        assert word_error_rate(" ".join(CALLER), texts["Channel 2"]) < 0.15, (name, texts)
        assert [note for note in notes if "channel 2 also holds channel 1" in note], name
    texts, notes = said("same")
    whole = " ".join(text for pair in zip(AGENT, CALLER, strict=True) for text in pair)
    assert set(texts) == {"Channel 1"}
    assert word_error_rate(whole, texts["Channel 1"]) < 0.15
    assert ["transcribed once" in note for note in notes] == [True]
    # Half of its chunks were decoded.
    report = json.loads((run / "shards" / "s0001.json").read_text())
    assert report["decoded"] == 7
