"""What happens at the start and at the end of a run: the work of ``onstart``, ``onsuccess`` and ``onerror``.

Snakemake does not run these handlers of a module. A Snakefile that uses the workflow as a module therefore has three
handlers of its own, which call ``run_started``, ``run_succeeded`` and ``run_failed``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from audiogrid.core.errors import AudiogridError, InputError, RetryableError
from audiogrid.orchestration.budget_watch import BudgetWatch, Limits
from audiogrid.orchestration.generations import intact_bundles
from audiogrid.orchestration.lost_jobs import fail_lost_jobs
from audiogrid.orchestration.orphaned_jobs import cancel_orphaned_jobs, cancel_waiting_jobs
from audiogrid.orchestration.run_config import write_run_config
from audiogrid.records.plan_files.reader import open_plan
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.written_files import adopt_merged
from audiogrid.remote.address import Address
from audiogrid.remote.publishing import check_target, publish_settings
from audiogrid.remote.service_protocol import RemoteError

#: Targets that look ahead or compare. How the run itself ended is not reported after them.
BESIDE_THE_RUN = frozenset({"plan", "compare"})


class Summary(Protocol):
    """The last lines of a run, and a phrase per kind of recording that was left out."""

    @property
    def lines(self) -> list[str]: ...  # noqa: D102

    @property
    def troubles(self) -> list[str]: ...  # noqa: D102


def say(sentence: str) -> None:
    """Print a line on standard error."""
    print(sentence, file=sys.stderr)


@dataclass(frozen=True)
class Run:
    """A run as its configuration describes it, with what only Snakemake knows while it works.

    ``scripts``: folder of the commands; ``merge_settings``: gives the JSON that ``merge`` and ``report`` take;
    ``publish``: where results are copied to, if anywhere. ``on_cluster`` and ``targets`` are asked when a handler
    runs: while the workflow is read, Snakemake does not know them. ``summarise``: reads the tables of a finished
    run. ``quiet_terminal``: hides Snakemake's scheduling messages. ``lift_rate``: lets it start jobs at any rate.
    ``check_machine``: raises if something is missing.
    ``limits``: what this call may spend, found out when it begins; raises ``InputError`` where its time has passed.
    ``spending``: begins to count what jobs reserve, and returns a function that tells it.
    """

    folder: RunFolder
    scripts: Path
    settings: Mapping[str, Any]
    merge_settings: Callable[[], str]
    model_dirs: Sequence[Path]
    publish: Address | None
    argv: Sequence[str]
    on_cluster: Callable[[], bool]
    targets: Callable[[], Sequence[str]]
    summarise: Callable[[RunFolder], Summary]
    warn: Callable[[str], None] = say
    quiet_terminal: Callable[[], None] = lambda: None
    lift_rate: Callable[[], None] = lambda: None
    check_machine: Callable[[], None] = lambda: None
    limits: Callable[[], Limits | None] = lambda: None
    spending: Callable[[], Callable[[], tuple[float, float]]] = lambda: lambda: (0.0, 0.0)
    _watches: list[BudgetWatch] = field(default_factory=list)

    def start(self) -> None:
        """Check what must be right before anything is done, and clean up after a Snakemake that was killed.

        Raises ``InputError`` or ``RetryableError`` if results cannot be published, if this machine lacks something
        that the run needs, or if Slurm does not answer.
        """
        self.quiet_terminal()
        self.lift_rate()
        limits = None if self._is_beside_the_run() else self.limits()
        self.check_machine()
        if self.publish:
            try:
                # Better now than after ten hours.
                check_target(self.publish)
            except RemoteError as error:
                kind = RetryableError if error.is_transient else InputError
                raise kind(f"publish: {self.publish.public}: {error}") from None
        adopt_merged(self.folder)
        self.record()
        if self.on_cluster():
            # Without the lock another Snakemake may be using this folder.
            if "--nolock" not in self.argv:
                cancel_orphaned_jobs(Path.cwd(), say)
            fail_lost_jobs(self.warn)
        self._forget_stop()
        if limits is not None:
            state = self.folder.stop.with_name("budget.json")
            watch = BudgetWatch(limits, state, self.folder.stop, self.spending(), self._stop)
            self._watches.append(watch)
            watch.start()

    def _stop(self) -> None:
        """End this Snakemake as soon as its running jobs have ended; jobs that only wait on a cluster are cancelled."""
        os.kill(os.getpid(), signal.SIGTERM)
        # Without the lock jobs of another Snakemake may be waiting, too.
        if self.on_cluster() and "--nolock" not in self.argv:
            cancel_waiting_jobs(Path.cwd(), say)

    def record(self) -> None:
        """Write ``run_config.yaml``."""
        write_run_config(self.folder, self.settings, self.model_dirs, self.argv)

    def succeed(self) -> None:
        """Print how the run ended, and publish. Raises ``InputError`` if recordings were left out."""
        self._end_watch()
        # The last job may have ended just when the budget did.
        self._forget_stop()
        self.record()
        (self.folder.root / ".state" / "outstanding").unlink(missing_ok=True)
        if self._is_beside_the_run() or not self.folder.summary.is_file():
            return
        if self.folder.plan.is_file():
            # The next run then need not look for every transcript.
            intact_bundles(self.folder).remember(bundle.bundle for bundle in open_plan(self.folder.plan).bundles)
        summary = self.summarise(self.folder)
        say("\n".join(["", *summary.lines]))
        troubles = [*summary.troubles, *([] if self._publish() else ["results are not published"])]
        if troubles:
            raise InputError(f"{' and '.join(troubles)}; everything else is done.")

    def fail(self) -> None:
        """After a failure: write the transcripts of all complete recordings, and print what is missing."""
        self._end_watch()
        if self._is_beside_the_run():
            return
        options = ["--partial", "--run-dir", str(self.folder.root), "--store", self.settings["store"]]
        options += ["--settings", self.merge_settings(), "--prices", json.dumps(self.settings["prices"])]
        options += ["--corrections", self.settings["corrections"]]
        self._script("report.py", *options)
        if self.folder.plan.is_file():
            self._publish()

    def _forget_stop(self) -> None:
        """Delete the note that ended the last call, unless this call only looks ahead: the run is as it was then."""
        if not self._is_beside_the_run():
            self.folder.stop.unlink(missing_ok=True)

    def _end_watch(self) -> None:
        while self._watches:
            self._watches.pop().end()

    def _is_beside_the_run(self) -> bool:
        targets = set(self.targets())
        return bool(targets) and targets <= BESIDE_THE_RUN

    def _publish(self) -> bool:
        """Copy the results to where ``publish`` says. Returns whether all of them are there now."""
        if not self.publish:
            return True
        log = str(self.folder.root / "logs" / "publish.log")
        chosen = publish_settings(self.settings["publish"])
        options = ["--run-dir", str(self.folder.root), "--to", chosen.to, "--log", log]
        options += ["--as", "bag"] if chosen.as_bag else []
        return self._script("publish.py", *options) == 0

    def _script(self, name: str, *options: str) -> int:
        return subprocess.run([sys.executable, str(self.scripts / name), *options], check=False).returncode


_registered: list[Run] = []


def register(run: Run) -> None:
    """Make ``run`` the one that the handlers below act on; the workflow calls this while Snakemake reads it."""
    _registered[:] = [run]


def run_started() -> None:
    """For ``onstart``. Raises ``WorkflowError`` if the run cannot start."""
    _call(Run.start)


def run_succeeded() -> None:
    """For ``onsuccess``. Raises ``WorkflowError``, so that Snakemake fails, if recordings were left out."""
    _call(Run.succeed)


def run_failed() -> None:
    """For ``onerror``."""
    _call(Run.fail)


def _call(handler: Callable[[Run], None]) -> None:
    from snakemake.exceptions import WorkflowError

    if not _registered:
        raise WorkflowError("the handlers of audiogrid belong below its `module` and `use rule * from` statements")
    try:
        handler(_registered[0])
    except AudiogridError as error:
        # Snakemake prints this one without a traceback.
        raise WorkflowError(str(error)) from None


def lacks_handlers(main_snakefile: Path, own_snakefile: Path) -> bool:
    """Whether the workflow is used as a module by a Snakefile that does not call these handlers."""
    if main_snakefile.resolve() == own_snakefile.resolve():
        return False
    try:
        return "run_failed" not in main_snakefile.read_text(errors="replace")
    except OSError:
        return False
