"""How well a given text is timed, whether its differences from the audio are found, and what that costs.

    python benchmarks/known_text.py
    python benchmarks/known_text.py --minutes 20 --seed 3

Synthesised sentences whose word times the synthesiser knows are decoded in chunks of five minutes. Then the true text
is aligned with it, and a text of which 5 % of the sentences are deleted, inserted or swapped. Times are CPU seconds of
one thread. What is done stays in ``bench-data/``, so that a run that is stopped goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from kept import Kept

from audiogrid.aligning.aligned_key import question
from audiogrid.aligning.heard_words import Piece
from audiogrid.aligning.worker import known_text
from audiogrid.decoding.engine import ChunkAudio, Engine
from audiogrid.decoding.options import DecodeOptions
from audiogrid.merging.known_text import TextResult, TextSource, apply_text
from audiogrid.merging.stitch import stitch
from audiogrid.merging.track_text import TrackText
from audiogrid.records.aligned import AlignedChunk
from audiogrid.records.chunks import Chunk, Seam
from audiogrid.records.results import ChunkResult
from audiogrid.records.store import storable_options
from speech import RATE, TimedVoice, hiss
from speech import sentences as every_sentence

ROOT = Path(__file__).resolve().parents[1]
CHUNK_SECONDS = 300
# Chunks that are decoded at once.
AT_ONCE = 3
CHANGED = 0.05


@dataclass(frozen=True)
class Talk:
    """Sentences, the start of each of their words in seconds, and the audio of each with the pause behind it."""

    sentences: list[str]
    starts: list[list[float]]
    audio: list[np.ndarray]


def talk(minutes: float, seed: int) -> Talk:
    voice, source = TimedVoice(), every_sentence(seed)
    made = Talk([], [], [])
    at = 0
    while at < minutes * 60 * RATE:
        text = next(source)
        pcm, own = voice.say(text, len(made.sentences))
        if len(own) != len(text.split()):
            continue
        audio = np.concatenate([pcm, np.zeros(RATE // 2, np.int16)])
        audio = (audio + hiss(len(audio) / RATE, 10.0, len(made.sentences))[: len(audio)]).astype(np.int16)
        made.sentences.append(text)
        made.starts.append([at / RATE + start for start in own])
        made.audio.append(audio)
        at += len(audio)
    return made


def chunks(made: Talk) -> Iterator[tuple[Chunk, np.ndarray]]:
    """Yields chunks of whole sentences."""
    parts: list[np.ndarray] = []
    start = index = 0
    for number, audio in enumerate(made.audio):
        parts.append(audio)
        length = sum(map(len, parts))
        if length >= CHUNK_SECONDS * RATE or number == len(made.audio) - 1:
            end = start + length
            left, right = Seam("pause", start, 0), Seam("pause", end, 0)
            yield (
                Chunk(f"a.{index:04d}", "a", None, index, start, end, start, end, left, right, ""),
                np.concatenate(parts),
            )
            parts, start, index = [], end, index + 1


class Aligner:
    """Aligns texts with a decoded talk, and sums up what that took."""

    def __init__(
        self, engine: Engine, pieces: list[Piece], audio: dict[str, np.ndarray], options: DecodeOptions, kept: Kept
    ) -> None:
        self._engine, self._pieces, self._audio, self._options, self._kept = engine, pieces, audio, options, kept
        self.seconds = 0.0
        self._waited = 0.0

    def align(self, text: str, fine: bool) -> TextResult:
        track = TrackText(None, stitch(self._pieces), [(chunk, "", result) for chunk, result in self._pieces])
        self.seconds = self._waited = 0.0
        began = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "a.txt")
            path.write_text(text)
            found = apply_text([track], TextSource(str(path), self._answer, fine=fine))
        self.seconds += time.process_time() - began - self._waited
        return found

    def _answer(self, chunk: Chunk, result: ChunkResult, windows: list[dict[str, Any]]) -> AlignedChunk:
        self._waited -= time.process_time()
        asked = question(result.speech, windows, [], storable_options(vars(self._options)))
        name = hashlib.sha256(repr(asked).encode()).hexdigest()[:12]
        answer, seconds = self._kept.step(
            f"aligned-{chunk.index}-{name}",
            lambda: self._engine.align(self._audio[chunk.chunk], known_text(asked), self._options),
        )
        self.seconds += seconds
        self._waited += time.process_time()
        return answer


def late(found: TextResult, made: Talk) -> np.ndarray:
    """Returns how late each word begins, in seconds."""
    words = [word for track in found.tracks for word in track.stitched.words]
    true = [start for own in made.starts for start in own]
    said = [word for text in made.sentences for word in text.split()]
    assert [word.text.strip() for word in words] == said, "the text came out otherwise"
    return np.array([word.start / RATE for word in words]) - true


def changed(made: Talk, share: float, seed: int) -> tuple[list[str], list[tuple[str, ...]]]:
    """Returns another text and what was changed: a deleted, an inserted or two swapped sentences each."""
    rng, extra = random.Random(seed), every_sentence(seed + 1000)
    known = set(made.sentences)
    count = max(3, round(share * len(made.sentences)))
    places = rng.sample(range(1, len(made.sentences) // 4 - 1), count)
    kind_at = {4 * place: ("delete", "insert", "swap")[number % 3] for number, place in enumerate(places)}
    text, truth, index = [], [], 0
    while index < len(made.sentences):
        kind, one = kind_at.get(index), made.sentences[index]
        if kind == "delete":
            truth.append((one,))
        elif kind == "insert":
            new = next(sentence for sentence in extra if sentence not in known)
            truth.append((new,))
            text += [new, one]
        elif kind == "swap":
            index += 1
            truth.append((one, made.sentences[index]))
            text += [made.sentences[index], one]
        else:
            text.append(one)
        index += 1
    return text, truth


def is_alike(difference: dict[str, Any], sentences: tuple[str, ...]) -> bool:
    from rapidfuzz import fuzz

    sides = [side.lower() for side in (difference["text"], difference["heard"]) if side]
    return any(fuzz.ratio(side, one.lower()) >= 60 for side in sides for one in sentences)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "base")
    parser.add_argument("--share", type=float, default=CHANGED, help="of the sentences that are changed")
    parser.add_argument("--fresh", action="store_true", help="forget what a run that was stopped had done")
    arguments = parser.parse_args()
    kept = Kept("known_text", (arguments.minutes, arguments.seed, arguments.model), fresh=arguments.fresh)
    made, _ = kept.step("talk", lambda: talk(arguments.minutes, arguments.seed))
    engine = Engine(arguments.model, device="cpu", threads=1, batch_size=8)
    options = replace(DecodeOptions(), language="en")
    cut = list(chunks(made))
    list(engine.decode([ChunkAudio(cut[0][1][: 5 * RATE], (0, 5 * RATE), options)]))
    pieces: list[Piece] = []
    decoding = 0.0
    for first in range(0, len(cut), AT_ONCE):
        part = cut[first : first + AT_ONCE]
        asked = [ChunkAudio(pcm, (0, len(pcm)), options) for _, pcm in part]
        results, seconds = kept.step(f"decoded-{first}", lambda asked=asked: dict(engine.decode(asked)))
        pieces += [(chunk, results[number]) for number, (chunk, _) in enumerate(part)]
        decoding += seconds
    words = sum(len(text.split()) for text in made.sentences)
    minutes = sum(map(len, made.audio)) / RATE / 60
    print(f"{minutes:.1f} min, {len(made.sentences)} sentences, {words} words; decoding {decoding:.1f} CPU s")
    aligner = Aligner(engine, pieces, {chunk.chunk: pcm for chunk, pcm in cut}, options, kept)
    for fine in (False, True):
        kind = "fine" if fine else "normal"
        errors = late(aligner.align("\n".join(made.sentences), fine), made)
        near, far = (np.mean(abs(errors) <= limit) for limit in (0.1, 0.3))
        cost = f"{aligner.seconds:.1f} CPU s, {aligner.seconds / decoding:.0%} of decoding"
        print(
            f"{kind}: starts within 0.1 s {near:.1%}, within 0.3 s {far:.1%}, median {np.median(errors):+.3f} s; {cost}"
        )
    for fine in (False, True):
        text, truth = changed(made, arguments.share, arguments.seed)
        differences = aligner.align("\n".join(text), fine).differences
        found = [any(is_alike(one, change) for one in differences) for change in truth]
        false = [one for one in differences if not any(is_alike(one, change) for change in truth)]
        print(
            f"{'fine' if fine else 'normal'}: {sum(found)} of {len(truth)} changes found, {len(false)} others listed "
            f"({1000 * len(false) / words:.2f} in 1,000 words); {aligner.seconds / decoding:.0%} of decoding"
        )
        for change, is_found in zip(truth, found, strict=True):
            if not is_found:
                print(f"  missed: {' | '.join(change)}")
        for one in false:
            print(f"  listed: {one}")


if __name__ == "__main__":
    main()
