"""Reads plans by part: whoever needs one bundle or one shard does not read all recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import msgspec

from audiogrid.core.atomic_files import read_json
from audiogrid.core.json_values import DocumentError, damaged, from_json
from audiogrid.records.plan import Bundle, Plan, Recording, Settings, Shard, columns_of, names_by_bundle, upgraded
from audiogrid.records.plan_files.layout import (
    NOWHERE,
    SCHEMA,
    BundleEntry,
    Piece,
    PlanHead,
    ShardEntry,
    ShardLine,
    Span,
    lines_folder,
    names_of_piece,
)

T = TypeVar("T")
_KEPT_PARTS = 4


class PlanFile:
    """A plan of which only ``plan.json`` has been read. All that is said of single recordings is read when asked for.

    Made by ``open_plan``.
    """

    def __init__(self, head: PlanHead, lines: Path | None, whole: Plan | None = None) -> None:
        self._head = head
        self._lines = lines
        # Plans of earlier versions are one document.
        self._whole = whole
        # The last parts that were asked for: rules ask several times for the same.
        self._parts: dict[tuple[str, ...], Plan] = {}

    @property
    def settings(self) -> Settings:
        """What the plan depends on besides the recordings."""
        return self._head.settings

    @property
    def models(self) -> dict[str, str]:
        """Name -> content hash of the models, the run's first."""
        return self._head.settings.models

    @property
    def rejected(self) -> int:
        """Number of recordings that were left out."""
        return self._head.rejected

    @property
    def warnings(self) -> list[str]:
        """Sentences about the whole plan."""
        return self._head.warnings

    @property
    def divided(self) -> bool:
        """Whether transcripts lie in sub-folders."""
        return self._head.divided

    @property
    def count(self) -> int:
        """Number of recordings."""
        return self._head.count

    @property
    def audio(self) -> int:
        """Samples to decode in all."""
        return self._head.audio

    @property
    def bundles(self) -> list[BundleEntry]:
        """All bundles, in order."""
        return self._head.bundles

    @property
    def shards(self) -> list[ShardEntry]:
        """All shards, in order."""
        return self._head.shards

    @cached_property
    def bundle(self) -> dict[str, BundleEntry]:
        """Bundles by name."""
        return {bundle.bundle: bundle for bundle in self.bundles}

    @cached_property
    def shard(self) -> dict[str, ShardEntry]:
        """Shards by name."""
        return {shard.shard: shard for shard in self.shards}

    @cached_property
    def shards_of_bundle(self) -> dict[str, list[str]]:
        """Names of the shards that hold chunks of a bundle."""
        return names_by_bundle(self.bundles, self.shards)

    @cached_property
    def columns(self) -> frozenset[str]:
        """Further columns of tables that any recording has a value in."""
        return frozenset(name for bundle in self.bundles for name in bundle.columns)

    def audio_by_model(self) -> dict[str, int]:
        """Samples to decode with each model that has any."""
        return self._head.audio_by_model

    def each_recording(self) -> Iterator[Recording]:
        """Yields all recordings, bundle after bundle; few of them are in memory at a time."""
        if self._whole is not None:
            yield from self._whole.recordings
            return
        for bundle in self.bundles:
            yield from self.recordings_of(bundle.bundle)
        yield from self._read(self._head.loose, Recording)

    def recordings_of(self, bundle: str) -> list[Recording]:
        """Returns the recordings of a bundle. Raises ``KeyError`` for a name that is not in the plan."""
        if self._whole is not None:
            return [self._whole.recording[name] for name in self._whole.bundle[bundle].recordings]
        return self._read(self.bundle[bundle].span, Recording)

    def names_of(self, bundle: str) -> list[str]:
        """Returns the ids of the recordings of a bundle; cheaper than ``recordings_of``."""
        if self._whole is not None:
            return self._whole.bundle[bundle].recordings
        return [one.recording for one in self._read(self.bundle[bundle].span, _Named)]

    def pieces_of(self, shard: str) -> list[Piece | str]:
        """Returns the chunks of a shard as spans of chunks of one track, or as names where that is not possible."""
        if self._whole is not None:
            return list(self._whole.shard[shard].chunks)
        (line,) = self._read(self.shard[shard].span, ShardLine)
        return line.chunks

    def whole_shard(self, shard: str) -> Shard:
        """Returns a shard with the names of its chunks."""
        if self._whole is not None:
            return self._whole.shard[shard]
        one = self.shard[shard]
        chunks = [name for piece in self.pieces_of(shard) for name in names_of_piece(piece)]
        return Shard(one.shard, one.spec, chunks, one.bundles, one.audio, one.model, one.compute_type)

    def of_bundle(self, bundle: str) -> Plan:
        """Returns the part of the plan that concerns a bundle: its recordings, and the shards with chunks of them.

        These shards may have chunks of other bundles, too, whose recordings are not in the part.
        """
        return self._kept("", bundle, lambda: self._part([bundle], self.shards_of_bundle[bundle]))

    def of_shard(self, shard: str) -> Plan:
        """Returns the part of the plan that concerns a shard: it alone, with its bundles and their recordings."""
        return self._kept(shard, "", lambda: self._part(self.shard[shard].bundles, [shard]))

    def of_shard_and_neighbours(self, shard: str) -> Plan:
        """Returns a shard with its bundles and their recordings, and the other shards with chunks of these bundles."""
        bundles = self.shard[shard].bundles
        return self._part(bundles, dict.fromkeys(name for one in bundles for name in self.shards_of_bundle[one]))

    def whole(self) -> Plan:
        """Returns all of the plan; with a million recordings it takes some GB."""
        if self._whole is not None:
            return self._whole
        part = self._part([bundle.bundle for bundle in self.bundles], [shard.shard for shard in self.shards])
        return replace(part, recordings=[*part.recordings, *self._read(self._head.loose, Recording)])

    def without_recordings(self) -> Plan:
        """Returns the plan with all bundles and shards, but without what it says of recordings."""
        if self._whole is not None:
            return self._whole
        bundles = [Bundle(one.bundle, one.spec, self.names_of(one.bundle)) for one in self.bundles]
        shards = [self.whole_shard(one.shard) for one in self.shards]
        return Plan(self.settings, [], bundles, shards, self.rejected, self.warnings, self.divided)

    def _kept(self, shard: str, bundle: str, read: Callable[[], Plan]) -> Plan:
        if (shard, bundle) not in self._parts:
            while len(self._parts) >= _KEPT_PARTS:
                self._parts.pop(next(iter(self._parts)))
            self._parts[shard, bundle] = read()
        return self._parts[shard, bundle]

    def _part(self, bundles: Iterable[str], shards: Iterable[str]) -> Plan:
        if self._whole is not None:
            return self._whole
        found, recordings = [], []
        for name in bundles:
            own = self.recordings_of(name)
            recordings += own
            found.append(Bundle(name, self.bundle[name].spec, [one.recording for one in own]))
        return Plan(
            self.settings,
            recordings,
            found,
            [self.whole_shard(name) for name in shards],
            self.rejected,
            self.warnings,
            self.divided,
        )

    def _read(self, span: Span, kind: type[T]) -> list[T]:
        """Returns what a span of lines holds. Raises ``DocumentError`` where that is not what ``plan.json`` says."""
        if not span.bytes or self._lines is None:
            return []
        try:
            with self._lines.open("rb") as file:
                file.seek(span.first)
                data = file.read(span.bytes)
            if len(data) != span.bytes:
                raise ValueError("it is shorter than the plan says")
            return msgspec.json.Decoder(kind).decode_lines(data)
        except FileNotFoundError as error:
            raise DocumentError(f"{self._lines} is missing: run again, which makes the plan anew") from error
        except ValueError as error:
            raise DocumentError(f"{self._lines} cannot be read ({error}): delete it and run again") from error


