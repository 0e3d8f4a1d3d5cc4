"""Reads the progress of a run from its plan, shard reports and journals; works while it runs and afterwards."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiogrid.core.timebase import SAMPLE_RATE, clock, to_seconds
from audiogrid.records.finished_shard import FinishedShard
from audiogrid.records.journal import JournalFile, ShardHistory, list_journals, read_history
from audiogrid.records.plan import Plan
from audiogrid.records.plan_files.reader import PlanFile, open_plan
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.speakers import NONE, embedded_chunks, may_have_speakers
from audiogrid.reporting.recorded_settings import recorded_setting


@dataclass(frozen=True)
class Progress:
    """Samples of audio done and in total, speed and remaining time.

    ``speed``: seconds of audio per second of the shards in progress (0 = unknown);
    ``left``: remaining seconds (``None`` = unknown); ``failed``: chunks that failed for good.
    ``embedded``: samples whose voices are embedded, of ``to_embed`` for which speakers are asked for.
    """

    done: int
    total: int
    speed: float
    left: float | None
    failed: int
    shards_done: int
    shards: int
    embedded: int = 0
    to_embed: int = 0

    @property
    def share(self) -> float:
        """Share of the audio that is done, 0 to 1."""
        return self.done / self.total if self.total else 1.0

    def line(self) -> str:
        """Returns the progress as one line of text."""
        parts = [f"{clock(self.done)} of {clock(self.total)} transcribed ({self.share:.0%})"]
        if self.embedded < self.to_embed:
            parts.append(f"voices of {clock(self.embedded)} of {clock(self.to_embed)} embedded")
        if self.speed:
            parts.append(f"{self.speed:.1f}x real time")
        if self.left is not None and self.done < self.total:
            parts.append(f"about {clock(round(self.left) * SAMPLE_RATE)} left")
        if self.failed:
            parts.append(f"{self.failed} chunk(s) failed")
        return ", ".join(parts)


@dataclass(frozen=True)
class _ShardProgress:
    """What the journals of an unfinished shard say. ``done``: samples; ``speed``: seconds of audio per second."""

    attempts: int = 0
    done: int = 0
    failed: int = 0
    speed: float = 0.0


def _shard_progress(history: ShardHistory, audio: int) -> _ShardProgress:
    good = [outcome for outcome in history.outcomes.values() if outcome.status != "failed"]
    decoded = sum(to_seconds(outcome.audio) for outcome in good if outcome.status == "decoded")
    busy = sum(outcome.seconds for outcome in good if outcome.status == "decoded")
    return _ShardProgress(
        attempts=history.attempts,
        # Chunks are decoded with some context, so their sum may exceed the shard.
        done=min(audio, sum(outcome.audio for outcome in good)),
        failed=len(history.outcomes) - len(good),
        # Workers report a chunk only when it is finished; their speed so far stands for unfinished ones.
        speed=decoded / busy * history.workers if history.ended is None and busy else 0.0,
    )


class _StageProgress:
    """Reads how far one stage is. ``reports``, ``journal``: its folders; ``audio``: samples of each shard it works on.

    Each call lists the folders once, and reads only files that are new or have changed: the time grows with the number
    of shards, not with its square.
    """

    def __init__(self, plan: Plan | PlanFile, reports: Path, journal: Path, audio: Mapping[str, int]) -> None:
        self._plan = plan
        self._reports_folder = reports
        self._journal = journal
        self._audio = audio
        self._reports: dict[str, tuple[int, str]] = {}
        self._histories: dict[str, tuple[Sequence[JournalFile], _ShardProgress]] = {}

    def finished(self) -> set[str]:
        """Returns the shards that are finished as the plan wants them."""
        found: set[str] = set()
        try:
            entries = list(os.scandir(self._reports_folder))
        except OSError:
            return found
        for entry in entries:
            name, _, suffix = entry.name.partition(".")
            if suffix != "json" or name not in self._audio:
                continue
            try:
                changed = entry.stat().st_mtime_ns
                if self._reports.get(name, (0, ""))[0] != changed:
                    self._reports[name] = changed, _spec_of(Path(entry.path))
            except (OSError, ValueError):
                continue
            if self._reports[name][1] == self._plan.shard[name].spec:
                found.add(name)
        return found

    def running(self, finished: set[str]) -> list[_ShardProgress]:
        """Returns what the journals say of the others that have begun."""
        journals = list_journals(self._journal)
        found = []
        for name, files in journals.items():
            if name not in self._audio or name in finished:
                continue
            known = self._histories.get(name)
            if known is None or known[0] != files:
                history = read_history(self._journal, name, self._plan.shard[name].spec, journals)
                known = self._histories[name] = files, _shard_progress(history, self._audio[name])
            if known[1].attempts:
                found.append(known[1])
        return found

    def done(self) -> int:
        """Returns the samples that are done."""
        finished = self.finished()
        return sum(self._audio[name] for name in finished) + sum(shard.done for shard in self.running(finished))


class RunProgress:
    """Reads the progress of the run in ``folder``. ``plan``: the run's, for callers that have read it."""

    def __init__(self, folder: RunFolder, plan: Plan | PlanFile | None = None) -> None:
        self.plan = plan or open_plan(folder.plan)
        audio = {shard.shard: shard.audio for shard in self.plan.shards}
        self._decoding = _StageProgress(self.plan, folder.shards, folder.journal, audio)
        self._to_embed = _audio_to_embed(self.plan, recorded_setting(folder, "speakers"))
        self._embedding = _StageProgress(self.plan, folder.voices, folder.voices_journal, self._to_embed)

    def now(self) -> Progress:
        """The progress at this moment."""
        finished = self._decoding.finished()
        running = self._decoding.running(finished)
        done = sum(self.plan.shard[name].audio for name in finished) + sum(shard.done for shard in running)
        speed = sum(shard.speed for shard in running)
        total = self.plan.audio
        left = to_seconds(total - done) / speed if speed else None
        failed = sum(shard.failed for shard in running)
        to_embed = sum(self._to_embed.values())
        embedded = self._embedding.done() if to_embed else 0
        return Progress(done, total, speed, left, failed, len(finished), len(self.plan.shards), embedded, to_embed)


def _audio_to_embed(plan: Plan | PlanFile, default: Any) -> dict[str, int]:
    """Returns the samples of each shard whose voices are wanted. ``default``: the key ``speakers``."""
    found: dict[str, int] = {}
    if not may_have_speakers(plan, default or NONE):
        return found
    for shard in plan.shards:
        part = plan.of_shard(shard.shard)
        chunks = [part.recording_of_chunk[chunk] for chunk in embedded_chunks(part, shard.shard, default or NONE)]
        if chunks:
            found[shard.shard] = sum(recording.duration // recording.chunks for recording in chunks)
    return found


def _spec_of(report: Path) -> str:
    """Returns the spec of a shard's report from its first lines: the rest of it may be long."""
    with report.open("rb") as file:
        found = re.search(rb'"spec": "([^"]*)"', file.read(1024))
    return found[1].decode() if found else FinishedShard.read(report).spec


def is_idle(folder: RunFolder, seconds: float = 900.0) -> bool:
    """Whether no journal has been written to for ``seconds``."""
    files = [file for files in list_journals(folder.journal).values() for file in files]
    newest = max((file.mtime_ns for file in files), default=0)
    return time.time() - newest / 1e9 > seconds
