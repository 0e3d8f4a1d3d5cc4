"""Start and end of a run, as the workflow itself and a Snakefile that uses it as a module call them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from snakemake.exceptions import WorkflowError

from audiogrid.orchestration import handlers
from audiogrid.records.run_folder import RunFolder


@dataclass
class Summary:
    lines: list[str] = field(default_factory=lambda: ["the end"])
    troubles: list[str] = field(default_factory=list)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> handlers.Run:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "base").mkdir(parents=True)
    folder = RunFolder(tmp_path / "results" / "x")
    (folder.root / ".state").mkdir(parents=True)
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    for name in ("report.py", "publish.py"):
        (scripts / name).write_text(
            "import json, pathlib, sys; pathlib.Path('called.json').open('a').write(json.dumps(sys.argv) + '\\n')"
        )
    given: dict[str, object] = {
        "folder": folder,
        "scripts": scripts,
        "settings": {"store": "results/store", "prices": {"core_hour": 1}, "publish": "", "corrections": "fixes"},
        "merge_settings": lambda: "{}",
        "model_dirs": [Path("models/base")],
        "publish": None,
        "argv": ["snakemake", "--x-token", "hidden"],
        "on_cluster": lambda: False,
        "targets": lambda: [],
        "summarise": lambda folder: Summary(),
    }
    if "check_machine" in handlers.Run.__dataclass_fields__:
        given["check_machine"] = lambda: None
    made = handlers.Run(**given)  # type: ignore[arg-type]
    handlers.register(made)
    return made


def called() -> Sequence[list[str]]:
    file = Path("called.json")
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_start_leaves_the_configuration_without_secrets(run: handlers.Run) -> None:
    handlers.run_started()
    text = run.folder.config.read_text()
    assert "--x-token" in text and "hidden" not in text


def test_a_complete_run_prints_its_end(run: handlers.Run, capsys: pytest.CaptureFixture[str]) -> None:
    (run.folder.root / ".state" / "outstanding").touch()
    run.folder.summary.touch()
    handlers.run_succeeded()
    assert "the end" in capsys.readouterr().err
    assert not (run.folder.root / ".state" / "outstanding").exists()


def test_recordings_that_were_left_out_make_snakemake_fail(run: handlers.Run) -> None:
    run.folder.summary.touch()
    handlers.register(replace(run, summarise=lambda folder: Summary(troubles=["1 recording(s) rejected"])))
    with pytest.raises(WorkflowError, match=r"1 recording\(s\) rejected; everything else is done"):
        handlers.run_succeeded()


def test_after_a_failure_complete_recordings_get_their_transcripts(run: handlers.Run) -> None:
    handlers.run_failed()
    (argv,) = called()
    assert argv[0].endswith("report.py") and "--partial" in argv
    assert argv[argv.index("--store") + 1] == "results/store"
    assert argv[argv.index("--corrections") + 1] == "fixes"


@pytest.mark.parametrize("targets", [["plan"], ["compare"], ["plan", "compare"]])
def test_a_look_ahead_and_a_comparison_say_nothing_of_the_run(
    run: handlers.Run, targets: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run.folder.summary.touch()
    handlers.register(replace(run, targets=lambda: targets))
    handlers.run_succeeded()
    handlers.run_failed()
    assert called() == [] and "the end" not in capsys.readouterr().err


def test_handlers_without_the_workflow_say_where_they_belong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "_registered", [])
    with pytest.raises(WorkflowError, match="belong below"):
        handlers.run_failed()


def test_a_module_without_handlers_is_noticed(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    other.write_text("use rule * from audiogrid\n")
    assert handlers.lacks_handlers(other, own)
    other.write_text("onerror:\n    handlers.run_failed()\n")
    assert not handlers.lacks_handlers(other, own)
    assert not handlers.lacks_handlers(own, own)
    assert not handlers.lacks_handlers(tmp_path / "absent", own)


@pytest.mark.parametrize(("argv", "cancelled"), [(["snakemake"], 1), (["snakemake", "--nolock"], 0)])
def test_the_end_of_a_budget_cancels_no_jobs_of_another_snakemake(
    run: handlers.Run, monkeypatch: pytest.MonkeyPatch, argv: list[str], cancelled: int
) -> None:
    killed: list[int] = []
    folders: list[Path] = []
    monkeypatch.setattr(handlers.os, "kill", lambda pid, number: killed.append(number))
    monkeypatch.setattr(handlers, "cancel_waiting_jobs", lambda folder, say: folders.append(folder))
    replace(run, argv=argv, on_cluster=lambda: True)._stop()
    assert killed == [handlers.signal.SIGTERM]
    assert len(folders) == cancelled


@pytest.mark.parametrize(("targets", "stays"), [([], False), (["plan"], True), (["plan", "all"], False)])
def test_looking_ahead_leaves_the_note_that_a_run_was_stopped(
    run: handlers.Run, targets: list[str], stays: bool
) -> None:
    for act in (handlers.Run.start, handlers.Run.succeed):
        run.folder.stop.write_text("{}")
        act(replace(run, targets=lambda: targets))
        assert run.folder.stop.exists() is stays