@dataclass(frozen=True)
class _Named:
    recording: str


def open_plan(path: Path) -> PlanFile:
    """Returns the plan in ``plan.json``, also of an earlier version.

    Raises ``OSError``, and ``DocumentError`` where the file is not a plan or of a later version.
    """
    try:
        raw = read_json(path)
        if raw["schema"] == SCHEMA:
            head = from_json(PlanHead, raw)
            return PlanFile(head, lines_folder(path) / Path(head.lines).name)
        plan = from_json(Plan, upgraded(raw))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(path, error) from error
    return PlanFile(head_of(plan), None, plan)


def read_plan(path: Path) -> Plan:
    """Returns all of the plan in ``plan.json``; raises as ``open_plan`` does. With a million recordings it takes GB."""
    return open_plan(path).whole()


def entry_of(bundle: Bundle, recordings: Sequence[Recording], span: Span = NOWHERE) -> BundleEntry:
    """Returns what ``plan.json`` says of a bundle with these recordings."""
    return BundleEntry(
        bundle.bundle,
        bundle.spec,
        len(recordings),
        sum(one.chunks * len(one.tracks) for one in recordings),
        sum(one.audio for one in recordings),
        sorted(columns_of(recordings)),
        span,
    )


def head_of(plan: Plan) -> PlanHead:
    """Returns what ``plan.json`` would say of a plan, without a file of lines."""
    bundles = [entry_of(one, [plan.recording[name] for name in one.recordings]) for one in plan.bundles]
    shards = [
        ShardEntry(one.shard, one.spec, one.bundles, one.audio, one.model, one.compute_type, len(one.chunks))
        for one in plan.shards
    ]
    totals = len(plan.recordings), plan.audio, plan.audio_by_model()
    return PlanHead(plan.settings, "", bundles, shards, plan.rejected, plan.warnings, *totals, divided=plan.divided)


class PlanReader:
    """Opens plans, each once per version of its file."""

    def __init__(self) -> None:
        self._plans: dict[Path, tuple[tuple[int, int, int], PlanFile]] = {}

    def __call__(self, path: Path) -> PlanFile:
        """Returns the plan in ``path``; raises as ``open_plan`` does."""
        status = path.stat()
        # The time alone may be the same: a clock that was set back, a file system that counts in seconds.
        version = status.st_mtime_ns, status.st_size, status.st_ino
        known = self._plans.get(path)
        if known is None or known[0] != version:
            known = self._plans[path] = (version, open_plan(path))
        return known[1]
