"""How many sentences of a quiet speaker are lost between two sentences of a louder one.

    python benchmarks/quiet_speakers.py
    python benchmarks/quiet_speakers.py --levels 0,20 --kinds en,voices --set levelling=none

Kinds: a language (real prompts: one reader at two levels) or pairs of two different voices: `voices` (both
synthesised), `human-near` and `human-far` (a real reader and a synthesised one). Levels: how far the far sentence is
below the near ones, in decibels. A sentence is lost when fewer than half of its words are in the text; the loss is
reported when its window is flagged. Everything has a faint hiss (3 steps of 16 bits).
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
sys.path.insert(0, str(Path(__file__).parent))

from decoding_sets import RATE, VOICES, prompt_files, read_audio, sentences, spoken

ROOT = Path(__file__).parents[1]
KINDS = [*VOICES, "voices", "human-near", "human-far"]
PAUSE = int(0.3 * RATE)


@dataclass(frozen=True)
class Talk:
    """Three sentences; ``spans``: where each is, in samples."""

    language: str
    pcm: np.ndarray
    texts: tuple[str, str, str]
    spans: tuple[tuple[int, int], ...]


def trimmed(pcm: np.ndarray) -> np.ndarray:
    """Returns a sentence without the silence at both ends, its louder parts at the common level."""
    loud = np.flatnonzero(np.abs(pcm) > 0.03 * np.abs(pcm).max())
    pcm = pcm[loud[0] : loud[-1]].astype(np.float64)
    frames = (pcm[: len(pcm) // 512 * 512].reshape(-1, 512) ** 2).mean(axis=1)
    return pcm * 3000 / np.sqrt(np.sort(frames)[-max(1, len(frames) * 2 // 5) :].mean())


@cache
def human(language: str) -> list[tuple[str, np.ndarray]]:
    items = [(path, text) for path, text in prompt_files(language) if 6 <= len(text.split()) <= 16]
    random.Random(7).shuffle(items)
    return [(text, trimmed(read_audio(path))) for path, text in items[:30]]


@cache
def synthesised(deep: bool) -> list[tuple[str, np.ndarray]]:
    texts = sentences(30, 5 if deep else 6)
    voices = spoken(texts, 100 if deep else 200)
    if deep:
        # A quarter slower and lower, which makes another speaker of it.
        voices = [np.interp(np.arange(0, len(pcm) - 1, 0.8), np.arange(len(pcm)), pcm) for pcm in voices]
    return [(text, trimmed(np.asarray(pcm))) for text, pcm in zip(texts, voices, strict=True)]


def talk(kind: str, number: int, decibels: float) -> Talk:
    """Returns the ``number``-th talk of a kind."""
    odd = bool(number % 2)
    near, far = {
        "voices": lambda: (synthesised(not odd), synthesised(odd)),
        "human-near": lambda: (human("en"), synthesised(odd)),
        "human-far": lambda: (synthesised(odd), human("en")),
    }.get(kind, lambda: (human(kind), human(kind)))()
    chosen = [near[3 * number], far[3 * number + 1], near[3 * number + 2]]
    pieces, spans, at = [], [], 0
    for index, (_, pcm) in enumerate(chosen):
        pieces += [pcm / 10 ** (decibels / 20) if index == 1 else pcm, np.zeros(PAUSE)]
        spans.append((at, at + len(pcm)))
        at += len(pcm) + PAUSE
    whole = np.concatenate(pieces)
    whole += np.random.default_rng(number).normal(0, 3, len(whole))
    texts = (chosen[0][0], chosen[1][0], chosen[2][0])
    pcm = np.clip(np.rint(whole), -32768, 32767).astype(np.int16)
    return Talk(kind if kind in VOICES else "en", pcm, texts, tuple(spans))


def shares_found(texts: tuple[str, str, str], text: str) -> list[float]:
    """Returns, for each sentence, the share of its words that ``text`` holds in the same order."""
    from audiogrid.decoding.judging.scoring import plain_words

    parts = [plain_words(one) for one in texts]
    wanted = [word for part in parts for word in part]
    matched = [False] * len(wanted)
    for block in SequenceMatcher(None, wanted, plain_words(text), autojunk=False).get_matching_blocks():
        matched[block.a : block.a + block.size] = [True] * block.size
    shares, at = [], 0
    for part in parts:
        shares.append(sum(matched[at : at + len(part)]) / len(part))
        at += len(part)
    return shares


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", default=",".join(KINDS), help="comma-separated: " + ", ".join(KINDS))
    parser.add_argument("--levels", default="0,6,10,15,20,25,30")
    parser.add_argument("--files", type=int, default=10, help="talks of each kind at each level (10 at most)")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "base")
    parser.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE", help="decoding option")
    parser.add_argument("--show", action="store_true", help="print the text of talks that lost a sentence")
    arguments = parser.parse_args()
    import yaml

    from audiogrid.decoding.engine import ChunkAudio, Engine
    from audiogrid.decoding.options import DecodeOptions
    from audiogrid.decoding.windows import overlap

    settings = {name: yaml.safe_load(value) for name, value in (pair.split("=", 1) for pair in arguments.set)}
    engine = Engine(arguments.model, threads=1, batch_size=8)
    kinds = arguments.kinds.split(",")
    print(f"| dB below | {' | '.join(kinds)} | all: lost | lost, not flagged | near ones lost | s |")
    print(f"|---|{'---|' * (len(kinds) + 4)}")
    for decibels in map(float, arguments.levels.split(",")):
        began = time.perf_counter()
        lost: dict[str, int] = dict.fromkeys(kinds, 0)
        untold = near_lost = 0
        talks = [(kind, talk(kind, number, decibels)) for kind in kinds for number in range(arguments.files)]
        options = {one.language: DecodeOptions.from_mapping({"language": one.language, **settings}) for _, one in talks}
        chunks = [ChunkAudio(one.pcm, (0, len(one.pcm)), options[one.language]) for _, one in talks]
        for index, result in engine.decode(chunks):
            kind, one = talks[index]
            text = " ".join(segment.text for segment in result.segments)
            shares = shares_found(one.texts, text)
            near_lost += (shares[0] < 0.5) + (shares[2] < 0.5)
            if shares[1] < 0.5:
                lost[kind] += 1
                windows = [w for w in result.windows if overlap(one.spans[1], [(w.start, w.end)])]
                untold += not any(window.flags for window in windows)
                if arguments.show:
                    print(kind, index, one.texts[1], "->", text, [(w.flags, w.kept) for w in windows], file=sys.stderr)
        counts = " | ".join(str(lost[kind]) for kind in kinds)
        seconds = time.perf_counter() - began
        totals = f"{sum(lost.values())} of {len(talks)} | {untold} | {near_lost} | {seconds:.0f}"
        print(f"| {decibels:g} | {counts} | {totals} |", flush=True)


if __name__ == "__main__":
    main()
