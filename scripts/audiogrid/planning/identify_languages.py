"""Identifies the language of a recording from several windows of speech, spread over its whole length.

A recording is read in blocks of half a minute and divided into as many slots as windows are wanted. Each slot
contributes the first block after its opening third that holds enough speech, so that a jingle or a greeting in
another language does not decide.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiogrid.core.atomic_files import write_text
from audiogrid.core.errors import AudiogridError
from audiogrid.core.json_values import from_json, to_json
from audiogrid.core.timebase import to_samples, to_seconds
from audiogrid.probing.isolation import FileOutcome, run_isolated
from audiogrid.records.identified_languages import HeardWindow, Identified, judge, unknown
from audiogrid.records.plan import Recording
from audiogrid.remote.address import is_remote

if TYPE_CHECKING:
    import numpy as np

    from audiogrid.decoding.whisper.model import Model
    from audiogrid.media.file_parts import MediaFile

# Raised whenever other windows of the same file are chosen, so that old answers are not used.
_CACHE_SCHEMA = 1
_BLOCK_SECONDS = 30
# Speech in a block that makes a good window, and the least speech that makes a window at all.
_GOOD_SPEECH = to_samples(5.0)
_LEAST_SPEECH = to_samples(0.3)
# Blocks per window from which seeks pay.
_LONG = 2
# Seconds that a file may take: hours of audio and a large model on a slow machine.
_TIMEOUT = 600.0


@dataclass(frozen=True)
class IdentifySettings:
    """Model and options of the identification; all of them influence the result. ``encoder``: as in decoding."""

    model_dir: str
    model_hash: str
    windows: int
    multilingual_share: float
    encoder: str = "auto"

    @property
    def identity(self) -> list[Any]:
        """The options that a cached answer depends on."""
        own = [] if self.encoder == "auto" else [self.encoder]
        return [self.model_hash, self.windows, self.multilingual_share, *own]


@dataclass(frozen=True)
class Window:
    """Speech of one block. ``at``: start of the block, ``speech``: amount of speech, both in samples at 16 kHz."""

    at: int
    speech: int
    audio: np.ndarray


Blocks = Callable[[int], "Iterator[np.ndarray]"]
"""Gives the blocks of a file (int16, shape ``(n,)``) from the one with this number on."""


def choose_windows(blocks_from: Blocks, total: int, wanted: int) -> Iterator[Window]:
    """Yields at most one window from each of ``wanted`` slots of a file of ``total`` blocks.

    Of each slot no more is read than the blocks from its opening third to its window.
    """
    slots = min(wanted, total)
    for slot in range(slots):
        first, last = _bounds(slot, slots, total)
        begin = first + (last - first) // 3
        best: Window | None = None
        for number, block in enumerate(blocks_from(begin), start=begin):
            # The file may be longer than its header says.
            if number >= last and slot < slots - 1:
                break
            found = _window(number * to_samples(_BLOCK_SECONDS), block)
            if found is not None and (best is None or found.speech > best.speech):
                best = found
            if best is not None and best.speech >= _GOOD_SPEECH:
                break
            # The next slot begins with the next block; where blocks come in order, it must not be lost.
            if number == last - 1 and slot < slots - 1:
                break
        if best is not None:
            yield best


def in_order(blocks: Iterator[np.ndarray]) -> Blocks:
    """Gives blocks of a file that is read from start to end; call the result with rising numbers."""
    position = 0

    def blocks_from(number: int) -> Iterator[np.ndarray]:
        nonlocal position
        for block in blocks:
            position += 1
            if position > number:
                yield block

    return blocks_from


def _sought(path: MediaFile, tracks: Sequence[int]) -> Blocks:
    """Gives blocks of a file that is opened anew at each place, so that what lies between is not read."""
    from audiogrid.media.demux import MediaError
    from audiogrid.media.pcm_stream import stream_pcm

    def blocks_from(number: int) -> Iterator[np.ndarray]:
        start = number * _BLOCK_SECONDS
        with closing(iter(stream_pcm(path, block_seconds=_BLOCK_SECONDS, tracks=tracks, start=start))) as stream:
            try:
                for block in stream:
                    yield block[0]
            except MediaError:
                # The file may end before this place.
                if number == 0:
                    raise

    return blocks_from


def _bounds(slot: int, slots: int, total: int) -> tuple[int, int]:
    """First block of a slot, and of the next one."""
    return -(-slot * total // slots), -(-(slot + 1) * total // slots)


def _window(at: int, block: np.ndarray) -> Window | None:
    """The padded speech of a block; ``None`` where there is hardly any."""
    import numpy as np

    from audiogrid.media.vad import VoiceOptions, speech_probabilities, speech_spans

    probabilities = speech_probabilities(block)
    speech = sum(end - start for start, end in speech_spans(probabilities, len(block), VoiceOptions(pad_ms=0)))
    if speech < _LEAST_SPEECH:
        return None
    padded = speech_spans(probabilities, len(block))
    return Window(at, speech, np.concatenate([block[start:end] for start, end in padded]))


def identify_file(
    model: Model,
    path: MediaFile,
    duration: int,
    windows: int,
    multilingual_share: float,
    tracks: Sequence[int] = (),
    encoder: str = "auto",
) -> Identified:
    """Returns the language of a file of ``duration`` samples. Raises ``MediaError`` when it cannot be decoded.

    ``tracks``: numbers of its audio tracks from 1, none for the main one; ``encoder``: as in ``DecodeOptions``. Only
    what lies around the windows is read.
    """
    total = max(1, -(-duration // to_samples(_BLOCK_SECONDS)))
    found = list(choose_windows(_blocks_of(path, tracks, total, windows), total, windows))
    ranked = model.languages(model.encode([window.audio for window in found], encoder)) if found else []
    heard = []
    for window, probabilities in zip(found, ranked, strict=True):
        language = max(sorted(probabilities), key=lambda code: probabilities[code])
        heard.append(
            HeardWindow(to_seconds(window.at), to_seconds(window.speech), language, round(probabilities[language], 4))
        )
    return judge(heard, ranked, multilingual_share)


def _blocks_of(path: MediaFile, tracks: Sequence[int], total: int, windows: int) -> Blocks:
    """How a file is read: with seeks, unless it is short, or consists of parts, which can only be read in order."""
    from audiogrid.media.file_parts import find_parts
    from audiogrid.media.pcm_stream import stream_pcm

    if total > _LONG * windows and len(find_parts(path).parts) < 2:
        return _sought(path, tracks)
    return in_order(block[0] for block in stream_pcm(path, block_seconds=_BLOCK_SECONDS, tracks=tracks))


_models: dict[str, Model] = {}


@dataclass(frozen=True)
class IdentifyTask:
    """The function that child processes run for a path. It loads the model once per process and can be pickled."""

    settings: IdentifySettings
    recordings: dict[str, Recording]
    threads: int = 1

    def __call__(self, path: str) -> FileOutcome:
        """Returns ``Identified`` as plain values, or the reason why there is none; raises nothing."""
        from audiogrid.media.demux import MediaError
        from audiogrid.remote.service_protocol import RemoteError
        from audiogrid.splitting.opening import UnusableRecordingError, open_recording

        settings = self.settings
        try:
            if settings.model_dir not in _models:
                from audiogrid.decoding.whisper.model import Model

                _models[settings.model_dir] = Model(Path(settings.model_dir), "cpu", "auto", self.threads, 8)
            model = _models[settings.model_dir]
            found = identify_file(
                model,
                open_recording(self.recordings[path]),
                self.recordings[path].duration,
                settings.windows,
                settings.multilingual_share,
                self.recordings[path].audio_tracks,
                settings.encoder,
            )
        except (MediaError, RemoteError, UnusableRecordingError, AudiogridError) as error:
            return FileOutcome(None, str(error).rstrip("."))
        except Exception as error:
            # Error messages of libraries may quote an address with its secrets.
            what = "" if is_remote(path) else f": {error}"
            return FileOutcome(None, " ".join(f"{type(error).__name__}{what}".split()))
        return FileOutcome(to_json(found), None)


_Heard = tuple[str, tuple[int, ...], int, int]
"""What is heard of a recording: path, audio tracks, size and modification time of its file."""


def _heard(recording: Recording) -> _Heard:
    return recording.path, tuple(recording.audio_tracks), recording.size, recording.mtime_ns


def _task_name(recording: Recording) -> str:
    """The path of a recording; with its audio tracks, behind a character that no path has, where they are not all."""
    tracks = "".join(f"\0{track}" for track in recording.audio_tracks)
    return f"{recording.path}{tracks}"


class LanguageCache:
    """Earlier answers by path, audio tracks, size and modification time of a file, kept in a file of JSON lines."""

    def __init__(self, path: Path | None, settings: IdentifySettings) -> None:
        self._path = path
        self._identity = settings.identity
        self.answers: dict[_Heard, dict[str, Any]] = {}
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
                    from_json(Identified, entry["found"])
                    tracks = tuple(entry.get("tracks", ()))
                    self.answers[entry["path"], tracks, entry["size"], entry["mtime_ns"]] = entry["found"]
            except (ValueError, KeyError, TypeError, AttributeError):
                continue

    def get(self, recording: Recording) -> dict[str, Any] | None:
        """The answer for a recording's file as it was probed, or ``None``."""
        return self.answers.get(_heard(recording))

    def add(self, recording: Recording, found: dict[str, Any]) -> None:
        """Add an answer and append it to the file, so that a killed job need not repeat it."""
        self.answers[_heard(recording)] = found
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(self._line(recording, found))

    def keep_only(self, recordings: Sequence[Recording]) -> None:
        """Rewrite the file with the answers for these recordings only."""
        if self._path is not None:
            lines = [self._line(one, found) for one in recordings if (found := self.get(one)) is not None]
            write_text(self._path, "".join(lines))

    def _line(self, recording: Recording, found: dict[str, Any]) -> str:
        entry = {
            "schema": _CACHE_SCHEMA,
            "listening": self._identity,
            "path": recording.path,
            **({"tracks": recording.audio_tracks} if recording.audio_tracks else {}),
            "size": recording.size,
            "mtime_ns": recording.mtime_ns,
            "found": found,
        }
        return json.dumps(entry, ensure_ascii=False) + "\n"


