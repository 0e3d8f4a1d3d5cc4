"""Word error rate and speed of the decoding engine against faster-whisper's own two modes, in one process.

    python benchmarks/decoding.py --sets reading,prompts-es --minutes 5
    python benchmarks/decoding.py --minutes 20 --contestants ours,sequential,batched
    python benchmarks/decoding.py --sets mixed,interpreted --contestants ours      (run it twice: the hashes must agree)
    python benchmarks/decoding.py --chunk-times --minutes 5 --sets mixed,prompts-en

Every contestant reads the same samples with the same weights and threads: `ours` in chunks of five minutes (cut in
pauses), the others the whole clip. ``rate`` is seconds of audio per second of wall time. For sets in
which nobody speaks, the column of errors counts the invented words. ``loops``: phrases that the
whole text, over all of its windows and chunks, says more than four times in a row where the reference does not.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
sys.path.insert(0, str(Path(__file__).parent))

from decoding_sets import RATE, SETS, Clip, load

ROOT = Path(__file__).parents[1]
# Numbers as words, from 0 on. English has none: Whisper's own normalisation turns its numbers into digits.
NUMBERS = {
    language: [words.split("/") for words in line.split()]
    for language, line in {
        "es": "cero uno/un/una dos tres cuatro cinco seis siete ocho nueve diez once doce",
        "fr": "zéro un/une deux trois quatre cinq six sept huit neuf dix onze douze",
        "it": "zero uno/un/una due tre quattro cinque sei sette otto nove dieci undici dodici",
        "ru": "ноль/нуль один/одну/одна/одно два/две три четыре пять шесть семь восемь девять десять",
    }.items()
}


@dataclass(frozen=True)
class Errors:
    """Words of a text against those of its reference.

    ``apart``: errors in which only the spaces differ; they are counted among the others, too.
    """

    substituted: int
    lost: int
    invented: int
    apart: int
    words: int

    @property
    def all(self) -> int:
        return self.substituted + self.lost + self.invented


def numbers_together(text: str) -> str:
    """Returns the text with numbers that are read digit by digit as one: `5-0-0` and `five zero zero` are `500`."""
    digits = {
        word: str(digit) for digit, word in enumerate("zero one two three four five six seven eight nine".split())
    }
    found: list[str] = []
    for word in (digits.get(word, word) for word in text.replace(".", " ").split()):
        if found and word.isdigit() and found[-1].isdigit():
            found[-1] += word
        else:
            found.append(word)
    return " ".join(found)


def errors(reference: str, text: str, language: str, together: bool = False) -> Errors:
    """Returns the errors of ``text`` after Whisper's normalisation; ``together``: with ``numbers_together``.

    Accents are dropped: the Spanish list of prompts is written without most of them. Numbers that are written out
    become digits, which Whisper's own normalisation does for English only: `4` for `four` is no error.
    """
    import jiwer
    from whisper_normalizer.basic import BasicTextNormalizer
    from whisper_normalizer.english import EnglishTextNormalizer

    plain = EnglishTextNormalizer() if language == "en" else BasicTextNormalizer(remove_diacritics=True)
    numbers = enumerate(NUMBERS.get(language, []))
    digits = {plain(word).strip(): str(number) for number, words in numbers for word in words}
    wanted, found = (" ".join(digits.get(word, word) for word in plain(one).split()) for one in (reference, text))
    if together:
        wanted, found = numbers_together(wanted), numbers_together(found)
    if not wanted:
        return Errors(0, 0, len(found.split()), 0, 0)
    result = jiwer.process_words(wanted, found or " ")
    apart = 0
    ours, theirs = wanted.split(), found.split()
    for equal, run in groupby(result.alignments[0], lambda span: span.type == "equal"):
        spans = list(run)
        here = ours[spans[0].ref_start_idx : spans[-1].ref_end_idx]
        there = theirs[spans[0].hyp_start_idx : spans[-1].hyp_end_idx]
        if not equal and "".join(here) == "".join(there):
            apart += sum(max(s.ref_end_idx - s.ref_start_idx, s.hyp_end_idx - s.hyp_start_idx) for s in spans)
    return Errors(result.substitutions, result.deletions, result.insertions, apart, len(ours))


def loops(reference: str, text: str) -> list[str]:
    """Phrases that the text says more than four times in a row, and how often; not those of the reference."""
    from audiogrid.decoding.judging.loops import find_loops, plain_words

    def repeated(spoken: str) -> list[tuple[str, int]]:
        words = plain_words(spoken)
        return [(" ".join(words[one.first : one.first + one.size]), one.count) for one in find_loops(words, 5)]

    wanted = {phrase for phrase, _ in repeated(reference)}
    return [f"{phrase} ({count} times)" for phrase, count in repeated(text) if phrase not in wanted]


def chunks(clip: Clip, minutes: float = 5.0) -> list[np.ndarray]:
    """Returns the clip in chunks of about ``minutes``, cut in the quietest half second near each target."""
    size, near = int(minutes * 60 * RATE), 20 * RATE
    found, start = [], 0
    while len(clip.pcm) - start > 1.3 * size:
        low = start + size - near
        # Running sums: a convolution would take longer than a GPU takes to decode the chunk.
        sums = np.concatenate([[0], np.cumsum(clip.pcm[low : low + 2 * near].astype(np.int64) ** 2)])
        middle = np.arange(len(sums) - 1)
        power = sums[np.minimum(middle + RATE // 4, len(middle))] - sums[np.maximum(middle - RATE // 4, 0)]
        cut = low + int(np.argmin(power))
        found.append(clip.pcm[start:cut])
        start = cut
    return [*found, clip.pcm[start:]]


def ours(model: Path, threads: int, batch: int, settings: dict[str, object]) -> Callable[[Clip], str]:
    from audiogrid.core.json_values import to_json
    from audiogrid.decoding.engine import ChunkAudio, Engine
    from audiogrid.decoding.options import DecodeOptions

    engine = Engine(model, threads=threads, batch_size=batch)

    def read(clip: Clip) -> str:
        options = DecodeOptions.from_mapping({"language": clip.language, **settings})
        results = dict(engine.decode(ChunkAudio(pcm, (0, len(pcm)), options) for pcm in chunks(clip)))
        windows = [window for index in sorted(results) for window in results[index].windows]
        again = [window for window in windows if window.flags]
        sampled = [window for window in windows if any(reading.temperature > 0 for reading in window.readings)]
        whole = json.dumps(to_json([results[index] for index in sorted(results)]), sort_keys=True)
        print(
            f"    {len(windows)} windows, {len(again)} flagged, {len(sampled)} sampled, kept: "
            + ", ".join(f"{kept} {count}" for kept, count in _counted(window.kept for window in windows))
            + f"; results {hashlib.sha256(whole.encode()).hexdigest()[:12]}",
            file=sys.stderr,
        )
        return " ".join(segment.text for index in sorted(results) for segment in results[index].segments)

    return read


def chunk_times(model: Path, sets: list[str], minutes: float, settings: dict[str, object]) -> None:
    """Prints the CPU seconds that each chunk takes per minute of audio, and how many times the mean that is.

    A worker is stopped when a chunk takes 20 times the mean: this shows how far the slowest chunks are from that.
    """
    from audiogrid.decoding.engine import ChunkAudio, Engine
    from audiogrid.decoding.options import DecodeOptions

    engine = Engine(model, threads=1, batch_size=8)
    found: list[tuple[float, str, float]] = []
    for name in sets:
        clip = load(name, minutes, ROOT / "bench-data" / "decoding")
        options = DecodeOptions.from_mapping({"language": clip.language, **settings})
        for number, pcm in enumerate(chunks(clip)):
            began = time.process_time()
            list(engine.decode([ChunkAudio(pcm, (0, len(pcm)), options)]))
            audio = len(pcm) / RATE / 60
            found.append(((time.process_time() - began) / audio, f"{name}, chunk {number}", audio))
    mean = sum(cost * audio for cost, _, audio in found) / sum(audio for _, _, audio in found)
    for cost, name, _ in sorted(found, reverse=True):
        print(f"| {name} | {cost:.1f} CPU s per minute | {cost / mean:.1f} times the mean |", flush=True)


def _counted(items: object) -> list[tuple[str, int]]:
    from collections import Counter

    return Counter(items).most_common()  # type: ignore[call-overload]


def sequential(model: Path, threads: int, batch: int, settings: dict[str, object]) -> Callable[[Clip], str]:
    from faster_whisper import WhisperModel

    whisper = WhisperModel(str(model), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True)

    def read(clip: Clip) -> str:
        segments, _ = whisper.transcribe(
            clip.pcm.astype(np.float32) / 32768, language=given(clip), multilingual=not given(clip)
        )
        return " ".join(segment.text for segment in segments)

    return read


def given(clip: Clip) -> str | None:
    """Returns the language that faster-whisper is told; ``None`` for a set in several languages."""
    return None if clip.language == "auto" else clip.language


def batched(model: Path, threads: int, batch: int, settings: dict[str, object]) -> Callable[[Clip], str]:
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    whisper = WhisperModel(str(model), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True)
    pipeline = BatchedInferencePipeline(whisper)

    def read(clip: Clip) -> str:
        audio = clip.pcm.astype(np.float32) / 32768
        segments, _ = pipeline.transcribe(audio, language=given(clip), multilingual=not given(clip), batch_size=8)
        return " ".join(segment.text for segment in segments)

    return read


CONTESTANTS = {"ours": ours, "sequential": sequential, "batched": batched}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default=",".join(SETS), help="comma-separated: " + ", ".join(SETS))
    parser.add_argument("--contestants", default=",".join(CONTESTANTS))
    parser.add_argument("--minutes", type=float, default=20.0, help="length of each set")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "base")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=8, help="windows per batch of `ours`")
    parser.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE", help="decoding option of `ours`")
    parser.add_argument("--chunk-times", action="store_true", help="only print the CPU time of each chunk of `ours`")
    parser.add_argument("--texts", type=Path, help="folder for references and what each contestant wrote")
    arguments = parser.parse_args()
    import yaml

    settings = {name: yaml.safe_load(value) for name, value in (pair.split("=", 1) for pair in arguments.set)}
    if arguments.chunk_times:
        chunk_times(arguments.model, arguments.sets.split(","), arguments.minutes, settings)
        return
    readers = {
        name: CONTESTANTS[name](arguments.model, arguments.threads, arguments.batch, settings)
        for name in arguments.contestants.split(",")
    }
    print(
        "| set | contestant | WER % | substituted | lost | invented | of these, only spaces differ "
        f"| all, with the digits of a number together | words | loops | rate |\n|{'---|' * 11}"
    )
    counted: dict[str, list[Errors]] = {name: [] for name in readers}
    for name in arguments.sets.split(","):
        clip = load(name, arguments.minutes, ROOT / "bench-data" / "decoding")
        for contestant, read in readers.items():
            began = time.perf_counter()
            text = read(clip)
            speed = len(clip.pcm) / RATE / (time.perf_counter() - began)
            found = errors(clip.text, text, clip.language)
            counted[contestant].append(found)
            share = f"{100 * found.all / found.words:.2f}" if found.words else "-"
            as_one = errors(clip.text, text, clip.language, together=True).all
            counts = f"{found.substituted} | {found.lost} | {found.invented} | {found.apart} | {as_one} | {found.words}"
            counts += f" | {'; '.join(loops(clip.text, text)) or 0}"
            print(f"| {name} | {contestant} | {share} | {counts} | {speed:.1f} |", flush=True)
            if arguments.texts:
                arguments.texts.mkdir(parents=True, exist_ok=True)
                (arguments.texts / f"{name}.{contestant}.txt").write_text(text + "\n")
                (arguments.texts / f"{name}.reference.txt").write_text(clip.text + "\n")
    for contestant, each in counted.items():
        # Words that are invented where nobody speaks count, too.
        if words := sum(one.words for one in each):
            pooled, apart = 100 * sum(one.all for one in each) / words, sum(one.apart for one in each)
            print(f"| pooled | {contestant} | {pooled:.2f} | | | | {apart} | | {words} | | |")


if __name__ == "__main__":
    main()
