"""Reads the progress of a run from its plan, shard reports and journals; works while it runs and afterwards."""

from __future__ import annotations

import time
from dataclasses import dataclass

from audiogrid.core.atomic_files import read_json
from audiogrid.core.timebase import SAMPLE_RATE, clock, to_seconds
from audiogrid.records.journal import ShardHistory, read_history
from audiogrid.records.plan import Plan
from audiogrid.records.run_folder import RunFolder


@dataclass(frozen=True)
class Progress:
    """Samples of audio done and in total, speed and remaining time.

    ``speed``: seconds of audio per second of the shards in progress (0 = unknown);
    ``left``: remaining seconds (``None`` = unknown); ``failed``: chunks that failed for good.
    """

    done: int
    total: int
    speed: float
    left: float | None
    failed: int
    shards_done: int
    shards: int

    @property
    def share(self) -> float:
        """Share of the audio that is done, 0 to 1."""
        return self.done / self.total if self.total else 1.0

    def line(self) -> str:
        """Returns the progress as one line of text."""
        parts = [f"{clock(self.done)} of {clock(self.total)} transcribed ({self.share:.0%})"]
        if self.speed:
            parts.append(f"{self.speed:.1f}x real time")
        if self.left is not None and self.done < self.total:
            parts.append(f"about {clock(round(self.left) * SAMPLE_RATE)} left")
        if self.failed:
            parts.append(f"{self.failed} chunk(s) failed")
        return ", ".join(parts)


class RunProgress:
    """Reads the progress of the run in ``folder``; finished shards are read once only."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self.plan = Plan.read(folder.plan)
        self._finished: dict[str, int] = {}
        self._seconds_per_sample = 0.0

    def _finished_audio(self, shard: str, spec: str) -> int | None:
        if shard not in self._finished:
            try:
                report = read_json(self._folder.shards / f"{shard}.json")
            except (OSError, ValueError):
                return None
            if report.get("spec") != spec:
                return None
            self._finished[shard] = self.plan.shard[shard].audio
        return self._finished[shard]

    def _running(self) -> list[tuple[int, ShardHistory]]:
        histories = []
        for shard in self.plan.shards:
            if self._finished_audio(shard.shard, shard.spec) is None:
                history = read_history(self._folder.journal, shard.shard, shard.spec)
                if history.attempts:
                    histories.append((shard.audio, history))
        return histories

    def now(self) -> Progress:
        """The progress at this moment."""
        running = self._running()
        done = sum(self._finished.values())
        failed = 0
        speed = 0.0
        for audio, history in running:
            good = [outcome for outcome in history.outcomes.values() if outcome.status != "failed"]
            # Chunks are decoded with some context, so their sum may exceed the shard.
            done += min(audio, sum(outcome.audio for outcome in good))
            failed += sum(outcome.status == "failed" for outcome in history.outcomes.values())
            decoded = sum(to_seconds(outcome.audio) for outcome in good if outcome.status == "decoded")
            busy = sum(outcome.seconds for outcome in good if outcome.status == "decoded")
            if history.ended is None and busy:
                # Workers report a chunk only when it is finished; their speed so far stands for unfinished ones.
                speed += decoded / busy * history.workers
        total = self.plan.audio
        left = to_seconds(total - done) / speed if speed else None
        return Progress(done, total, speed, left, failed, len(self._finished), len(self.plan.shards))


def is_idle(folder: RunFolder, seconds: float = 900.0) -> bool:
    """Whether no journal has been written to for ``seconds``."""
    newest = max((path.stat().st_mtime for path in folder.journal.glob("*.jsonl")), default=0.0)
    return time.time() - newest > seconds
