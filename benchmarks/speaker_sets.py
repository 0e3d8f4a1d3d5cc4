"""Recordings of voices in arranged turns, for ``speakers.py``: real people's, and a synthesised one.

Telephone prompts, 8 kHz: Debian's ``asterisk-core-sounds-{en,es,fr,it,ru}-wav`` (four readers: the English and the
Spanish one are the same person) and ``asterisk-prompt-it-menardi-wav``. Single words in wide band, in another language
by another person each: ``ktuberling-data``, ``tuxpaint-stamps-default``, ``klettres-data``. Languages in which several
people may be heard (the mean cosine of pieces of 3 s is below 0.65) are left out, and one of two whose readers may
be the same (above 0.6). That choice was made with the embedder that is measured here, so it flatters it a little.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from speech import MUSIC, load, resample, say, sentences

RATE = 16_000
PROMPTS = Path("/usr/share/asterisk/sounds")
READERS = ("en_US_f_Allison", "fr_CA_f_June", "it_IT_m_Carlo", "ru_RU_f_IvrvoiceRU")
SAME_READER = "es_MX_f_Allison"
# Package: where its words lie, and languages with one person each.
WORDS = {
    "ktuberling-data": ("ktuberling/sounds/{}", "de el en gl lt ru sl uk wa"),
    "tuxpaint-stamps-default": ("tuxpaint/stamps", "be bg ca da el es fr ro ru lt"),
    "klettres-data": ("klettres/{}", "ar cs es he it lt nb ru tn uk hu"),
}
Reference = list[tuple[int, int, int]]


@dataclass(frozen=True)
class Recording:
    """A set. ``pcm``: int16; ``turns``: who talks when, as first sample, end and number of the voice.

    ``said``: for each turn, which prompt of its voice it is.
    """

    name: str
    pcm: np.ndarray
    turns: Reference
    said: list[int] = field(default_factory=list)

    @property
    def voices(self) -> int:
        return len({voice for *_, voice in self.turns})


def levelled(part: np.ndarray) -> np.ndarray:
    """A signal at the level of all others."""
    return np.asarray(part * 2500 / (np.sqrt((part**2).mean()) + 1))


def trimmed(pcm: np.ndarray) -> np.ndarray | None:
    """A signal without the silence around it, at the common level (float64); ``None`` where there is too little."""
    limit = max(200, 0.03 * np.abs(pcm.astype(int)).max(initial=0))
    loud = np.flatnonzero(np.abs(pcm.astype(int)) > limit)
    if len(loud) < RATE // 10:
        return None
    return levelled(pcm[max(0, loud[0] - 400) : loud[-1] + 800].astype(float))


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


def read_any(path: Path) -> np.ndarray:
    """A file of any format as mono int16 at ``RATE``; empty where FFmpeg cannot read it (one in ``klettres-data``)."""
    import av

    resampler = av.AudioResampler("s16", "mono", RATE)
    try:
        return _read(path, resampler)
    except av.error.FFmpegError:
        return np.zeros(0, dtype=np.int16)


def _read(path: Path, resampler: Any) -> np.ndarray:
    import av

    with av.open(str(path), metadata_errors="replace") as container:
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    return np.concatenate([part.to_ndarray()[0] for part in (*frames, *resampler.resample(None))])


@cache
def words_of(package: str, language: str, seconds: float = 60.0) -> list[np.ndarray]:
    """Single words of one person, in an order that does not change."""
    folder, _ = WORDS[package]
    paths = sorted(
        path
        for path in (Path("/usr/share") / folder.format(language)).rglob("*")
        if path.suffix in (".ogg", ".wav", ".mp3")
        and (package != "tuxpaint-stamps-default" or re.search(rf"_desc_{language}$", path.stem))
    )
    random.Random(1).shuffle(paths)
    found: list[np.ndarray] = []
    for path in paths:
        part = trimmed(read_any(path))
        if part is not None:
            found.append(part)
        if sum(map(len, found)) > seconds * RATE:
            break
    return found


def in_prompts(words: Sequence[np.ndarray], seconds: float = 2.5) -> list[np.ndarray]:
    """Words put together to prompts of at least ``seconds``, with 0.15 s between them; a rest is left out."""
    found: list[np.ndarray] = []
    current: list[np.ndarray] = []
    for word in words:
        current += [word, np.zeros(round(0.15 * RATE))]
        if sum(map(len, current)) >= seconds * RATE:
            found.append(np.concatenate(current[:-1]))
            current = []
    return found


def people() -> list[tuple[str, str]]:
    """Package and language of all people with words in wide band, packages mixed. Raises ``SystemExit`` if missing."""
    missing = [name for name, (folder, _) in WORDS.items() if not (Path("/usr/share") / folder.split("/")[0]).is_dir()]
    if missing:
        raise SystemExit(f"these sets need the Debian packages {', '.join(missing)}; or choose others with --only")
    found = [(package, language) for package, (_, languages) in WORDS.items() for language in languages.split()]
    random.Random(3).shuffle(found)
    return found


def wide_voices(count: int, first: int = 0) -> list[list[np.ndarray]]:
    """Prompts of ``count`` people in wide band, from the ``first`` on."""
    return [in_prompts(words_of(*person)) for person in people()[first : first + count]]


def arranged(
    name: str,
    voices: Sequence[list[np.ndarray]],
    minutes: float,
    seed: int = 1,
    longest_turn: int = 3,
    overlap: float = 0.0,
    line: Callable[[np.ndarray], np.ndarray] | None = None,
    narrow: bool = True,
    by_turns: bool = False,
) -> Recording:
    """Returns voices in turns of 1 to ``longest_turn`` prompts. ``overlap``: share of turns that begin too early.

    ``narrow``: everything has the band of a telephone. ``by_turns``: nobody speaks a second time before all have once.
    """
    rng = random.Random(seed)
    count = round(minutes * 60 * RATE)
    signal = np.zeros(count)
    turns: Reference = []
    said: list[int] = []
    used = [0] * len(voices)
    waiting: list[int] = []
    at, last = RATE // 2, -1
    while at < count - 10 * RATE:
        if by_turns and not waiting:
            waiting = rng.sample(range(len(voices)), len(voices))
            if waiting[-1] == last:
                waiting.reverse()
        if by_turns:
            who = waiting.pop()
        else:
            who = rng.choice([number for number in range(len(voices)) if number != last or len(voices) == 1])
        last = who
        for _ in range(rng.randint(1, longest_turn)):
            which = used[who] % len(voices[who])
            part = voices[who][which]
            used[who] += 1
            if at + len(part) > count:
                break
            signal[at : at + len(part)] += part
            turns.append((at, at + len(part), who))
            said.append(which)
            at += len(part) + round(rng.uniform(0.1, 0.8) * RATE)
        if rng.random() < overlap:
            at -= round(rng.uniform(0.8, 1.8) * RATE)
    signal += np.random.default_rng(seed).normal(0, 30, count)
    pcm = np.clip(signal, -32767, 32767).astype(np.int16)
    if narrow:
        # The noise has the band of the voices: in wide band it would pass for their high frequencies.
        pcm = resample(resample(pcm, RATE, 8000), 8000, RATE)[:count]
    return Recording(name, line(pcm) if line else pcm, turns, said)


def telephone(pcm: np.ndarray) -> np.ndarray:
    """Returns audio as after a telephone line: 8 kHz, eight bits on a logarithmic scale (as in G.711)."""
    narrow = resample(pcm, RATE, 8000).astype(float) / 32768
    coded = np.rint(np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256) * 127) / 127
    plain = np.sign(coded) * (256 ** np.abs(coded) - 1) / 255
    return resample((plain * 32767).astype(np.int16), 8000, RATE)[: len(pcm)]


def telephoned(part: np.ndarray) -> np.ndarray:
    """A prompt as after a telephone line, at the common level (float64)."""
    sent = telephone(np.clip(part, -32767, 32767).astype(np.int16)).astype(float)
    return levelled(np.pad(sent, (0, max(0, len(part) - len(sent)))))


def sets(minutes: float) -> Iterator[tuple[str, Callable[[], Recording]]]:
    """Yields names of all recordings and what makes them."""

    def one(name: str, voices: Callable[[], Sequence[list[np.ndarray]]], length: float, *rest: int, **more: object):  # type: ignore[no-untyped-def]
        return name, lambda: arranged(name, voices(), length, *rest, **more)

    def four(*which: int) -> Callable[[], list[list[np.ndarray]]]:
        return lambda: [voice(READERS[number]) for number in (which or range(4))]

    def five() -> list[list[np.ndarray]]:
        return [*four()(), synthesised()]

    def wide(count: int, first: int = 0) -> Callable[[], list[list[np.ndarray]]]:
        return lambda: wide_voices(count, first)

    for pair in ((0, 1), (0, 2), (1, 3), (2, 3)):
        yield one(f"two voices {pair[0] + 1}, {pair[1] + 1}", four(*pair), minutes, pair[1])
    yield one("three voices", four(1, 2, 3), minutes, 5)
    yield one("four voices", four(), minutes, 6)
    yield one("four voices, one prompt a turn", four(), minutes, 7, longest_turn=1)
    yield one("four voices, telephone", four(), minutes, 6, line=telephone)
    yield one("two voices, telephone", four(1, 2), minutes, 2, line=telephone)
    yield one("five voices, one of them synthesised", five, 1.5 * minutes, 8)
    yield one("five voices, one prompt a turn", five, 1.5 * minutes, 9, longest_turn=1)
    yield one("four voices, a tenth overlapped", four(), minutes, 10, overlap=0.35)
    yield one("two voices, a tenth overlapped", four(0, 1), minutes, 11, overlap=0.35)
    for number, reader in enumerate(READERS):
        yield one(f"one voice, {reader}", four(number), minutes, 12 + number)
    yield "one reader, two languages", lambda: one_reader(minutes)
    for count, first in ((2, 0), (2, 2), (3, 4), (4, 7), (6, 11), (6, 17), (8, 22), (12, 0)):
        length = minutes * max(1.0, count / 6)
        yield one(f"wide, {count} voices from {first}", wide(count, first), length, 20, narrow=False, by_turns=True)
    yield one("wide, 6 voices, telephone", wide(6, 11), minutes, 20, line=telephone, by_turns=True)
    yield one("wide, 6 voices, one prompt a turn", wide(6, 24), minutes, 21, 1, narrow=False, by_turns=True)
    yield one("wide, 3 voices, a tenth overlapped", wide(3, 4), minutes, 22, narrow=False, overlap=0.35)
    yield one("wide, 6 voices, a tenth overlapped", wide(6, 11), minutes, 22, narrow=False, overlap=0.35)
    yield one("wide, one voice a", wide(1, 3), minutes, 23, narrow=False)
    yield one("wide, one voice b", wide(1, 14), minutes, 23, narrow=False)
    yield "telephone and wide band in turns", lambda: two_bands(minutes)
    yield one("wide, thirty voices", wide(30), 4 * minutes, 25, narrow=False, by_turns=True)


def one_reader(minutes: float) -> Recording:
    """One person in two languages."""
    mixed = arranged("one reader, two languages", [voice(READERS[0]), voice(SAME_READER)], minutes, 16)
    return Recording(mixed.name, mixed.pcm, [(start, end, 0) for start, end, _ in mixed.turns], mixed.said)


def two_bands(minutes: float) -> Recording:
    """Two people in wide band and two over the telephone, in one conversation."""
    voices = wide_voices(4, 14)
    voices[2:] = [[telephoned(part) for part in prompts] for prompts in voices[2:]]
    return arranged("telephone and wide band in turns", voices, minutes, 24, narrow=False)


def odd_sets(minutes: float) -> Iterator[tuple[str, Callable[[], Recording]]]:
    """Yields recordings that nobody would choose: names and what makes them. Some have no reference worth the name."""
    count = round(minutes * 60 * RATE)

    def music() -> np.ndarray:
        found = load(sorted(MUSIC.rglob("*.wav"))[0]).astype(float)
        return levelled(np.resize(found, count))

    def over(name: str, recording: Recording, below: float, noise: np.ndarray) -> Recording:
        noisy = recording.pcm + noise[: len(recording.pcm)] * 10 ** (-below / 20)
        return Recording(name, np.clip(noisy, -32767, 32767).astype(np.int16), recording.turns)

    def crowd(first: int) -> np.ndarray:
        everybody = [np.resize(np.concatenate(prompts), count) for prompts in wide_voices(12, first)]
        return levelled(np.sum([np.roll(one, number * RATE) for number, one in enumerate(everybody)], axis=0))

    def same_person_calls_back() -> Recording:
        prompts = wide_voices(2, 14)
        voices = [prompts[0], [telephoned(part) for part in prompts[0]], prompts[1]]
        made = arranged("one person first by telephone, then in the room", voices, minutes, 31, narrow=False)
        return Recording(made.name, made.pcm, [(start, end, who // 2) for start, end, who in made.turns])

    def short_turns() -> Recording:
        voices = []
        for person in (("klettres-data", "ar"), ("klettres-data", "he")):
            words = [word[: round(0.4 * RATE)] for word in words_of(*person) if len(word) > 0.25 * RATE]
            voices.append(words)
        return arranged("two voices, turns of 0.3 to 0.4 s", voices, minutes, 32, 1, narrow=False)

    def brief() -> Recording:
        """Two people, and a third who says a few seconds only."""
        made = arranged("two voices and 4 s of a third", wide_voices(2, 4), minutes, 33, narrow=False)
        extra = wide_voices(1, 9)[0]
        at = round(0.4 * count)
        guest = np.concatenate(extra[:2])[: 4 * RATE]
        pcm = made.pcm.copy()
        pcm[at : at + len(guest)] = np.clip(guest, -32767, 32767)
        turns = [(start, end, who) for start, end, who in made.turns if end < at or start > at + len(guest)]
        return Recording(made.name, pcm, sorted([*turns, (at, at + len(guest), 2)]))

    def laughing() -> Recording:
        """A crowd that laughs, made by hand: bursts of 12 voices in a rhythm of five a second."""
        time = np.arange(count) / RATE
        noise = crowd(0) * np.maximum(0, np.sin(2 * np.pi * 5 * time)) * (np.sin(2 * np.pi * time / 7) > 0)
        return Recording("crowd in bursts (as of laughter), nobody in front", noise.astype(np.int16), [])

    hiss = np.random.default_rng(1).normal(0, 30, count).astype(np.int16)
    yield "hiss", lambda: Recording("hiss", hiss, [])
    yield "music", lambda: Recording("music", np.clip(music(), -32767, 32767).astype(np.int16), [])
    yield (
        "two voices over music, 10 dB below",
        lambda: over("two voices over music, 10 dB below", arranged("", wide_voices(2), minutes, 30), 10, music()),
    )
    yield "crowd", lambda: Recording("crowd of 12 at once, nobody in front", crowd(0).astype(np.int16), [])
    yield "laughing", laughing
    yield (
        "two voices before a crowd",
        lambda: over(
            "two voices before a crowd, 10 dB below",
            arranged("", wide_voices(2, 16), minutes, 30, narrow=False),
            10,
            crowd(0),
        ),
    )
    yield "one person first by telephone", same_person_calls_back
    yield "short turns", short_turns
    yield "brief guest", brief
    yield "one voice", lambda: arranged("one voice", wide_voices(1, 3), minutes, 34, narrow=False)
    yield "one word", lambda: one_word(count)


def one_word(count: int) -> Recording:
    """A word of half a second in silence."""
    word = wide_voices(1, 3)[0][0][: RATE // 2]
    pcm = np.random.default_rng(1).normal(0, 30, count)
    pcm[RATE : RATE + len(word)] += word
    return Recording("one word of half a second", pcm.astype(np.int16), [(RATE, RATE + len(word), 0)])
