"""Audio with known words for the decoding benchmark; each set is made once and kept in ``bench-data/``.

Real speech: the prompts of Debian's ``asterisk-core-sounds-*`` packages (read by professional
speakers, 8 or 16 kHz), in a fixed shuffled order with pauses, with the words of the package's own
list. Synthesised speech: ``hibari-tts`` reading sentences made here. Music: ``asterisk-moh-opsound``.
"""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

RATE = 16_000
SOUNDS = Path("/usr/share/asterisk/sounds")
MUSIC = Path("/usr/share/asterisk/moh")
DOCS = Path("/usr/share/doc")
VOICES = {
    "en": "en_US_f_Allison",
    "es": "es_MX_f_Allison",
    "fr": "fr_CA_f_June",
    "it": "it_IT_m_Carlo",
    "ru": "ru_RU_f_IvrvoiceRU",
}


@dataclass(frozen=True)
class Clip:
    """Mono int16 audio at 16 kHz and the words spoken in it (``""``: nobody speaks)."""

    name: str
    language: str
    pcm: np.ndarray
    text: str


def read_audio(path: Path) -> np.ndarray:
    """Returns a file as int16 mono at 16 kHz."""
    from faster_whisper.audio import decode_audio

    return np.clip(np.asarray(decode_audio(str(path), RATE)) * 32768, -32768, 32767).astype(np.int16)


def prompt_files(language: str) -> list[tuple[Path, str]]:
    """Files of the prompts of one language, each with its text."""
    folder = SOUNDS / VOICES[language]
    listing = gzip.decompress(
        (DOCS / f"asterisk-core-sounds-{language}" / f"core-sounds-{language}.txt.gz").read_bytes()
    ).decode()
    found = []
    for line in listing.splitlines():
        match = re.match(r"([^;:\s][^:]*):\s*(.*)", line)
        # Tones, and prompts that are only a description, have brackets; single letters and digits are
        # no fair test of a language model.
        if not match or re.search(r"[\[\]()<>]", match[2]) or len(match[2].split()) < 3:
            continue
        for suffix in (".wav", ".g722"):
            path = folder / (match[1] + suffix)
            if path.is_file():
                found.append((path, match[2]))
                break
    return found


def prompts(language: str, minutes: float, seed: int = 1, gap: float = 0.6) -> Clip:
    """Returns prompts of one language in shuffled order with ``gap`` seconds of near silence between them."""
    rng = random.Random(seed)
    noise = np.random.default_rng(seed)
    items = prompt_files(language)
    rng.shuffle(items)
    pieces: list[np.ndarray] = []
    words: list[str] = []
    total = 0
    for path, text in items:
        if total >= minutes * 60 * RATE:
            break
        pause = noise.normal(0, 3, int(gap * RATE)).astype(np.int16)
        audio = read_audio(path)
        pieces += [audio, pause]
        words.append(text)
        total += len(audio) + len(pause)
    return Clip(f"prompts-{language}", language, np.concatenate(pieces), " ".join(words))


_SUBJECTS = (
    "the old captain|a young engineer|our neighbour|the committee|every student|the night train|my sister".split("|")
)
_VERBS = "carried|repaired|forgot|described|painted|measured|borrowed|followed|discovered".split("|")
_OBJECTS = (
    "the wooden bridge|a broken clock|seven letters|the green notebook|an empty harbour|two heavy boxes|"
    "the winter garden|a quiet song|the northern road|three silver coins"
).split("|")
_ENDS = (
    "before the storm arrived|on a cold morning in march|without saying a word|because nobody else would|"
    "at the edge of the village|while the children were sleeping|after a long discussion|for the second time this year"
).split("|")


def sentences(count: int, seed: int) -> list[str]:
    """Returns plain English sentences; the same for the same seed."""
    rng = random.Random(seed)
    return [
        f"{rng.choice(_SUBJECTS)} {rng.choice(_VERBS)} {rng.choice(_OBJECTS)} {rng.choice(_ENDS)}.".capitalize()
        for _ in range(count)
    ]


