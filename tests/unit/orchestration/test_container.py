"""What a container makes of its environment variables and mounted folders."""

import fcntl
import os
import subprocess
import sys

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from snakemake.cli import get_argument_parser, parse_config

from audiogrid.core.errors import InputError
from audiogrid.orchestration import container
from places import ROOT


def parsed(variables: dict[str, str], *words: str) -> tuple[dict[str, object], list[str]]:
    """What Snakemake would read as configuration, and the words before it."""
    argv = container.container_arguments(variables, words, lambda _: None)
    options = get_argument_parser().parse_args([word for word in argv if word not in ("--profile", "profiles/local")])
    before = argv[: argv.index("--config")] if "--config" in argv else argv
    return parse_config(options.config or []), before


def test_without_variables_the_mounted_folder_is_transcribed():
    config, options = parsed({"PATH": "/bin", "RUN": "", "MODEL": ""})
    assert config == {"recordings": "/recordings", "run": "recordings"}
    assert options == ["--profile", "profiles/local"]


def test_every_variable_reaches_its_key(tmp_path):
    file = tmp_path / "my config.yaml"
    file.touch()
    config, options = parsed(
        {
            **{"RUN": "talks", "RECORDINGS": "/data/*.mp3", "CONFIG": str(file), "MODEL": "small", "LANGUAGE": "hi"},
            **{"DEVICE": "cuda", "COMPUTE_TYPE": "int8_float16", "FORMATS": "srt, json vtt", "CORES": "4"},
        }
    )
    assert config == {
        **{"run": "talks", "recordings": "/data/*.mp3", "model": "small", "language": "hi", "device": "cuda"},
        **{"compute_type": "int8_float16", "formats": ["srt", "json", "vtt"]},
    }
    assert options == ["--profile", "profiles/local", "--cores", "4", "--configfile", str(file)]


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_a_value_is_one_string_whatever_it_holds(text):
    config, options = parsed({"MODEL": text, "RECORDINGS": text, "RUN": "x"})
    assert config == {"model": text, "recordings": text, "run": "x"}
    assert options == ["--profile", "profiles/local"]


def test_arguments_follow_and_win(tmp_path):
    config, options = parsed({"MODEL": "base"}, "-n", "plan", "--config", "model=tiny", "chunk_minutes=3")
    assert config == {"recordings": "/recordings", "run": "recordings", "model": "tiny", "chunk_minutes": 3}
    assert options[-2:] == ["-n", "plan"]
    assert parsed({}, "--config", "recordings=/data")[0]["recordings"] == "/data"


def test_a_configuration_file_decides_about_recordings(tmp_path):
    file = tmp_path / "x.yaml"
    file.touch()
    assert parsed({"CONFIG": str(file)})[0] == {}
    assert parsed({}, "--configfile", str(file))[0] == {}
    assert parsed({"CONFIG": str(file), "RECORDINGS": "/data"})[0]["recordings"] == "/data"


@pytest.mark.parametrize("text", ["en_GB:en", "de:en", "en_US.UTF-8", "sr@latin", "C"])
def test_locales_of_the_host_are_no_language(text):
    said: list[str] = []
    argv = container.container_arguments({"LANGUAGE": text}, [], said.append)
    assert not any(word.startswith("language=") for word in argv)
    assert text in said[0]


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"CORES": "-1"}, "CORES='-1'"),
        ({"CORES": "4 --unlock"}, "not a number of cores"),
        ({"FORMATS": "srt,$(touch x)"}, "'$(touch' is not a format"),
        ({"CONFIG": "/nowhere.yaml"}, "not a file in the container"),
    ],
)
def test_values_that_cannot_be_meant(variables, words):
    with pytest.raises(InputError, match=None) as caught:
        container.container_arguments(variables, [], print)
    assert words in str(caught.value)


def test_other_commands():
    assert container.other_command(["doctor", "--short"]) == ["scripts/doctor.py", "--short"]
    assert container.other_command(["status", "results/x"]) == ["scripts/status.py", "results/x"]
    assert container.other_command(["--dry-run"]) is None
    assert container.other_command([]) is None
    assert all((ROOT / "scripts" / f"{name}.py").is_file() for name in container.PROGRAMS)


def test_results_have_to_be_writable(tmp_path):
    with pytest.raises(InputError, match="cannot write to"):
        container.check_folders(tmp_path / "none", print)
    said: list[str] = []
    container.check_folders(tmp_path, said.append)
    assert "stay in this container" in said[0]
    assert (tmp_path / ".snakemake").is_dir()


def test_one_container_at_a_time(tmp_path):
    (tmp_path / ".snakemake").mkdir()
    with (tmp_path / ".snakemake" / "container.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another container is using"):
            container.lock_results(tmp_path)
    code = (
        "import os, sys, pathlib, subprocess; sys.path.insert(0, sys.argv[1]);"
        "from audiogrid.orchestration.container import lock_results; assert lock_results(pathlib.Path(sys.argv[2]));"
        # What the process becomes, and its children, hold it still.
        "os.execvp('sh', ['sh', '-c', 'echo held; read end'])"
    )
    argv = [sys.executable, "-c", code, str(ROOT / "scripts"), str(tmp_path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "held\n"
        with pytest.raises(InputError):
            container.lock_results(tmp_path)
        process.communicate("\n")
    assert container.lock_results(tmp_path)


def test_variables_are_told_everywhere():
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["audiogrid"]
    assert list(service["environment"]) == list(container.VARIABLES)
    manual = (ROOT / "docs" / "containers.md").read_text()
    command = (ROOT / "scripts" / "container.py").read_text()
    for name in container.VARIABLES:
        assert f"| `{name}` |" in manual
        assert name in command
    assert os.environ.get("AUDIOGRID_CONTAINER") is None
