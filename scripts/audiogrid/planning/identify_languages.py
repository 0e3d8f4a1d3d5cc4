"""Which language a recording is in: several stretches of speech spread over all of it are listened to.

A recording is read once, as a stream, in blocks of half a minute. It is parted into as many slots as windows are
wanted; from each slot the first block past its opening third in which somebody really speaks becomes a window, so
that a jingle or a greeting in another language decides nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiogrid.core.atomic_files import write_text
from audiogrid.core.errors import AudiogridError
from audiogrid.core.timebase import to_samples, to_seconds
from audiogrid.probing.isolation import Looked, look_at
from audiogrid.records.identified_languages import HeardWindow, Identified, judge, unknown
from audiogrid.records.plan import Recording
from audiogrid.remote.address import is_remote, parse

if TYPE_CHECKING:
    import numpy as np

    from audiogrid.decoding.whisper.model import Model
    from audiogrid.media.demux import MediaFile

# Raised whenever the same file would now be heard otherwise.
_CACHE_SCHEMA = 1
_BLOCK_SECONDS = 30
# A block with this much speech is a good window; a shorter stretch than the second is nothing to go by.
_GOOD_SPEECH = to_samples(5.0)
_LEAST_SPEECH = to_samples(0.3)
# Seconds for a file: reading hours of audio and a large model on a slow machine.
_PATIENCE = 600.0


@dataclass(frozen=True)
class Listening:
    """How recordings are listened to; everything here decides what is found."""

    model_dir: str
    model_hash: str
    windows: int
    multilingual_share: float

    @property
    def identity(self) -> list[Any]:
        """What of it belongs to a remembered answer."""
        return [self.model_hash, self.windows, self.multilingual_share]


@dataclass(frozen=True)
class Window:
    """A stretch of speech: where its block starts (samples), how much speech it has, and that speech."""

    at: int
    speech: int
    audio: np.ndarray


def spread(blocks: Iterator[np.ndarray], total: int, wanted: int) -> Iterator[Window]:
    """Windows from ``blocks`` (int16, one after another, ``total`` of them), at most one from each of ``wanted`` slots.

    ``blocks`` is read no further than the last window needs.
    """
    slots = min(wanted, total)
    best: Window | None = None
    for number, block in enumerate(blocks):
        slot = min(number * slots // total, slots - 1)
        first, last = _bounds(slot, slots, total)
        if number < first + (last - first) // 3 or (best is not None and best.speech >= _GOOD_SPEECH):
            found = None
        else:
            found = _window(number * to_samples(_BLOCK_SECONDS), block)
        if found is not None and (best is None or found.speech > best.speech):
            best = found
        is_good = best is not None and best.speech >= _GOOD_SPEECH
        if best is not None and (number == last - 1 or (is_good and slot == slots - 1)):
            yield best
            if slot == slots - 1:
                return
        if number == last - 1:
            best = None
    if best is not None:
        # The file is shorter than it was thought to be.
        yield best


def _bounds(slot: int, slots: int, total: int) -> tuple[int, int]:
    """First block of a slot, and of the next one."""
    return -(-slot * total // slots), -(-(slot + 1) * total // slots)


def _window(at: int, block: np.ndarray) -> Window | None:
    """The speech of a block, with its pads; ``None`` where there is next to none."""
    import numpy as np

    from audiogrid.media.vad import VoiceOptions, speech_probabilities, speech_spans

    probabilities = speech_probabilities(block)
    speech = sum(end - start for start, end in speech_spans(probabilities, len(block), VoiceOptions(pad_ms=0)))
    if speech < _LEAST_SPEECH:
        return None
    padded = speech_spans(probabilities, len(block))
    return Window(at, speech, np.concatenate([block[start:end] for start, end in padded]))


def listen(model: Model, path: MediaFile, duration: int, windows: int, multilingual_share: float) -> Identified:
    """The language of a file of ``duration`` samples. Raises ``MediaError`` when it cannot be decoded."""
    from audiogrid.probing.media_facts import stream_pcm

    stream = (block[0] for block in stream_pcm(path, block_seconds=_BLOCK_SECONDS))
    total = max(1, -(-duration // to_samples(_BLOCK_SECONDS)))
    found = list(spread(stream, total, windows))
    ranked = model.languages(model.encode([window.audio for window in found])) if found else []
    heard = []
    for window, probabilities in zip(found, ranked, strict=True):
        language = max(sorted(probabilities), key=lambda code: probabilities[code])
        heard.append(
            HeardWindow(to_seconds(window.at), to_seconds(window.speech), language, round(probabilities[language], 4))
        )
    return judge(heard, ranked, multilingual_share)


_models: dict[str, Model] = {}


def _opened(recording: Recording) -> MediaFile:
    """What a recording is read from."""
    if not is_remote(recording.path):
        return Path(recording.path)
    from audiogrid.probing.tables import address_in_table
    from audiogrid.remote.reader import RemoteFile

    table = recording.address_table
    address = address_in_table(Path(table), recording.path) if table else parse(recording.path)
    return RemoteFile(address, (recording.size, recording.mtime_ns))


@dataclass(frozen=True)
class Listener:
    """What a child process does with a path: load the model once, then listen. Plain values only, to travel there."""

    listening: Listening
    recordings: dict[str, Recording]
    threads: int = 1

    def __call__(self, path: str) -> Looked:
        """``Identified`` as plain values, or the reason why there is none; never raises for a file."""
        from audiogrid.probing.media_facts import MediaError
        from audiogrid.remote.service import RemoteError

        settings = self.listening
        try:
            if settings.model_dir not in _models:
                from audiogrid.decoding.whisper.model import Model

                _models[settings.model_dir] = Model(Path(settings.model_dir), "cpu", "auto", self.threads, 8)
            model = _models[settings.model_dir]
            found = listen(
                model,
                _opened(self.recordings[path]),
                self.recordings[path].duration,
                settings.windows,
                settings.multilingual_share,
            )
        except (MediaError, RemoteError, AudiogridError) as error:
            return Looked(None, str(error).rstrip("."))
        except Exception as error:
            # What libraries say about an address may quote it with its secrets.
            what = "" if is_remote(path) else f": {error}"
            return Looked(None, " ".join(f"{type(error).__name__}{what}".split()))
        return Looked(asdict(found), None)


class Remembered:
    """Answers of earlier times, by path, size and time of a file: a file of JSON lines that grows with each answer."""

    def __init__(self, path: Path | None, listening: Listening) -> None:
        self._path = path
        self._identity = listening.identity
        self.answers: dict[tuple[str, int, int], dict[str, Any]] = {}
        if path is None:
            return
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            return
        for line in lines:
            try:
                entry = json.loads(line)
                if entry["schema"] == _CACHE_SCHEMA and entry["listening"] == self._identity:
                    Identified.from_json(entry["found"])
                    self.answers[entry["path"], entry["size"], entry["mtime_ns"]] = entry["found"]
            except (ValueError, KeyError, TypeError, AttributeError):
                continue

    def get(self, recording: Recording) -> dict[str, Any] | None:
        """What is known about a recording's file as it was probed."""
        return self.answers.get((recording.path, recording.size, recording.mtime_ns))

    def add(self, recording: Recording, found: dict[str, Any]) -> None:
        """Remember an answer at once: a killed job goes on after it."""
        self.answers[recording.path, recording.size, recording.mtime_ns] = found
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(self._line(recording, found))

    def keep_only(self, recordings: Sequence[Recording]) -> None:
        """Forget files that are gone or have changed."""
        if self._path is not None:
            lines = [self._line(one, found) for one in recordings if (found := self.get(one)) is not None]
            write_text(self._path, "".join(lines))

    def _line(self, recording: Recording, found: dict[str, Any]) -> str:
        entry = {
            "schema": _CACHE_SCHEMA,
            "listening": self._identity,
            "path": recording.path,
            "size": recording.size,
            "mtime_ns": recording.mtime_ns,
            "found": found,
        }
        return json.dumps(entry, ensure_ascii=False) + "\n"


