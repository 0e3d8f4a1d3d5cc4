"""What each pass of the decoding engine costs and brings: the fast pass alone, with the second, with the careful pass.

    .venv/bin/python benchmarks/passes.py --sets prompts-es,noise3,music --minutes 6
    .venv/bin/python benchmarks/passes.py --set encoder=ctranslate2 --set context_tokens=0
    .venv/bin/python benchmarks/passes.py --clips 20      voice notes: so many real clips of 4 to 15 s in each language

Costs are CPU seconds of this process (one thread), so other programs on the machine hardly change them. Each set is
decoded once; what a window would have been without the later passes is taken from the hypotheses. Where nobody speaks,
the number of invented words stands for a rate. Columns: errors after each pass; core-seconds a window for the encoder,
the fast pass, word times, and everything; windows that the second pass decoded, and core-seconds for each of them; the
same of the careful pass (calls of the model, without encoder and word times).
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from decoding_sets import RATE, SETS, VOICES, Clip, load, prompt_files, read_audio

from audiogrid.decoding.engine import ChunkAudio, Engine
from audiogrid.decoding.judging.hypotheses import Hypothesis
from audiogrid.decoding.judging.quality_rules import reason_to_drop
from audiogrid.decoding.options import DecodeOptions
from audiogrid.decoding.whisper.model import Model
from audiogrid.records.results import ChunkResult
from decoding import chunks, errors

ROOT = Path(__file__).parents[1]
PASSES = ("fast", "+second", "+careful")


class Meter:
    """CPU seconds inside the model and windows that went through it, by what they were spent on."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.windows: Counter[str] = Counter()
        for name in ("features", "encode_features", "generate", "align"):
            setattr(Model, name, self._measured(name, getattr(Model, name)))

    def clear(self) -> None:
        """Begin again at nothing."""
        self.seconds.clear()
        self.windows.clear()

    def each(self, kind: str) -> float:
        """CPU seconds for each window."""
        return self.seconds[kind] / max(1, self.windows[kind])

    def _measured(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(model: Model, windows: Sequence[Any], *given: Any, **named: Any) -> Any:
            kind = name
            if name == "generate":
                kind = "fast" if named.get("merged") else "second" if named.get("prompted", True) else "careful"
            began = time.process_time()
            found = call(model, windows, *given, **named)
            self.seconds[kind] += time.process_time() - began
            self.windows[kind] += 1 if name == "align" else len(windows)
            return found

        return run


class WatchedEngine(Engine):
    """An engine that keeps, by chunk, the text after the fast and after the second pass."""

    def __init__(self, model: Path) -> None:
        super().__init__(model, threads=1, batch_size=8)
        self.texts: dict[int, tuple[str, str]] = {}

    def _finish(self, one: Any) -> ChunkResult:
        def text(found: list[Hypothesis]) -> str:
            return " ".join(each.text for each in found if not reason_to_drop(each.evidence, one.chunk.options))

        settled = [one.settled[window.number] for window in one.windows]
        self.texts[one.index] = (text([all_[0] for _, all_ in settled]), text([kept for kept, _ in settled]))
        return super()._finish(one)


def notes(language: str, count: int) -> list[Clip]:
    """Real clips of 4 to 15 s: prompts of one language, one or a few in each."""
    rng, noise = random.Random(9), np.random.default_rng(9)
    items = prompt_files(language)
    rng.shuffle(items)
    found: list[Clip] = []
    while items and len(found) < count:
        wanted, pieces, words = rng.uniform(4, 14) * RATE, [noise.normal(0, 3, RATE // 4)], []
        while items and sum(map(len, pieces)) < wanted:
            path, text = items.pop(0)
            pieces += [read_audio(path), noise.normal(0, 3, RATE // 2)]
            words.append(text)
        pcm = np.concatenate(pieces).astype(np.int16)
        if len(pcm) <= 18 * RATE:
            found.append(Clip(f"notes-{language}", language, pcm, " ".join(words)))
    return found


def read(engine: WatchedEngine, clips: Sequence[Clip], options: dict[str, object]) -> tuple[list[int], int, int]:
    """Wrong words after each pass, words and windows of some clips."""
    pieces = [(number, pcm) for number, clip in enumerate(clips) for pcm in chunks(clip)]
    wanted = [DecodeOptions.from_mapping({"language": clips[number].language, **options}) for number, _ in pieces]
    audio = (ChunkAudio(pcm, (0, len(pcm)), one) for (_, pcm), one in zip(pieces, wanted, strict=True))
    results = dict(engine.decode(audio))
    wrong, words = [0] * len(PASSES), 0
    for number, clip in enumerate(clips):
        indices = [index for index, (owner, _) in enumerate(pieces) if owner == number]
        final = " ".join(segment.text for index in indices for segment in results[index].segments)
        for place, text in enumerate([*(" ".join(engine.texts[index][n] for index in indices) for n in (0, 1)), final]):
            counted = errors(clip.text, text, clip.language)
            wrong[place] += counted.all
        words += counted.words
    return wrong, words, sum(len(result.windows) for result in results.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default="", help=f"of {', '.join(SETS)}")
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--clips", type=int, default=0)
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "base")
    parser.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE", help="decoding option")
    arguments = parser.parse_args()
    import yaml

    settings = {name: yaml.safe_load(value) for name, value in (pair.split("=", 1) for pair in arguments.set)}
    meter = Meter()
    engine = WatchedEngine(arguments.model)
    subjects = {f"notes-{language}": notes(language, arguments.clips) for language in VOICES if arguments.clips}
    names = arguments.sets or ("" if arguments.clips else ",".join(SETS))
    for name in filter(None, names.split(",")):
        subjects[name] = [load(name, arguments.minutes, ROOT / "bench-data" / "decoding")]
    print("| set | words | fast | + second | + careful | windows | encoder | fast | times | all | second | careful |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    total, all_words, all_windows, spent = [0] * len(PASSES), 0, 0, 0.0
    for name, clips in subjects.items():
        meter.clear()
        began = time.process_time()
        wrong, words, windows = read(engine, clips, settings)
        took = time.process_time() - began
        total = [one + other for one, other in zip(total, wrong, strict=True)]
        all_words, all_windows, spent = all_words + words, all_windows + windows, spent + took
        rates = " | ".join(f"{100 * one / words:.2f}" if words else f"{one} words" for one in wrong)
        used = [meter.seconds[kind] / max(1, windows) for kind in ("encode_features", "fast", "align")]
        costs = " | ".join(f"{one:.2f}" for one in [*used, took / max(1, windows)])
        again = " | ".join(f"{meter.windows[kind]}: {meter.each(kind):.2f}" for kind in ("second", "careful"))
        print(f"| {name} | {words} | {rates} | {windows} | {costs} | {again} |", flush=True)
    rates = " | ".join(f"{100 * one / max(1, all_words):.2f}" for one in total)
    print(f"| pooled | {all_words} | {rates} | {all_windows} | | | | {spent / max(1, all_windows):.2f} | | |")


if __name__ == "__main__":
    main()
