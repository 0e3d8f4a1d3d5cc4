"""The command `audiogrid`: what each command starts, and what it says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from audiogrid.cli import main as cli
from audiogrid.cli import run as run_command
from audiogrid.cli.command import parser_of
from audiogrid.cli.run_argument import find_run, known_runs
from audiogrid.core.errors import InputError
from audiogrid.orchestration import start
from places import ROOT

PACKAGED = ["--snakefile", str(ROOT / "workflow" / "Snakefile"), "--profile", str(ROOT / "profiles" / "local")]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """Arguments of every Snakemake that a command starts, in an empty folder."""
    seen: list[list[str]] = []

    def note(options: list[str], where: str = "") -> None:
        seen.append(options)

    for name in ("run", "plan", "compare"):
        monkeypatch.setattr(f"audiogrid.cli.{name}.become_snakemake", note)
    monkeypatch.chdir(tmp_path)
    return seen


def project(folder: Path) -> None:
    (folder / "Snakefile").write_text("module audiogrid: ...")
    (folder / "config").mkdir()
    (folder / "config" / "config.yaml").write_text("run: mine\n")
    (folder / "profiles" / "local").mkdir(parents=True)
    (folder / "profiles" / "local" / "config.yaml").touch()


def test_sources_are_taken_as_they_are_written(started: list[list[str]]) -> None:
    cli.call(["run", "talks"])
    cli.call(["run", "a b.wav", "calls.tsv", "x/*.mp3"])
    assert started[0] == [*PACKAGED, "--config", "recordings=talks", "run=talks"]
    assert started[1][:-1] == [*PACKAGED, "--config", 'recordings=["a b.wav", "calls.tsv", "x/*.mp3"]']


def test_a_list_of_sources_reaches_the_workflow_unchanged(started: list[list[str]]) -> None:
    from snakemake.cli import parse_config

    names = ['it\'s "here"', "[x], {y}", "007", "-dash", "new\nline", "Gespräch 会議", "a: b #c", "back\\slash"]
    options = run_command.snakemake_arguments(names, "x", [])
    (recordings,) = (word for word in options if word.startswith("recordings="))
    assert parse_config([recordings]) == {"recordings": names}


def test_options_may_stand_anywhere_and_the_rest_goes_to_snakemake(started: list[list[str]]) -> None:
    words = [
        "run",
        "--run",
        "007",
        "talks",
        "--cores",
        "2",
        "-n",
        "--config",
        "model=tiny",
        "--",
        "--forceall",
        "merge",
    ]
    cli.call(words)
    assert started[0] == [
        *PACKAGED,
        *("--cores", "2", "--dry-run", "--forceall", "merge"),
        *("--config", "recordings=talks", 'run= "007" ', "model=tiny"),
    ]


def test_a_project_uses_its_own_workflow_and_configuration(started: list[list[str]], tmp_path: Path) -> None:
    project(tmp_path)
    cli.call(["run"])
    cli.call(["plan", "other"])
    cli.call(["compare", "--config", "run=x"])
    local = ["--profile", "profiles/local"]
    assert started[0] == local
    assert started[1] == [*local, "plan", "--config", "recordings=other", "run=other"]
    assert started[2] == [*local, "compare", "--config", "run=x"]


def test_several_files_of_a_folder_share_its_name(started: list[list[str]], tmp_path: Path) -> None:
    cli.call(["run", "talks/a.mp3", "talks/b.mp3"])
    assert started[0][-1] == "run=talks"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run"], "name what to transcribe"),
        (["run", "x", "--config", "model=small", "talks"], "write KEY=VALUE"),
        (["run", "x", "--profile", "no/such"], "there is no such folder"),
        (["rnu"], "did you mean 'run'"),
        (["status"], "there is no run in"),
        (["status", "talks"], "there is no run 'talks'"),
        (["status", "--text", "x"], "needs RUN"),
        (["clips", "talks"], "there is no run 'talks'"),
        (["batch"], "there is no batch in"),
        (["store", "prune"], "there is no store at"),
        (["models", "bsae"], "did you mean"),
        (["serve", "--watch", "no/such"], "there is no such folder"),
        (["serve", "token", "ad"], "write audiogrid serve"),
        (["serve", "token", "remove", "x"], "there is no token"),
        (["doctor", "--", "-n"], "starts no Snakemake"),
    ],
)
def test_mistakes_are_told(started: list[list[str]], words: list[str], told: str) -> None:
    with pytest.raises(InputError) as caught:
        cli.call(words)
    assert told in str(caught.value)
    assert not started


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_fits_a_screen_and_shows_an_example(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = parser_of(name, cli.load(name)).format_help().splitlines()
    assert len(lines) <= 26
    assert max(map(len, lines)) <= 80
    example = lines[lines.index("example:") + 1]
    assert f"audiogrid {name}" in example


def test_every_command_of_this_list_exists_and_the_list_fits_a_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = cli.build_parser().format_help()
    assert len(text.splitlines()) <= 26
    names = "run batch plan status search compare doctor models clips store bag speakers corrections serve init"
    for name in names.split():
        assert f"    {name} " in text


def test_completion_offers_commands_and_options() -> None:
    import subprocess

    environment = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_STDOUT_FILENAME": "/dev/stdout", "_ARGCOMPLETE_IFS": "\n"}
    environment |= {"PYTHONPATH": str(ROOT / "scripts"), "PATH": "/bin:/usr/bin"}

    def complete(line: str) -> set[str]:
        words = {"COMP_LINE": line, "COMP_POINT": str(len(line))}
        argv = [sys.executable, "-c", "from audiogrid.cli.main import main; main()"]
        done = subprocess.run(argv, env={**environment, **words}, capture_output=True, text=True, check=False)
        return {word.strip() for word in done.stdout.split("\n")}

    assert {"models", "store", "status"} <= complete("audiogrid ") | complete("audiogrid s") | complete("audiogrid m")
    assert "--profile" in complete("audiogrid run --p")


def test_the_printed_command_holds_no_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    executed: list[list[str]] = []
    monkeypatch.setattr(start.os, "execve", lambda path, argv, env: executed.append(argv))
    start.become_snakemake(["--storage-s3-secret-key", "hidden", "--config", "run=x"])
    said = capsys.readouterr().err
    assert "snakemake --storage-s3-secret-key '***' --config run=x" in said
    assert executed[0][-4:] == ["--storage-s3-secret-key", "hidden", "--config", "run=x"]


def test_a_run_is_found_by_name_and_by_folder(tmp_path: Path) -> None:
    results = tmp_path / "results"
    (results / "talks").mkdir(parents=True)
    (results / "talks" / "run_config.yaml").touch()
    assert find_run("talks", results).root == results / "talks"
    assert find_run(str(results / "talks"), tmp_path).root == results / "talks"
    assert [run.root.name for run in known_runs(results)] == ["talks"]
    with pytest.raises(InputError, match="did you mean 'talks'"):
        find_run("tlaks", results)
