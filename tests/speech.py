"""Speech whose text is known: synthesised, or human prompts from Debian packages. 16 kHz mono int16."""

from __future__ import annotations

import gzip
import itertools
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE = 16_000
SYNTHESIS_RATE = 24_000
PROMPTS = Path("/usr/share/asterisk/sounds")
PROMPT_TEXTS = Path("/usr/share/doc")
MUSIC = Path("/usr/share/asterisk/moh")


@dataclass(frozen=True)
class Speech:
    """Audio and what is said in it. ``spans``: (first sample, end, text) of each sentence, in order."""

    pcm: np.ndarray
    spans: list[tuple[int, int, str]]

    @property
    def text(self) -> str:
        return " ".join(text for _, _, text in self.spans)

    @property
    def words(self) -> int:
        return len(self.text.split())

    @property
    def seconds(self) -> float:
        return len(self.pcm) / RATE


@cache
def _synthesiser() -> Any:
    from hibari import Hibari

    return Hibari()


@cache
def say(text: str, seed: int = 1, speed: float = 1.0, pitch: float = 1.0) -> np.ndarray:
    """One utterance. The same arguments give the same samples. ``pitch`` 0.8 sounds like another, deeper speaker."""
    # Played at another rate a voice changes pitch and pace together; the pace is put right beforehand.
    audio = _synthesiser()(text, speed=speed / pitch, seed=seed)
    pcm = resample(np.clip(audio * 32767, -32768, 32767).astype(np.int16), round(SYNTHESIS_RATE * pitch), RATE)
    pcm.flags.writeable = False
    return pcm


def resample(pcm: np.ndarray, source: int, target: int) -> np.ndarray:
    """Mono int16 at another rate."""
    if source == target:
        return pcm
    import av

    resampler = av.AudioResampler(format="s16", layout="mono", rate=target)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm).reshape(1, -1), format="s16", layout="mono")
    frame.rate = source
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([part.to_ndarray().reshape(-1) for part in frames])


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), dtype=np.int16)


def hiss(seconds: float, level: float = 30.0, seed: int = 0) -> np.ndarray:
    """White noise of a standard deviation of ``level`` (of 32768): the quiet of a real room."""
    noise = np.random.default_rng(seed).normal(0.0, level, round(seconds * RATE))
    return np.clip(noise, -32768, 32767).astype(np.int16)


def join(*parts: np.ndarray | float) -> np.ndarray:
    """Signals one after another; a number is that many seconds of silence."""
    return np.concatenate([part if isinstance(part, np.ndarray) else silence(part) for part in parts])


def read_aloud(
    sentences: list[str], gap: float = 0.7, seed: int = 1, speed: float = 1.0, pitch: float = 1.0, lead: float = 0.3
) -> Speech:
    """Sentences with ``gap`` seconds between them and ``lead`` before the first."""
    parts, spans, at = [silence(lead)], [], round(lead * RATE)
    for number, text in enumerate(sentences):
        pcm = say(text, seed + number, speed, pitch)
        spans.append((at, at + len(pcm), text))
        parts += [pcm, silence(gap)]
        at += len(pcm) + round(gap * RATE)
    return Speech(np.concatenate(parts), spans)


def long_speech(seconds: float, seed: int = 1, gap: float = 0.7) -> Speech:
    """At least ``seconds`` of speech in sentences that never repeat: a text put together from ``sentences``."""
    chosen: list[str] = []
    length, source = 0.3, sentences(seed)
    while length < seconds:
        chosen.append(next(source))
        length += len(say(chosen[-1], seed + len(chosen) - 1)) / RATE + gap
    return read_aloud(chosen, gap, seed)


_PEOPLE = ["The gardener", "My neighbour", "Captain Morris", "The young doctor", "Our teacher", "The baker's son"]
_DEEDS = [
    "carried a wooden box across the bridge",
    "counted seventeen boats in the harbour",
    "painted the kitchen door bright green",
    "wrote a long letter to the city council",
    "repaired the old clock above the station",
    "sold twelve baskets of apples at the market",
    "found a silver coin under the stairs",
    "taught the children a song about winter",
]
_TIMES = ["on Monday morning", "before the rain began", "late in the evening", "after a quiet lunch", "in early spring"]
_ENDS = [
    "and nobody asked why.",
    "while the dogs slept by the fire.",
    "because the road was closed.",
    "and the whole village talked about it.",
    "although the wind was cold.",
    "then walked home along the river.",
]


def sentences(seed: int = 1) -> Iterator[str]:
    """Plain English sentences without numerals or rare names, 1,440 different ones, in an order set by ``seed``."""
    every = list(itertools.product(_PEOPLE, _DEEDS, _TIMES, _ENDS))
    for index in np.random.default_rng(seed).permutation(len(every)):
        yield " ".join(every[index])


@dataclass(frozen=True)
class Prompt:
    """A recorded human prompt and its text."""

    path: Path
    text: str