def spoken(texts: list[str], seed: int) -> list[np.ndarray]:
    """Returns each text as read by the synthesiser, int16 at 16 kHz."""
    from hibari import Hibari

    voice = Hibari()
    found = []
    for index, text in enumerate(texts):
        wav = np.asarray(voice(text, seed=seed + index))
        # 24 kHz to 16 kHz: linear interpolation behind a short average keeps speech well intelligible.
        smooth = np.convolve(wav, np.full(2, 0.5), mode="same")
        at = np.arange(int(len(smooth) * RATE / 24_000)) * (24_000 / RATE)
        found.append((np.interp(at, np.arange(len(smooth)), smooth) * 30_000).astype(np.int16))
    return found


def room_noise(seconds: float, level: float = 150.0, seed: int = 3) -> np.ndarray:
    """Returns noise with the falling spectrum of a room. ``level``: its root mean square in 16-bit steps."""
    rng = np.random.default_rng(seed)
    size = int(seconds * RATE)
    spectrum = np.fft.rfft(rng.normal(size=size))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), size / RATE * 30))
    noise = np.fft.irfft(spectrum, size)
    return np.asarray(noise / noise.std() * level).astype(np.int16)


def music(seconds: float, start: float = 0.0) -> np.ndarray:
    """Returns hold music, repeated as needed."""
    tunes = np.concatenate([read_audio(path) for path in sorted(MUSIC.glob("*.wav"))])
    return np.resize(np.roll(tunes, -int(start * RATE)), int(seconds * RATE))


def ringing(seconds: float) -> np.ndarray:
    """Returns a ringing telephone: 440 and 480 Hz, two seconds on, four off."""
    at = np.arange(int(seconds * RATE)) / RATE
    return np.asarray(((at % 6) < 2) * 4000 * (np.sin(2 * np.pi * 440 * at) + np.sin(2 * np.pi * 480 * at))).astype(
        np.int16
    )


def reading(minutes: float, seed: int = 11) -> Clip:
    """Returns synthesised reading with ordinary pauses."""
    rng = np.random.default_rng(seed)
    texts = sentences(int(minutes * 60 / 3.4), seed)
    pieces: list[np.ndarray] = []
    for audio in spoken(texts, seed):
        pieces += [audio, room_noise(float(rng.uniform(0.15, 0.9)), 15)]
    return Clip("reading", "en", np.concatenate(pieces), " ".join(texts))


