"""How many names a glossary puts right, how many it puts where nobody says them, and what that costs.

    python benchmarks/names.py
    python benchmarks/names.py --names 20 --times 3 --again=-9,-3,-1,0,1.5
    python benchmarks/names.py --prompts es,fr,it,ru

Synthesised sentences, in some of which an invented name stands, are decoded in chunks of five minutes, and judged with
a list of the names and thousands of other invented ones. With ``--prompts``: human prompts with a glossary of their
rare words, error rates before and after. Times are CPU seconds of one thread. What is done stays in ``bench-data/``: a
run that is stopped goes on, and one after a change of the code judges again what is asked otherwise.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from kept import Kept

from audiogrid.aligning import name_verdicts
from audiogrid.aligning.aligned_key import question
from audiogrid.aligning.glossary_file import Glossary, Term
from audiogrid.aligning.names import NameFinder
from audiogrid.aligning.worker import known_text
from audiogrid.core.text import comparison_form
from audiogrid.decoding.engine import ChunkAudio, Engine
from audiogrid.decoding.options import DecodeOptions
from audiogrid.merging.glossary_names import NameResult, NameSource, put_names
from audiogrid.merging.stitch import stitch
from audiogrid.merging.track_text import TrackText
from audiogrid.records.aligned import AlignedChunk
from audiogrid.records.chunks import Chunk, Seam
from audiogrid.records.results import ChunkResult
from audiogrid.records.store import storable_options
from speech import RATE, hiss, human_speech, prompts, say, silence, word_error_rate
from speech import sentences as every_sentence

ROOT = Path(__file__).resolve().parents[1]
CHUNK_SECONDS = 300
# Chunks that are decoded at once.
AT_ONCE = 3
# A rare word: as many letters, and no more often in all prompts of a language.
LETTERS, OFTEN = 5, 3
_ONSETS = "b br c ch d dr f fl g gr h j k kl kr l m n p pr qu r s sh sk st t th tr v w y z".split()
_VOWELS = "a e i o u a e i o a e ai ea ou ar er or".split()
_CODAS = ["", "", "", "", *"l n r s t m nd rk lt x ck sh v ld".split()]
_ENDS = ["", "", "", *"l n r s t ak ez ov ova en ari ic ell us eth ine is um".split()]
_PLACES = (
    "{} carried a wooden box across the bridge before the rain began.",
    "Captain Morris met {} after a quiet lunch and nobody asked why.",
    "Our teacher from {} wrote a long letter to the city council.",
    "The letter to {} was lost on Monday morning.",
)


def invented(count: int, rng: random.Random) -> list[str]:
    """Names of one word (three of four) or two."""
    words: dict[str, None] = {}
    while len(words) < count * 5 // 4 + 1:
        parts = (
            rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(rng.choice([1, 1, 1, 2]))
        )
        name = "".join(parts) + rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_ENDS)
        if 4 <= len(name) <= 11:
            words[name.capitalize()] = None
    one = iter(words)
    return [next(one) if number % 4 else f"{next(one)} {next(one)}" for number in range(count)]


def talk(minutes: float, names: Sequence[str], seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yields sentences with their audio; the names come one by one, evenly spread."""
    source, rng = every_sentence(seed), random.Random(seed)
    at = told = number = 0
    while at < minutes * 60 * RATE:
        is_due = told < len(names) and at >= told * minutes * 60 * RATE / len(names)
        text = rng.choice(_PLACES).format(names[told]) if is_due else next(source)
        told += is_due
        pcm = np.concatenate([say(text, number), silence(0.5)])
        yield text, (pcm + hiss(len(pcm) / RATE, 10.0, number)[: len(pcm)]).astype(np.int16)
        at, number = at + len(pcm), number + 1


