"""From the environment variables and mounted folders of a container to the Snakemake command in it.

Nothing here goes through a shell: a value is one word of the command, spelt so that Snakemake reads it as it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from audiogrid.core.errors import InputError
from audiogrid.orchestration.launch import quote_config_value, snakemake_arguments

#: Where recordings are mounted, unless ``RECORDINGS`` names another place.
RECORDINGS = "/recordings"
#: Variables that set a key of the configuration. FORMATS is a list.
KEYS = {"MODEL": "model", "LANGUAGE": "language", "DEVICE": "device", "COMPUTE_TYPE": "compute_type"}
#: All variables that a container reads.
VARIABLES = ("RUN", "RECORDINGS", "CONFIG", *KEYS, "FORMATS", "CORES")
#: Commands to start instead of Snakemake.
PROGRAMS = ("doctor", "status")
# Desktops use LANGUAGE for locales in order of preference; Apptainer passes it in from the host.
_LOCALES = re.compile(r".*[:_@.].*|C", re.DOTALL)
_LOCK = "container.lock"


def other_command(words: Sequence[str]) -> list[str] | None:
    """Returns Python's arguments for ``doctor`` or ``status`` if ``words`` begins with one of them, else ``None``."""
    if words and words[0] in PROGRAMS:
        return [f"scripts/{words[0]}.py", *words[1:]]
    return None


def container_arguments(variables: Mapping[str, str], words: Sequence[str], say: Callable[[str], None]) -> list[str]:
    """Returns the arguments of ``snakemake`` that correspond to the environment ``variables``.

    Variables that are empty count as not set. ``words``: the container's own arguments, which follow and
    win. With ``CONFIG`` that file decides about recordings and run unless variables do. Raises ``InputError``
    for values that cannot be meant.
    """
    given = {name: variables[name] for name in VARIABLES if variables.get(name)}
    if _LOCALES.fullmatch(given.get("LANGUAGE", "")):
        say(f"LANGUAGE={given.pop('LANGUAGE')} names locales, not a language of recordings: not used")
    has_file = "CONFIG" in given or any(word.split("=")[0] in ("--configfile", "--configfiles") for word in words)
    recordings = given.get("RECORDINGS", "" if has_file or _names(words, "recordings") else RECORDINGS)
    options = []
    if "CORES" in given:
        options += ["--cores", _cores(given["CORES"])]
    if "CONFIG" in given:
        options += ["--configfile", _readable(given["CONFIG"])]
    settings = [f"{key}={quote_config_value(given[name])}" for name, key in KEYS.items() if name in given]
    if "FORMATS" in given:
        settings.append(f"formats=[{', '.join(_formats(given['FORMATS']))}]")
    run = given.get("RUN", "")
    configured = ["--config", *settings] if settings else []
    return snakemake_arguments(recordings, run, [*options, *configured, *words])


def _names(words: Sequence[str], key: str) -> bool:
    """Whether ``--config key=value`` is among the arguments."""
    return any(word.removeprefix("--config=").startswith(f"{key}=") for word in words)


def _cores(text: str) -> str:
    if text != "all" and not re.fullmatch(r"[1-9]\d{0,5}", text):
        raise InputError(f"CORES={text!r} is not a number of cores: give a whole number, or all")
    return text


def _readable(file: str) -> str:
    if not Path(file).is_file():
        raise InputError(
            f"CONFIG={file!r} is not a file in the container: mount it, for instance -v $PWD/my.yaml:{file}:ro"
        )
    return file


def _formats(text: str) -> list[str]:
    names = [name for name in re.split(r"[\s,\[\]]+", text) if name]
    if wrong := [name for name in names if not re.fullmatch(r"[A-Za-z0-9]+", name)]:
        raise InputError(f"FORMATS={text!r}: {wrong[0]!r} is not a format; for instance FORMATS=srt,json")
    return names


def check_folders(results: Path, say: Callable[[str], None]) -> None:
    """Raise ``InputError`` when results cannot be written; warn when they would stay in the container."""
    if not results.is_dir() or not os.access(results, os.W_OK | os.X_OK):
        raise InputError(
            f"user {os.getuid()} cannot write to {results}: mount a folder of that user there, or run the container as "
            'the owner of the folder (docker run --user "$(id -u):$(id -g)"; compose: export UID GID=$(id -g))'
        )
    if not os.path.ismount(results):
        say(f"no folder is mounted at {results}: the transcripts stay in this container and are lost with it")
    # The link .snakemake points to this folder, so that the state of a run lies beside its results.
    (results / ".snakemake").mkdir(exist_ok=True)


def lock_results(results: Path) -> bool:
    """Lock ``results`` for this process and what it executes. Returns False if the file system has no locks.

    Containers do not see each other's processes, but they share this lock. Raises ``InputError`` if another
    container holds it.
    """
    import fcntl

    # Read-only: the file may belong to another user.
    lock = os.open(results / ".snakemake" / _LOCK, os.O_RDONLY | os.O_CREAT, 0o644)
    os.set_inheritable(lock, True)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InputError(f"another container is using {results}: wait until it ends, or stop it") from error
    except OSError:
        return False
    return True