@cache
def prompts(language: str) -> list[Prompt]:
    """Human prompts of a language (en, es, fr, it, ru) with a text of three words or more; empty if not installed."""
    listing = PROMPT_TEXTS / f"asterisk-core-sounds-{language}" / f"core-sounds-{language}.txt.gz"
    if not listing.exists():
        return []
    found = []
    for line in gzip.decompress(listing.read_bytes()).decode().splitlines():
        name, colon, text = line.partition(":")
        path = PROMPTS / language / f"{name.strip()}.wav"
        is_speech = colon and not line.startswith(";") and not re.search(r"[\[\]<>]", text) and len(text.split()) >= 3
        if is_speech and path.exists():
            found.append(Prompt(path, text.strip()))
    return sorted(found, key=lambda prompt: str(prompt.path))


def human_speech(language: str, count: int, gap: float = 0.8, skip: int = 0) -> Speech:
    """``count`` human prompts one after another."""
    parts, spans, at = [silence(0.3)], [], round(0.3 * RATE)
    for prompt in prompts(language)[skip : skip + count]:
        pcm = load(prompt.path)
        spans.append((at, at + len(pcm), prompt.text))
        parts += [pcm, silence(gap)]
        at += len(pcm) + round(gap * RATE)
    return Speech(np.concatenate(parts), spans)


def telephone(pcm: np.ndarray) -> np.ndarray:
    """Speech through a telephone line: 300 to 3,400 Hz, 8 kHz, eight bits on a logarithmic scale (as in G.711)."""
    spectrum = np.fft.rfft(pcm.astype(np.float64))
    hertz = np.fft.rfftfreq(len(pcm), 1 / RATE)
    spectrum[(hertz < 300) | (hertz > 3400)] = 0
    narrow = np.clip(np.fft.irfft(spectrum, len(pcm))[::2] / 32768, -1, 1)
    coded = np.rint(np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256) * 127) / 127
    plain = np.sign(coded) * (256 ** np.abs(coded) - 1) / 255
    wide = np.interp(np.arange(len(pcm)) / 2, np.arange(len(plain)), plain)
    return np.asarray(wide * 32_767).astype(np.int16)


def music(seconds: float) -> np.ndarray:
    """The beginning of a piece of music without singing; empty if not installed."""
    pieces = sorted(MUSIC.glob("*.wav"))
    return load(pieces[0])[: round(seconds * RATE)] if pieces else silence(0)


def load(path: Path) -> np.ndarray:
    """A sound file mixed down to 16 kHz mono int16."""
    import soundfile

    pcm, rate = soundfile.read(path, dtype="int16", always_2d=True)
    return resample(pcm.mean(axis=1).astype(np.int16), rate, RATE)


@cache
def _normalise() -> Any:
    from whisper_normalizer.basic import BasicTextNormalizer
    from whisper_normalizer.english import EnglishTextNormalizer

    return {"en": EnglishTextNormalizer(), "other": BasicTextNormalizer()}


def word_error_rate(reference: str, hypothesis: str, language: str = "en") -> float:
    """Word error rate after Whisper's own normalisation: 0.05 is 5 %."""
    import jiwer

    clean = _normalise()["en" if language == "en" else "other"]
    wanted, given = clean(reference), clean(hypothesis)
    if not wanted.strip():
        return float(bool(given.strip()))
    return float(jiwer.wer(wanted, given))


def _field(number: int, value: bytes) -> bytes:
    """A field of bytes as protocol buffers have it."""

    def varint(rest: int) -> bytes:
        found = bytearray()
        while rest > 127:
            found.append(rest & 127 | 128)
            rest >>= 7
        return bytes([*found, rest])

    return varint(number << 3 | 2) + varint(len(value)) + value


class TimedVoice:
    """The synthesiser, with the time of every word: how long its network lets each sound last."""

    # Length of every sound in frames: a value inside of the network that it does not return by itself.
    _LENGTHS = "/Clip_output_0"
    _MARKS = '.,!?;:—…"“”() '

    def __init__(self) -> None:
        import onnxruntime

        self._voice = _synthesiser()
        # Two graphs one after another are read as one: the second one only has another output.
        output = _field(7, _field(12, _field(1, self._LENGTHS.encode())))
        network = Path(self._voice.model_path).read_bytes() + output
        self._network = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])

    def say(self, text: str, seed: int = 1) -> tuple[np.ndarray, list[float]]:
        """One utterance, and when each of its words begins, in seconds. Numerals and the like are several words."""
        rng = np.random.default_rng(seed)
        parts: list[np.ndarray] = []
        starts: list[float] = []
        at = 0.0
        for sounds in self._voice.phonemize(text):
            ids = self._voice.ids(sounds)
            given = {"ids": np.asarray([ids], np.int64), "speed": np.ones(1, np.float32)}
            lengths = self._network.run([self._LENGTHS], given)[0].reshape(-1)
            audio = self._voice.from_ids(ids, 1.0, rng)
            seconds = len(audio) / SYNTHESIS_RATE
            ends = at + np.cumsum(lengths) * seconds / lengths.sum()
            known = [sound for sound in sounds if sound in self._voice.vocab]
            before = " "
            for sound, start in zip(known, ends, strict=False):
                if before == " " and sound not in self._MARKS:
                    starts.append(float(start))
                before = sound
            parts.append(audio)
            at += seconds
        audio = np.clip(np.concatenate(parts) * 32767, -32768, 32767).astype(np.int16)
        return resample(audio, SYNTHESIS_RATE, RATE), starts
