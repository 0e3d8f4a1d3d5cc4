"""Diarisation error rate, number of speakers found, and cost, on recordings of voices in arranged turns.

    .venv/bin/python benchmarks/speakers.py               all sets, one worker
    .venv/bin/python benchmarks/speakers.py --minutes 3   shorter sets
    .venv/bin/python benchmarks/speakers.py --only two    sets with this in their name
    .venv/bin/python benchmarks/speakers.py --odd         music, crowds, short turns, one word: what is found
    .venv/bin/python benchmarks/speakers.py --baseline resemblyzer-0.1.4-py3-none-any.whl   see speaker_baseline.py
    .venv/bin/python benchmarks/speakers.py --link        only the linking of recordings, of a minute each
    .venv/bin/python benchmarks/speakers.py --merge       only the clustering of ten hours (no networks)

The voices and sets are those of ``speaker_sets.py``: real people's prompts and words, at one level, in the noise of
one room. **Such voices are easier than a meeting**: they do not interrupt each other as people do, and their room
never changes. A reader played slower or faster is no further voice: all slowed voices have cosines of up to 0.77.

DER is at collar 0 with overlap scored, in frames of 10 ms, with the best mapping of speakers; miss, false alarm and
confusion are shares of the speech. References are the whole prompts: pauses inside them count as missed.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from speaker_baseline import Baseline  # noqa: E402
from speaker_sets import (  # noqa: E402
    RATE,
    READERS,
    Recording,
    arranged,
    odd_sets,
    sets,
    synthesised,
    telephone,
    voice,
)

from audiogrid.embedding.chunk_voices import Networks, embed_chunk  # noqa: E402
from audiogrid.embedding.clustering import Count  # noqa: E402
from audiogrid.embedding.linking import SAME_PERSON, Linker, new_voices  # noqa: E402
from audiogrid.embedding.networks.sessions import open_networks  # noqa: E402
from audiogrid.embedding.voices import Turn, find_speakers  # noqa: E402
from audiogrid.embedding.word_speakers import speakers_of_words  # noqa: E402
from audiogrid.records.chunks import Chunk, Seam  # noqa: E402
from audiogrid.records.linked_voices import LinkedVoices  # noqa: E402
from audiogrid.records.results import Word  # noqa: E402
from audiogrid.records.voices import ChunkVoices, Tracklet, vector_bytes  # noqa: E402
from audiogrid.scoring.speaker_errors import best_assignment  # noqa: E402

FRAME = 160
EDGE = Seam("pause", 0, 0)


def active(turns: Sequence[tuple[int, int, int]], samples: int, voices: int) -> np.ndarray:
    """Bool ``(frames, voices)``."""
    found = np.zeros((samples // FRAME + 1, max(1, voices)), dtype=bool)
    for start, end, who in turns:
        found[start // FRAME : -(-end // FRAME), who] = True
    return found


def best_mapping(common: np.ndarray) -> dict[int, int]:
    """Reference -> hypothesis with most frames in common."""
    size = max(common.shape)
    cost = np.zeros((size, size))
    cost[: common.shape[0], : common.shape[1]] = -common
    return dict(enumerate(best_assignment(cost)))


def mapped(recording: Recording, turns: Sequence[Turn], voices: int) -> tuple[np.ndarray, np.ndarray, dict[int, int]]:
    """Frames of the reference and of ``turns``, and which voice of theirs is which of the reference's."""
    wanted = active(recording.turns, len(recording.pcm), max(who for *_, who in recording.turns) + 1)
    found = active([(turn.start, turn.end, turn.speaker) for turn in turns], len(recording.pcm), voices)
    return wanted, found, best_mapping(wanted.astype(int).T @ found.astype(int))


def wrong_words(recording: Recording, turns: Sequence[Turn], voices: int, error: float) -> float:
    """Percent of the words that are given to another speaker.

    Each prompt is taken for a sentence of words of 0.3 s. ``error``: deviation of their times in seconds.
    """
    mapping = mapped(recording, turns, voices)[2]
    random_numbers = np.random.default_rng(1)
    words = []
    for start, end, who in recording.turns:
        count = max(1, round((end - start) / (0.3 * RATE)))
        edges = np.linspace(start, end, count + 1)
        edges[1:-1] += random_numbers.normal(0, error * RATE, count - 1)
        edges = np.sort(np.clip(edges, start, end)).astype(int).tolist()
        texts = [" word"] * (count - 1) + [" word."]
        words += [(Word(a, b, text, 0.9), who) for a, b, text in zip(edges, edges[1:], texts, strict=False)]
    words.sort(key=lambda pair: (pair[0].start, pair[0].end))
    spoken = speakers_of_words([word for word, _ in words], turns)
    wrong = [one.speaker != mapping.get(who) for one, (_, who) in zip(spoken, words, strict=True)]
    return 100 * float(np.mean(wrong))


