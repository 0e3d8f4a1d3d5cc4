"""Recordings with known words for the calibration: read prompts in five languages, under eight conditions.

Each recording is about a minute of prompts that no other one of its language has, in the same condition throughout.
What the engine makes of it is kept in ``bench-data/calibration/``, so that a map can be fitted again in seconds.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from decoding_sets import (
    RATE,
    VOICES,
    Clip,
    babble,
    beside,
    coloured_noise,
    music,
    noisy,
    prompt_files,
    quiet,
    read_audio,
    telephone,
)

CONDITIONS: dict[str, Callable[[Clip], Clip]] = {
    "clean": lambda clip: clip,
    "room10": lambda clip: noisy(clip, 10),
    "telephone": telephone,
    "babble10": lambda clip: beside(clip, babble(len(clip.pcm)), 10),
    "pink3": lambda clip: beside(clip, coloured_noise(len(clip.pcm), "pink"), 3),
    "quiet": quiet,
    "music5": lambda clip: beside(clip, music(len(clip.pcm) / RATE, 40).astype(float), 5),
    "room0": lambda clip: noisy(clip, 0),
}


@dataclass(frozen=True)
class Decoded:
    """A recording as it was decoded. ``result``: of its only chunk, as JSON."""

    name: str
    language: str
    condition: str
    reference: str
    result: dict[str, object]


def clips(language: str, seconds: float, round_: int) -> Iterator[tuple[str, Clip]]:
    """Yields all prompts of a language in recordings of about ``seconds``, each with its condition.

    ``round_``: the same prompts again, in other conditions.
    """
    try:
        items = prompt_files(language)
    except FileNotFoundError as error:
        print(f"{language}: {error}: apt-get install asterisk-core-sounds-{language}", flush=True)
        return
    random.Random(71).shuffle(items)
    noise = np.random.default_rng(71)
    names = list(CONDITIONS)
    pieces: list[np.ndarray] = []
    words: list[str] = []
    number = 0

    def made() -> tuple[str, Clip]:
        condition = names[(number + 3 * round_) % len(names)]
        clip = Clip(f"{language}-{number:02d}-{condition}", language, np.concatenate(pieces), " ".join(words))
        return condition, CONDITIONS[condition](clip)

    for path, text in items:
        pieces += [read_audio(path), noise.normal(0, 3, int(0.6 * RATE)).astype(np.int16)]
        words.append(text)
        if sum(map(len, pieces)) >= seconds * RATE:
            yield made()
            number += 1
            pieces, words = [], []
    if sum(map(len, pieces)) >= seconds * RATE / 2:
        yield made()


def decode(model: Path, cache: Path, seconds: float, rounds: Sequence[int], threads: int) -> None:
    """Decodes the recordings that are not in ``cache`` yet, in turns of languages, as a run would."""
    from audiogrid.core.json_values import to_json
    from audiogrid.decoding.engine import ChunkAudio, Engine
    from audiogrid.decoding.options import DecodeOptions

    cache.mkdir(parents=True, exist_ok=True)
    engine = Engine(model, threads=threads, batch_size=4)
    for round_ in rounds:
        turns = [clips(language, seconds, round_) for language in VOICES]
        while turns:
            for turn in list(turns):
                found = next(turn, None)
                if found is None:
                    turns.remove(turn)
                    continue
                condition, clip = found
                path = cache / f"{model.name}-{clip.name.split('+')[0]}-{round_}.json"
                if path.is_file():
                    continue
                options = DecodeOptions.from_mapping({"language": clip.language})
                (_, result), *_ = engine.decode([ChunkAudio(clip.pcm, (0, len(clip.pcm)), options)])
                entry = {
                    "name": clip.name,
                    "language": clip.language,
                    "condition": condition,
                    "reference": clip.text,
                    "result": to_json(result),
                }
                fresh = path.with_suffix(".new")
                fresh.write_text(json.dumps(entry, ensure_ascii=False), encoding="utf-8")
                fresh.replace(path)
                print(f"{clip.name}: {len(clip.pcm) / RATE:.0f} s", flush=True)


def read_decoded(cache: Path, model: str) -> list[Decoded]:
    """Returns the recordings that a model has decoded, by name."""
    return [Decoded(**json.loads(path.read_text(encoding="utf-8"))) for path in sorted(cache.glob(f"{model}-*.json"))]