def identify(
    recordings: Sequence[Recording],
    settings: IdentifySettings,
    *,
    processes: int,
    threads: int,
    cache: Path | None = None,
) -> dict[str, Identified]:
    """Returns the language of every recording, found by up to ``processes`` child processes.

    Recordings that are in ``cache`` are not read again. A file that crashes or hangs its process, or that cannot be
    read, has no language but a ``problem``.
    """
    remembered = LanguageCache(cache, settings)
    by_name = {_task_name(recording): recording for recording in recordings}
    fresh = [name for name, recording in by_name.items() if remembered.get(recording) is None]
    task = IdentifyTask(settings, {name: by_name[name] for name in fresh}, threads)

    def store(name: str, looked: FileOutcome) -> None:
        if looked.facts is not None:
            remembered.add(by_name[name], looked.facts)

    sizes = {name: by_name[name].size for name in fresh}
    looked = run_isolated(
        fresh, processes=processes, inspect=task, timeout=_TIMEOUT, sizes=sizes, is_long=True, on_outcome=store
    )
    remembered.keep_only(list(by_name.values()))
    found = {}
    for recording in recordings:
        facts = remembered.get(recording)
        reason = looked[_task_name(recording)].reason if facts is None else None
        found[recording.recording] = unknown(reason or "") if facts is None else from_json(Identified, facts)
    return found


def describe(found: Mapping[str, Identified]) -> str:
    """A line with the number of recordings per language, the most frequent first."""
    counts: dict[str, int] = {}
    for one in found.values():
        counts[one.language or "unknown"] = counts.get(one.language or "unknown", 0) + 1
    order = sorted(counts, key=lambda code: (-counts[code], code))
    return ", ".join(f"{code} {counts[code]}" for code in order) or "nothing to identify"