def interrupted(minutes: float, seed: int = 21) -> Clip:
    """Returns synthesised speech with long music, noise and silence between sentences."""
    rng = np.random.default_rng(seed)
    texts = sentences(int(minutes * 60 / 7), seed)
    pieces: list[np.ndarray] = []
    for index, audio in enumerate(spoken(texts, seed)):
        pieces.append(audio)
        if index % 6 == 5:
            length = float(rng.uniform(8, 40))
            kind = (index // 6) % 3
            filler = [
                lambda n, i=index: music(n, i * 7.0) // 2,
                lambda n: room_noise(n, 600),
                lambda n: room_noise(n, 2),
            ]
            pieces.append(filler[kind](length))
        else:
            pieces.append(room_noise(float(rng.uniform(0.3, 1.5)), 15))
    return Clip("interrupted", "en", np.concatenate(pieces), " ".join(texts))


def coloured_noise(size: int, colour: str) -> np.ndarray:
    """White, pink or brown noise (flat below 20 Hz), of any level."""
    seed, power = {"white": (1, 0.0), "pink": (2, 0.5), "brown": (3, 1.0)}[colour]
    noise = np.random.default_rng(seed).normal(size=size)
    if not power:
        return noise
    spectrum = np.fft.rfft(noise)
    return np.asarray(np.fft.irfft(spectrum / np.maximum(np.arange(len(spectrum)), size / RATE * 20) ** power, size))


def babble(size: int) -> np.ndarray:
    """Eight voices at once, two in each language but English."""
    total = np.zeros(size)
    for number, language in enumerate(["es", "fr", "it", "ru"] * 2):
        voice = prompts(language, size / RATE / 60 + 0.2, seed=50 + number, gap=0.1).pcm.astype(float)
        voice = np.roll(voice, number * 7919 * 37)
        total += np.resize(voice / np.sqrt(np.mean(voice**2)), size)
    return total


def beside(clip: Clip, noise: np.ndarray, decibels: float) -> Clip:
    """The clip with ``noise`` at a signal-to-noise ratio."""
    power = np.sqrt(np.mean(clip.pcm.astype(float) ** 2))
    mixed = clip.pcm + noise / np.sqrt(np.mean(noise**2)) * power / 10 ** (decibels / 20)
    return Clip(clip.name, clip.language, np.clip(np.rint(mixed), -32768, 32767).astype(np.int16), clip.text)


def _in_noise(kind: str, decibels: float, seed: int) -> Callable[[float], Clip]:
    def make(minutes: float) -> Clip:
        clip = prompts("en", minutes, seed=seed)
        size = len(clip.pcm)
        return beside(clip, babble(size) if kind == "babble" else coloured_noise(size, kind), decibels)

    return make


def noisy(clip: Clip, decibels: float) -> Clip:
    """Returns the clip with room noise. ``decibels``: the ratio of signal to noise."""
    power = float(np.sqrt(np.mean(clip.pcm.astype(np.float64) ** 2)))
    noise = room_noise(len(clip.pcm) / RATE + 1, power / 10 ** (decibels / 20))[: len(clip.pcm)]
    mixed = np.clip(clip.pcm.astype(np.int32) + noise, -32768, 32767).astype(np.int16)
    return Clip(f"{clip.name}+noise{decibels:g}", clip.language, mixed, clip.text)


def quiet(clip: Clip, decibels: float = 34) -> Clip:
    """Returns the clip as a distant microphone records it: ``decibels`` weaker, with the noise of 16 bits."""
    hiss = np.random.default_rng(5).normal(0, 1.5, len(clip.pcm))
    weak = np.rint(clip.pcm / 10 ** (decibels / 20) + hiss)
    return Clip(f"{clip.name}+quiet", clip.language, weak.astype(np.int16), clip.text)


def telephone(clip: Clip) -> Clip:
    """Returns the clip through a telephone line: 300 to 3400 Hz, 8 kHz, mu-law."""
    spectrum = np.fft.rfft(clip.pcm.astype(np.float64))
    hertz = np.fft.rfftfreq(len(clip.pcm), 1 / RATE)
    spectrum[(hertz < 300) | (hertz > 3400)] = 0
    narrow = np.clip(np.fft.irfft(spectrum, len(clip.pcm))[::2] / 32768, -1, 1)
    # G.711: 8 bits on a logarithmic scale.
    coded = np.rint(np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256) * 127) / 127
    plain = np.sign(coded) * (256 ** np.abs(coded) - 1) / 255
    at = np.arange(len(clip.pcm)) / 2
    wide = np.interp(at, np.arange(len(plain)), plain) * 32767
    return Clip(f"{clip.name}+telephone", clip.language, wide.astype(np.int16), clip.text)


