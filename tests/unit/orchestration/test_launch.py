import re
import shlex
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from snakemake.cli import parse_config

from audiogrid.config.resolve import load_schema
from audiogrid.core.errors import InputError
from audiogrid.orchestration import launch
from audiogrid.remote.address import is_remote


@given(st.text(st.characters(exclude_characters="\0"), max_size=40))
@example("1.0")
@example("yes")
@example("a: b")
@example("null")
@example("[x]")
@example('"quoted"')
@example("\\n\n\r\t\x85\u2028\ufeff")
@example("\udcff\udc80 not UTF-8")
@example("\U0001f3a4 microphone")
@example("")
@example("nan")
@example("True")
@example("../talks/x.tsv")
@example("./1e5")
@example("1_000")
@example("'")
def test_snakemake_reads_a_quoted_value_as_the_same_string(text: str) -> None:
    assert parse_config([f"recordings={launch.quote_config_value(text)}"]) == {"recordings": text}
    assert "\n" not in launch.quote_config_value(text)


@pytest.mark.parametrize(
    ("recordings", "name"),
    [
        ("", "samples"),
        ("/data/talks", "talks"),
        ("/data/My talks/", "My_talks"),
        ("/data/talks/*.mp3", "talks"),
        ("/data/talks/**/[ab]*.wav", "talks"),
        ("lists/calls.tsv", "calls"),
        ("lists/calls.CSV", "calls"),
        ("/data/v1.0", "v1.0"),
        ("-rf", "rf"),
        ("$(touch x)", "touch_x"),
        ("Gespräche", "Gesprache"),
        ("会議", "recordings-6f7de8"),
        ("???", "clone"),
        (".", "clone"),
        ("", "samples"),
        ("a\nb", "a_b"),
        ("/", "recordings"),
        ("/data/" + "x" * 300, "x" * 80),
    ],
)
def test_run_name(recordings: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clone").mkdir()
    monkeypatch.chdir(tmp_path / "clone")
    assert launch.run_name(recordings) == name


def test_folder_with_glob_characters_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "talks [2024]").mkdir()
    assert launch.run_name(str(tmp_path / "talks [2024]")) == "talks_2024"


@given(st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=60))
def test_run_name_is_always_one_safe_folder_name(text: str) -> None:
    # Addresses without a host or bucket are refused, see below.
    assume(not is_remote(text))
    name = launch.run_name(text)
    assert re.fullmatch(load_schema()["properties"]["run"]["pattern"], name)
    assert Path("results", name).name == name


@pytest.mark.parametrize("address", ["HTTP://", "s3://"])
def test_an_address_that_names_nothing_is_refused(address: str) -> None:
    with pytest.raises(InputError, match=f"{re.escape(address.lower())}: .*; write"):
        launch.run_name(address)


def test_same_name_of_another_folder_gets_a_run_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "results" / "talks"
    run.mkdir(parents=True)
    assert launch.free_run_name("/b/talks", tmp_path / "results") == "talks"
    (run / "run_config.yaml").write_text("config: {recordings: /a/talks}")
    assert launch.free_run_name("/a/talks/", tmp_path / "results") == "talks"
    other = launch.free_run_name("/b/talks", tmp_path / "results")
    assert other != launch.free_run_name("talks", tmp_path / "results") != "talks"
    assert re.fullmatch(r"talks-[0-9a-f]{6}", other)
    (run / "run_config.yaml").write_text("config: {recordings: talks}")
    assert launch.free_run_name(str(tmp_path / "talks"), tmp_path / "results") == "talks"


@pytest.mark.parametrize("text", ["", "[", "config: 3", "config: {recordings: 5}"])
def test_unreadable_run_config_changes_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "talks").mkdir()
    (tmp_path / "talks" / "run_config.yaml").write_text(text)
    assert launch.free_run_name("/a/talks", tmp_path) == "talks"


def test_plain_run_names_recordings_and_run() -> None:
    assert launch.snakemake_arguments("/x/-y z", "", []) == [
        "--profile",
        "profiles/local",
        "--config",
        'recordings= "/x/-y z" ',
        "run=y_z",
    ]


def test_without_recordings_the_configuration_decides() -> None:
    assert launch.snakemake_arguments("", "", []) == ["--profile", "profiles/local", "--config", "run=samples"]


def test_config_in_args_joins_ours_and_targets_stay_targets() -> None:
    arguments = launch.snakemake_arguments(
        "d", "r", launch.parse_words("plan --config model=tiny 'language=en' --cores 2 -n")
    )
    assert arguments == [
        *("--profile", "profiles/local", "plan", "--cores", "2", "-n"),
        *("--config", "recordings=d", "run=r", "model=tiny", "language=en"),
    ]


def test_a_configfile_decides_the_run_unless_told_otherwise() -> None:
    assert "--config" not in launch.snakemake_arguments("", "", ["--configfile", "config/batches/x.yaml"])
    assert launch.snakemake_arguments("", "y", ["--configfile", "x.yaml"])[-1] == "run=y"


def test_args_keep_quoted_words_together() -> None:
    assert launch.split_arguments(["--configfile", "my file.yaml", "--config=a=b", "c=d"]) == (
        ["--configfile", "my file.yaml"],
        ["a=b", "c=d"],
    )


def test_open_quote_in_args_is_an_input_error() -> None:
    with pytest.raises(InputError, match="ARGS"):
        launch.parse_words("--config 'a=b")


def test_printed_command_survives_a_shell() -> None:
    arguments = launch.snakemake_arguments('it\'s "here" $HOME `id` \n', "", [])
    assert shlex.split(shlex.join(arguments)) == arguments