def error_rates(recording: Recording, turns: Sequence[Turn], voices: int) -> tuple[float, float, float]:
    """Miss, false alarm and confusion, in percent of the speech."""
    wanted, found, mapping = mapped(recording, turns, voices)
    right = np.zeros(len(wanted), dtype=int)
    for one, other in mapping.items():
        if one < wanted.shape[1] and other < found.shape[1]:
            right += wanted[:, one] & found[:, other]
    many, heard = wanted.sum(axis=1), found.sum(axis=1)
    total = many.sum() / 100
    miss, false = np.maximum(0, many - heard).sum(), np.maximum(0, heard - many).sum()
    return miss / total, false / total, (np.minimum(many, heard) - right).sum() / total


def embedded(pcm: np.ndarray, networks: Networks, seconds: int) -> list[tuple[Chunk, ChunkVoices]]:
    """Returns the chunks of ``pcm``, each of ``seconds`` and without context, with their results."""
    found = []
    for index, start in enumerate(range(0, len(pcm), seconds * RATE)):
        end = min(len(pcm), start + seconds * RATE)
        chunk = Chunk(f"x.{index}", "x", None, index, start, end, start, end, EDGE, EDGE, "")
        found.append((chunk, embed_chunk(pcm[start:end], (0, end - start), networks)))
    return found


@dataclass(frozen=True)
class Row:
    """What was measured on one set; shares in percent."""

    confusion: float
    count_right: bool
    given_right: bool
    in_minutes: float
    in_minutes_right: bool
    cost: float
    speech: float