def identify(
    recordings: Sequence[Recording], listening: Listening, *, processes: int, threads: int, cache: Path | None = None
) -> dict[str, Identified]:
    """The language of every recording, in up to ``processes`` children; what ``cache`` knows is not heard again.

    A file over which a child dies or hangs, or that cannot be read, has no language but a ``problem``.
    """
    remembered = Remembered(cache, listening)
    by_path = {recording.path: recording for recording in recordings}
    fresh = [path for path, recording in by_path.items() if remembered.get(recording) is None]
    listener = Listener(listening, {path: by_path[path] for path in fresh}, threads)

    def note(path: str, looked: Looked) -> None:
        if looked.facts is not None:
            remembered.add(by_path[path], looked.facts)

    sizes = {path: by_path[path].size for path in fresh}
    looked = look_at(
        fresh, processes=processes, look=listener, patience=_PATIENCE, sizes=sizes, one_by_one=True, note=note
    )
    remembered.keep_only(list(by_path.values()))
    found = {}
    for recording in recordings:
        facts = remembered.get(recording)
        reason = looked[recording.path].reason if facts is None else None
        found[recording.recording] = unknown(reason or "") if facts is None else Identified.from_json(facts)
    return found


def describe(found: Mapping[str, Identified]) -> str:
    """How many recordings are in which language, the most frequent first."""
    counts: dict[str, int] = {}
    for one in found.values():
        counts[one.language or "unknown"] = counts.get(one.language or "unknown", 0) + 1
    order = sorted(counts, key=lambda code: (-counts[code], code))
    return ", ".join(f"{code} {counts[code]}" for code in order) or "nothing to identify"