def overlapping(minutes: float, seed: int = 31) -> Clip:
    """Returns two speakers mixed to one channel who take turns, each of them half a second too early."""
    rng = random.Random(seed)
    items = prompt_files("en")
    rng.shuffle(items)
    pcm = np.zeros(int((minutes + 1) * 60 * RATE), np.int32)
    words: list[str] = []
    at = 0
    texts = sentences(len(items) // 2, seed)
    voices = spoken(texts[: int(minutes * 12)], seed)
    for index, (path, text) in enumerate(items):
        if at >= minutes * 60 * RATE or index // 2 >= len(voices):
            break
        if index % 2:
            text, audio = texts[index // 2], voices[index // 2]
        else:
            audio = read_audio(path)
        pcm[at : at + len(audio)] += audio[: len(pcm) - at]
        words.append(text)
        at += max(RATE // 2, len(audio) - RATE // 2)
    return Clip("overlapping", "en", np.clip(pcm[: at + RATE], -32768, 32767).astype(np.int16), " ".join(words))


def mixed(name: str, languages: str, passage: int, minutes: float, seed: int) -> Clip:
    """Returns several languages in turn, ``passage`` prompts each, with half a second between any two prompts."""
    rng = random.Random(seed)
    items = {
        language: [item for item in prompt_files(language) if len(item[1].split()) >= 6]
        for language in languages.split()
    }
    for found in items.values():
        rng.shuffle(found)
    pieces: list[np.ndarray] = []
    words: list[str] = []
    total = turn = 0
    while total < minutes * 60 * RATE:
        for found in items.values():
            for path, text in found[passage * turn : passage * (turn + 1)]:
                pieces += [read_audio(path), np.zeros(RATE // 2, np.int16)]
                words.append(text)
                total += len(pieces[-2]) + len(pieces[-1])
        turn += 1
    return Clip(name, "auto", np.concatenate(pieces), " ".join(words))


def _empty(name: str, make: Callable[[float], np.ndarray]) -> Callable[[float], Clip]:
    return lambda minutes: Clip(name, "en", make(minutes * 60), "")


SETS: dict[str, Callable[[float], Clip]] = {
    **{f"prompts-{code}": (lambda minutes, code=code: prompts(code, minutes)) for code in VOICES},  # type: ignore[misc]
    "reading": reading,
    "interrupted": interrupted,
    "noise10": lambda minutes: noisy(prompts("en", minutes, seed=2), 10),
    "noise3": lambda minutes: noisy(prompts("en", minutes, seed=2), 3),
    "white3": _in_noise("white", 3, seed=2),
    "pink3": _in_noise("pink", 3, seed=2),
    "pink3-again": _in_noise("pink", 3, seed=5),
    "brown3": _in_noise("brown", 3, seed=2),
    "pink10-again": _in_noise("pink", 10, seed=5),
    "babble10": _in_noise("babble", 10, seed=2),
    "overlapping": overlapping,
    "quiet": lambda minutes: quiet(prompts("en", minutes, seed=3)),
    "telephone": lambda minutes: telephone(prompts("en", minutes, seed=4)),
    # Five languages, half a minute each; two that take turns at every sentence, as with an interpreter; long passages.
    "mixed": lambda minutes: mixed("mixed", "en fr es ru it", 5, minutes, 3),
    "mixed-again": lambda minutes: mixed("mixed-again", "it ru en es fr", 4, minutes, 7),
    "interpreted": lambda minutes: mixed("interpreted", "en ru", 1, minutes, 5),
    "interpreted-near": lambda minutes: mixed("interpreted-near", "es it", 1, minutes, 6),
    "two-halves": lambda minutes: mixed("two-halves", "fr en", 20, minutes, 8),
    "silence": _empty("silence", lambda seconds: np.zeros(int(seconds * RATE), np.int16)),
    "room": _empty("room", lambda seconds: room_noise(seconds, 300)),
    "music": _empty("music", music),
    "ringing": _empty("ringing", ringing),
}


def load(name: str, minutes: float, cache: Path) -> Clip:
    """Returns a set by name, from ``cache`` if it was made before."""
    path = cache / f"{name}-{minutes:g}.npz"
    if not path.is_file():
        clip = SETS[name](minutes)
        cache.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, pcm=clip.pcm, text=clip.text, language=clip.language)
    with np.load(path) as data:
        return Clip(name, str(data["language"]), data["pcm"], str(data["text"]))