def chunks(parts: Sequence[np.ndarray]) -> Iterator[tuple[Chunk, np.ndarray]]:
    """Yields chunks of whole sentences."""
    held: list[np.ndarray] = []
    start = index = 0
    for number, audio in enumerate(parts):
        held.append(audio)
        length = sum(map(len, held))
        if length >= CHUNK_SECONDS * RATE or number == len(parts) - 1:
            end = start + length
            left, right = Seam("pause", start, 0), Seam("pause", end, 0)
            yield (
                Chunk(f"a.{index:04d}", "a", None, index, start, end, start, end, left, right, ""),
                np.concatenate(held),
            )
            held, start, index = [], end, index + 1


@dataclass
class Judged:
    """A recording, decoded, and what a glossary made of it. Times in CPU seconds."""

    before: TrackText
    result: NameResult
    decoding: float
    finding: float
    answering: float

    @property
    def cost(self) -> str:
        """Returns what the glossary took."""
        judging = self.finding + self.answering
        share = f"{judging / self.decoding:.1%} of decoding ({self.decoding:.1f})"
        return f"judging {judging:.1f} CPU s ({self.finding:.1f} of it to find passages), {share}"

    @staticmethod
    def text(track: TrackText) -> str:
        """Returns the words of a track."""
        return " ".join(word.text.strip() for word in track.stitched.words)


def judge(
    engine: Engine, cut: Sequence[tuple[Chunk, np.ndarray]], terms: Sequence[str], language: str, kept: Kept
) -> Judged:
    """Returns what a glossary makes of chunks; those that were decoded or judged before are taken from ``kept``."""
    options = replace(DecodeOptions(), language=language)
    audio = {chunk.chunk: pcm for chunk, pcm in cut}
    pieces: list[tuple[Chunk, ChunkResult]] = []
    decoding = answering = waited = 0.0
    for first in range(0, len(cut), AT_ONCE):
        part = cut[first : first + AT_ONCE]
        asked_audio = [ChunkAudio(pcm, (0, len(pcm)), options) for _, pcm in part]
        results, seconds = kept.step(
            f"decoded-{first}", lambda asked_audio=asked_audio: dict(engine.decode(asked_audio))
        )
        pieces += [(chunk, results[number]) for number, (chunk, _) in enumerate(part)]
        decoding += seconds

    def lookup(chunk: Chunk, result: ChunkResult, asked: Sequence[Mapping[str, Any]]) -> AlignedChunk:
        nonlocal answering, waited
        waited -= time.process_time()
        wanted = question(result.speech, [], asked, storable_options(vars(options)))
        name = hashlib.sha256(repr(wanted).encode()).hexdigest()[:12]
        answer, seconds = kept.step(
            f"judged-{chunk.index}-{name}", lambda: engine.align(audio[chunk.chunk], known_text(wanted), options)
        )
        answering += seconds
        waited += time.process_time()
        return answer

    track = TrackText(None, stitch(pieces), [(chunk, "", result) for chunk, result in pieces])
    finding = -time.process_time()
    found = put_names([track], NameSource(NameFinder(Glossary(tuple(map(Term, terms)))), lookup))
    finding += time.process_time() - waited
    return Judged(track, found, decoding, finding, answering)


def count(names: Sequence[str], text: str, times: int) -> int:
    """Returns how many of the mentions of names stand in a text."""
    said = f" {' '.join(map(comparison_form, text.split()))} "
    return sum(min(times, said.count(f" {' '.join(map(comparison_form, name.split()))} ")) for name in names)