def measure(minutes: float, model: Path, only: str, skip: str, baseline: Path | None) -> None:
    networks = open_networks(model)
    other = Baseline(baseline) if baseline else None
    rows: list[Row] = []
    others: list[tuple[float, bool, float]] = []
    print(
        "| set | DER | miss | false | confusion | voices found | of | count given | in chunks of 60 s (voices) "
        "| wrong words (times off by 0.12 s) | core-s per hour |"
        + (" baseline: DER, confusion, voices |" if other else "")
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|" + ("---|" if other else ""))
    for name, make in sets(minutes):
        if only not in name or (skip and skip in name):
            continue
        recording = make()
        began = time.process_time()
        pieces = embedded(recording.pcm, networks, 300)
        cost = (time.process_time() - began) / (len(recording.pcm) / RATE / 3600)
        found = find_speakers(pieces)
        miss, false, confusion = error_rates(recording, found.turns, len(found.voices))
        parts = find_speakers(embedded(recording.pcm, networks, 60))
        short = error_rates(recording, parts.turns, len(parts.voices))[2]
        given = find_speakers(pieces, Count(recording.voices, recording.voices))
        words = [wrong_words(recording, found.turns, len(found.voices), error) for error in (0.0, 0.12)]
        speech = float(active(recording.turns, len(recording.pcm), recording.voices).any(axis=1).mean())
        right = [len(one.voices) == recording.voices for one in (found, given, parts)]
        rows.append(Row(confusion, right[0], right[1], short, right[2], cost, speech))
        line = (
            f"| {name} | {miss + false + confusion:.1f} | {miss:.1f} | {false:.1f} | {confusion:.2f} "
            f"| {len(found.voices)} | {recording.voices} | {len(given.voices)} | {short:.2f} ({len(parts.voices)}) "
            f"| {words[0]:.2f} ({words[1]:.2f}) | {cost:.0f} |"
        )
        if other:
            began = time.process_time()
            turns, voices = other.turns(recording.pcm)
            price = (time.process_time() - began) / (len(recording.pcm) / RATE / 3600)
            rates = error_rates(recording, turns, voices)
            others.append((rates[2], voices == recording.voices, price))
            line += f" {sum(rates):.1f}, {rates[2]:.2f}, {voices} |"
        print(line, flush=True)
    if not rows:
        raise SystemExit("no set has such a name")
    print(
        f"\nover {len(rows)} sets ({100 * np.mean([row.speech for row in rows]):.0f} % speech): "
        f"confusion {np.mean([row.confusion for row in rows]):.2f} %, "
        f"in chunks of 60 s {np.mean([row.in_minutes for row in rows]):.2f} %; counts right "
        f"{100 * np.mean([row.count_right for row in rows]):.0f} %, with the count given "
        f"{100 * np.mean([row.given_right for row in rows]):.0f} %, "
        f"in chunks of 60 s {100 * np.mean([row.in_minutes_right for row in rows]):.0f} %; "
        f"{np.mean([row.cost for row in rows]):.0f} core-s per audio hour; "
        f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB (with the recordings themselves)"
    )
    if others:
        confusion, right_share, price = (np.mean([one[index] for one in others]) for index in range(3))
        print(
            f"baseline: confusion {confusion:.2f} %, counts right {100 * right_share:.0f} %, {price:.0f} core-s an hour"
        )


def measure_odd(minutes: float, model: Path, only: str) -> None:
    """Recordings that nobody would choose: what is found in them, also when three voices are asked for."""
    networks = open_networks(model)
    print("| recording | voices | of | seconds of talk each | seconds of turns of | confusion | asked for 3: voices |")
    print("|---|---|---|---|---|---|---|")
    for name, make in odd_sets(minutes):
        if only not in name:
            continue
        recording = make()
        pieces = embedded(recording.pcm, networks, 300)
        found, given = find_speakers(pieces), find_speakers(pieces, Count(3, 3))
        confusion = f"{error_rates(recording, found.turns, len(found.voices))[2]:.2f}" if recording.turns else "-"
        talk = ", ".join(f"{one.samples / RATE:.0f}" for one in found.voices) or "none"
        print(
            f"| {recording.name} | {len(found.voices)} | {recording.voices} | {talk} | {len(recording.pcm) / RATE:.0f} "
            f"| {confusion} | {len(given.voices)} |",
            flush=True,
        )


def measure_links(minutes: float, model: Path) -> None:
    """The same five voices in many recordings, half of them over the telephone: who is taken for whom."""
    networks = open_networks(model)
    voices = [*(voice(reader) for reader in READERS), synthesised()]
    rng = random.Random(1)
    linker = Linker(LinkedVoices())
    heard: list[tuple[int, int, np.ndarray]] = []
    ids: dict[int, set[int]] = {}
    for number in range(24):
        people = rng.sample(range(len(voices)), 2)
        parts = [rng.sample(voices[who], len(voices[who])) for who in people]
        recording = arranged(f"{number}", parts, minutes, number, line=telephone if number % 2 else None)
        found = find_speakers(embedded(recording.pcm, networks, 300), Count(2, 2))
        if len(found.voices) != 2:
            print(f"recording {number} of voices {people}: {len(found.voices)} voice(s) found")
            continue
        mapping = mapped(recording, found.turns, 2)[2]
        linked = linker.link("run", f"{number}", "", new_voices({None: found}))[""]
        for one, who in enumerate(people):
            ids.setdefault(linked[mapping[one]], set()).add(who)
            heard.append((number, who, np.array(found.voices[mapping[one]].centroid)))
    similar = np.array([[a[2] @ b[2] for b in heard] for a in heard])
    pairs = [(i, j) for i in range(len(heard)) for j in range(i) if heard[i][0] != heard[j][0]]
    same = np.array([similar[i, j] for i, j in pairs if heard[i][1] == heard[j][1]])
    other = np.array([similar[i, j] for i, j in pairs if heard[i][1] != heard[j][1]])
    print(f"{len(heard)} voices of {len({who for _, who, _ in heard})} people in 24 recordings of {minutes:g} minutes")
    for name, values in (("one person", same), ("two people", other)):
        print(
            f"pairs of {name}: {len(values)}, cosine {values.min():.2f} to {values.max():.2f}, "
            f"from {SAME_PERSON} on: {(values >= SAME_PERSON).sum()}"
        )
    mixed = sum(len(people) > 1 for people in ids.values())
    print(f"ids: {len(ids)}, of more than one person: {mixed}")


def measure_merge(hours: float, voices: int) -> None:
    """Measures clustering, with as many made-up vectors as ``hours`` have tracklets, scattered as real ones are."""
    random_numbers = np.random.default_rng(1)
    centres = np.linalg.qr(random_numbers.normal(size=(192, 192)))[0][:voices] * 12
    count = round(hours * 2100)
    who = np.repeat(random_numbers.integers(0, voices, count // 3 + 1), 3)[:count]
    pieces = []
    step = round(hours * 3600 * RATE / count)
    for index in range(round(hours * 12)):
        first, last = index * count // round(hours * 12), (index + 1) * count // round(hours * 12)
        tracklets = [
            Tracklet(
                (number - first) * step,
                (number - first) * step + 5 * step // 6,
                5 * step // 6,
                -3.0,
                vector_bytes(centres[who[number]] + random_numbers.normal(0, 0.8, 192)),
            )
            for number in range(first, last)
        ]
        chunk = Chunk("x", "x", None, index, first * step, last * step, first * step, last * step, EDGE, EDGE, "")
        pieces.append((chunk, ChunkVoices((last - first) * step, tracklets)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    found = find_speakers(pieces)
    print(
        f"{hours:g} h, {count} tracklets of {voices} voices: {len(found.voices)} voices in "
        f"{time.process_time() - began:.2f} core-s, peak "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB ({before // 1024} MB before)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0, help="length of most sets")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "speakers")
    parser.add_argument("--only", default="", help="sets with this in their name")
    parser.add_argument("--skip", default="", help="not those with this in their name")
    parser.add_argument("--baseline", type=Path, help="wheel of resemblyzer 0.1.4, to be measured beside")
    parser.add_argument("--odd", action="store_true", help="only recordings that nobody would choose")
    parser.add_argument("--merge", action="store_true", help="only the clustering of ten hours")
    parser.add_argument("--link", action="store_true", help="only the same voices over many recordings")
    arguments = parser.parse_args()
    if arguments.link:
        measure_links(min(1.0, arguments.minutes), arguments.model)
        return
    if arguments.merge:
        for voices in (1, 2, 10):
            measure_merge(10, voices)
        return
    if arguments.odd:
        measure_odd(arguments.minutes, arguments.model, arguments.only)
        return
    measure(arguments.minutes, arguments.model, arguments.only, arguments.skip, arguments.baseline)


if __name__ == "__main__":
    main()
