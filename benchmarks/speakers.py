"""Diarisation error rate, number of speakers found, and cost, on recordings of voices in arranged turns.

    .venv/bin/python benchmarks/speakers.py               all sets, one worker
    .venv/bin/python benchmarks/speakers.py --minutes 3   shorter sets
    .venv/bin/python benchmarks/speakers.py --only two    sets with this in their name
    .venv/bin/python benchmarks/speakers.py --link        only the linking of recordings, of a minute each
    .venv/bin/python benchmarks/speakers.py --merge       only the clustering of ten hours (no networks)

The voices are those of Debian's ``asterisk-core-sounds-*-wav`` packages: prompts in five languages by four readers (the
English and the Spanish reader are one), 8 kHz, and a synthesised one. All are brought to one level and lie in the noise
of one room. **Such voices are easier than a meeting**: they do not interrupt each other as people do, and their room
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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

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
from speech import load, resample, say, sentences  # noqa: E402

RATE = 16_000
FRAME = 160
PROMPTS = Path("/usr/share/asterisk/sounds")
READERS = ("en_US_f_Allison", "fr_CA_f_June", "it_IT_m_Carlo", "ru_RU_f_IvrvoiceRU")
SAME_READER = "es_MX_f_Allison"
EDGE = Seam("pause", 0, 0)
Reference = list[tuple[int, int, int]]


@dataclass(frozen=True)
class Recording:
    """A set. ``pcm``: int16; ``turns``: who talks when, as first sample, end and number of the voice."""

    name: str
    pcm: np.ndarray
    turns: Reference

    @property
    def voices(self) -> int:
        return len({voice for *_, voice in self.turns})


def levelled(part: np.ndarray) -> np.ndarray:
    """A signal at the level of all others."""
    return np.asarray(part * 2500 / (np.sqrt((part**2).mean()) + 1))


def synthesised() -> list[np.ndarray]:
    """Sentences of a synthesised voice."""
    return [levelled(say(text).astype(float)) for text, _ in zip(sentences(), range(25), strict=False)]


def voice(reader: str, seconds: float = 150.0, seed: int = 1) -> list[np.ndarray]:
    """Prompts of one reader without the silence around them, at one level (float64)."""
    import soundfile

    paths = sorted(path for path in (PROMPTS / reader).rglob("*.wav") if 1.5 < soundfile.info(path).duration < 9)
    random.Random(seed).shuffle(paths)
    found: list[np.ndarray] = []
    total = 0.0
    for path in paths:
        pcm = load(path)
        loud = np.flatnonzero(np.abs(pcm.astype(int)) > 200)
        if len(loud) < RATE // 2:
            continue
        part = pcm[max(0, loud[0] - 400) : loud[-1] + 800].astype(float)
        found.append(levelled(part))
        total += len(part) / RATE
        if total > seconds:
            break
    return found


def arranged(
    name: str,
    voices: Sequence[list[np.ndarray]],
    minutes: float,
    seed: int = 1,
    longest_turn: int = 3,
    overlap: float = 0.0,
    line: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Recording:
    """Returns voices in turns of 1 to ``longest_turn`` prompts. ``overlap``: share of turns that begin too early."""
    rng = random.Random(seed)
    count = round(minutes * 60 * RATE)
    signal = np.zeros(count)
    turns: Reference = []
    used = [0] * len(voices)
    at, last = RATE // 2, -1
    while at < count - 10 * RATE:
        who = rng.choice([number for number in range(len(voices)) if number != last or len(voices) == 1])
        last = who
        for _ in range(rng.randint(1, longest_turn)):
            part = voices[who][used[who] % len(voices[who])]
            used[who] += 1
            if at + len(part) > count:
                break
            signal[at : at + len(part)] += part
            turns.append((at, at + len(part), who))
            at += len(part) + round(rng.uniform(0.1, 0.8) * RATE)
        if rng.random() < overlap:
            at -= round(rng.uniform(0.8, 1.8) * RATE)
    signal += np.random.default_rng(seed).normal(0, 30, count)
    pcm = np.clip(signal, -32767, 32767).astype(np.int16)
    # The noise has the band of the voices: in wide band it would pass for their high frequencies.
    pcm = resample(resample(pcm, RATE, 8000), 8000, RATE)[:count]
    return Recording(name, line(pcm) if line else pcm, turns)


def telephone(pcm: np.ndarray) -> np.ndarray:
    """Returns audio as after a telephone line: 8 kHz, eight bits on a logarithmic scale (as in G.711)."""
    narrow = resample(pcm, RATE, 8000).astype(float) / 32768
    coded = np.rint(np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256) * 127) / 127
    plain = np.sign(coded) * (256 ** np.abs(coded) - 1) / 255
    return resample((plain * 32767).astype(np.int16), 8000, RATE)[: len(pcm)]


def sets(minutes: float) -> Iterator[Recording]:
    """Yields all recordings."""
    four = [voice(reader) for reader in READERS]
    five = [*four, synthesised()]
    for pair in ((0, 1), (0, 2), (1, 3), (2, 3)):
        yield arranged(f"two voices {pair[0] + 1}, {pair[1] + 1}", [four[number] for number in pair], minutes, pair[1])
    yield arranged("three voices", four[1:], minutes, 5)
    yield arranged("four voices", four, minutes, 6)
    yield arranged("four voices, one prompt a turn", four, minutes, 7, longest_turn=1)
    yield arranged("four voices, telephone", four, minutes, 6, line=telephone)
    yield arranged("two voices, telephone", four[1:3], minutes, 2, line=telephone)
    yield arranged("five voices, one of them synthesised", five, 1.5 * minutes, 8)
    yield arranged("five voices, one prompt a turn", five, 1.5 * minutes, 9, longest_turn=1)
    yield arranged("four voices, a tenth overlapped", four, minutes, 10, overlap=0.35)
    yield arranged("two voices, a tenth overlapped", four[:2], minutes, 11, overlap=0.35)
    for number, reader in enumerate(READERS):
        yield arranged(f"one voice, {reader}", [four[number]], minutes, 12 + number)
    both = [voice(READERS[0]), voice(SAME_READER)]
    mixed = arranged("one reader, two languages", both, minutes, 16)
    yield Recording(mixed.name, mixed.pcm, [(start, end, 0) for start, end, _ in mixed.turns])


def active(turns: Sequence[tuple[int, int, int]], samples: int, voices: int) -> np.ndarray:
    """Bool ``(frames, voices)``."""
    found = np.zeros((samples // FRAME + 1, max(1, voices)), dtype=bool)
    for start, end, who in turns:
        found[start // FRAME : -(-end // FRAME), who] = True
    return found


def best_mapping(common: np.ndarray) -> dict[int, int]:
    """Reference -> hypothesis with most frames in common (the Hungarian algorithm over a square matrix)."""
    size = max(common.shape)
    cost = np.zeros((size + 1, size + 1))
    cost[1 : common.shape[0] + 1, 1 : common.shape[1] + 1] = -common
    u, v, row_of, way = np.zeros(size + 1), np.zeros(size + 1), [0] * (size + 1), [0] * (size + 1)
    for row in range(1, size + 1):
        row_of[0], column = row, 0
        least, done = np.full(size + 1, np.inf), np.zeros(size + 1, dtype=bool)
        while row_of[column]:
            done[column] = True
            current = cost[row_of[column]] - u[row_of[column]] - v
            better = ~done & (current < least)
            better[0] = False
            least[better] = current[better]
            for index in np.flatnonzero(better):
                way[index] = column
            open_columns = np.where(done, np.inf, least)
            open_columns[0] = np.inf
            following = int(open_columns.argmin())
            delta = open_columns[following]
            for index in np.flatnonzero(done):
                u[row_of[index]] += delta
                v[index] -= delta
            least[~done] -= delta
            column = following
        while column:
            row_of[column] = row_of[way[column]]
            column = way[column]
    return {row_of[column] - 1: column - 1 for column in range(1, size + 1)}


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


def measure(minutes: float, model: Path, only: str) -> None:
    networks = open_networks(model)
    rows = []
    print(
        "| set | DER | miss | false | confusion | voices found | of | with the count given | in chunks of 60 s "
        "| wrong words (times off by 0.12 s) | core-s per hour |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for recording in (one for one in sets(minutes) if only in one.name):
        began = time.process_time()
        pieces = embedded(recording.pcm, networks, 300)
        cost = (time.process_time() - began) / (len(recording.pcm) / RATE / 3600)
        found = find_speakers(pieces)
        miss, false, confusion = error_rates(recording, found.turns, len(found.voices))
        parts = find_speakers(embedded(recording.pcm, networks, 60))
        short = error_rates(recording, parts.turns, len(parts.voices))[2]
        given = find_speakers(pieces, Count(recording.voices, recording.voices))
        words = [wrong_words(recording, found.turns, len(found.voices), error) for error in (0.0, 0.12)]
        rows.append(
            (confusion, len(found.voices) == recording.voices, len(given.voices) == recording.voices, short, cost)
        )
        print(
            f"| {recording.name} | {miss + false + confusion:.1f} | {miss:.1f} | {false:.1f} | {confusion:.2f} "
            f"| {len(found.voices)} | {recording.voices} | {len(given.voices)} | {short:.2f} "
            f"| {words[0]:.2f} ({words[1]:.2f}) | {cost:.0f} |",
            flush=True,
        )
    confusion, right, right_given, short, cost = (np.mean([row[index] for row in rows]) for index in range(5))
    print(
        f"\nover {len(rows)} sets: confusion {confusion:.2f} %, in chunks of 60 s {short:.2f} %; counts right "
        f"{100 * right:.0f} %, with the count given {100 * right_given:.0f} %; {cost:.0f} core-s per audio hour; "
        f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB (with the recordings themselves)"
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
    measure(arguments.minutes, arguments.model, arguments.only)


if __name__ == "__main__":
    main()