def planted(engine: Engine, arguments: argparse.Namespace) -> None:
    terms = invented(arguments.terms, random.Random(arguments.seed))
    names = terms[: arguments.names]
    options = (arguments.minutes, names, arguments.times, arguments.seed, arguments.model)
    kept = Kept("names", options, fresh=arguments.fresh)
    told = names * arguments.times
    made, _ = kept.step("talk", lambda: list(talk(arguments.minutes, told, arguments.seed)))
    random.Random(arguments.seed + 1).shuffle(terms)
    cut = list(chunks([audio for _, audio in made]))
    found = judge(engine, cut, terms, "en", kept)
    reference = " ".join(text for text, _ in made)
    texts = [found.text(track) for track in (found.before, found.result.tracks[0])]
    before, after = (count(names, text, arguments.times) for text in texts)
    false = false_changes(made, found)
    words = len(texts[0].split())
    print(f"{sum(len(audio) for _, audio in made) / RATE / 60:.1f} min, {words} words, {len(terms)} terms")
    print(f"names right: {before} of {len(told)} before, {after} after ({(after - before) / len(told):+.0%})")
    print(f"terms where nobody says them: {len(false)} ({10_000 * len(false) / words:.1f} in 10,000 words)")
    rates = [word_error_rate(reference, text) for text in texts]
    print(f"word error rate {rates[0]:.2%} before, {rates[1]:.2%} after")
    print(f"{found.cost}; {len(found.result.changes)} changes")
    for one in false:
        print(f"  false: {one}")
    for bound in map(float, filter(None, arguments.again.split(","))):
        name_verdicts._LEAST_GAIN_AGAIN = bound
        again = judge(engine, cut, terms, "en", kept)
        by_rule = sum(one["reason"] == "one spelling" for one in again.result.changes)
        right = count(names, again.text(again.result.tracks[0]), arguments.times)
        print(f"bound {bound:g}: {right} right, {len(false_changes(made, again))} false; {by_rule} by this rule")


def false_changes(made: Sequence[tuple[str, np.ndarray]], found: Judged) -> list[Mapping[str, Any]]:
    """Returns the changes to a term that the sentence at that moment does not have."""
    ends = np.cumsum([len(audio) for _, audio in made]) / RATE
    sentences = [made[int(np.searchsorted(ends, (one["start"] + one["end"]) / 2))][0] for one in found.result.changes]
    return [one for one, text in zip(found.result.changes, sentences, strict=True) if one["term"] not in text]


def human(engine: Engine, language: str, number: int, arguments: argparse.Namespace) -> None:
    speech = human_speech(language, number, skip=60)
    if not speech.spans:
        print(f"{language}: no prompts installed")
        return
    often = Counter(comparison_form(word) for prompt in prompts(language) for word in prompt.text.split())
    cores = (re.sub(r"^\W+|\W+$", "", word) for word in speech.text.split())
    rare = [core for core in cores if often[comparison_form(core)] <= OFTEN and len(comparison_form(core)) >= LETTERS]
    kept = Kept("names", (language, number, arguments.model), fresh=arguments.fresh)
    found = judge(engine, list(chunks([speech.pcm])), list(dict.fromkeys(rare)), language, kept)
    rates = [
        word_error_rate(speech.text, found.text(track), language) for track in (found.before, found.result.tracks[0])
    ]
    print(f"{language}: {len(set(rare))} terms, error rate {rates[0]:.2%} before, {rates[1]:.2%} after; {found.cost}")
    for one in found.result.changes:
        print(f"  {one['heard']} -> {one['term']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--names", type=int, default=60)
    parser.add_argument("--times", type=int, default=1, help="how often each name is said")
    parser.add_argument("--again", default="", help="bounds of the rule of one spelling to try, separated by commas")
    parser.add_argument("--terms", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prompts", default="", help="languages, separated by commas, instead of synthesised speech")
    parser.add_argument("--count", type=int, default=60, help="prompts of each language")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "base")
    parser.add_argument("--fresh", action="store_true", help="forget what a run that was stopped had done")
    arguments = parser.parse_args()
    engine = Engine(arguments.model, device="cpu", threads=1, batch_size=8)
    options = replace(DecodeOptions(), language="en")
    list(engine.decode([ChunkAudio(say("A sentence that loads everything."), (0, 5 * RATE), options)]))
    for language in filter(None, arguments.prompts.split(",")):
        human(engine, language, arguments.count, arguments)
    if not arguments.prompts:
        planted(engine, arguments)


if __name__ == "__main__":
    main()
