"""Lays out a project folder: a configuration, profiles and a Snakefile that uses the installed workflow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from audiogrid.core.atomic_files import write_new_bytes
from audiogrid.core.errors import InputError
from audiogrid.orchestration.installation import workflow_home
from audiogrid.orchestration.launch import quote_config_value, run_name

TEMPLATES = Path(__file__).parent / "templates"
#: Where recordings are expected unless the configuration or the command line names another place.
RECORDINGS = "recordings"
# In place of the first lines of the configuration, which are about a clone.
_HEAD = """\
# The configuration of this project, made by `audiogrid init`. A key that is left out has its default, which
# `audiogrid init` has written here for all keys but `run` and `recordings`.
# Every key can also be given on the command line (`audiogrid run --config model=small`). Files with other values for
# single keys go into config/batches/, for `audiogrid batch`, or are named: `audiogrid run --configfile other.yaml`.
# Pages docs/... and files config/examples/... that are named below are in audiogrid's repository.
"""
_IGNORED = "results/\nmodels/\n.snakemake/\n"


def project_files(name: str) -> Iterator[tuple[str, bytes]]:
    """Yields path and contents of every file of a new project. ``name``: of its run."""
    home = workflow_home()
    config = (home / "config" / "config.yaml").read_text()
    config = _HEAD + re.sub(r"\A(#.*\n)+", "", config)
    config = _with_value(config, "run", name)
    config = _with_value(config, "recordings", RECORDINGS)
    yield "Snakefile", (TEMPLATES / "project.Snakefile").read_bytes()
    yield "config/config.yaml", config.encode()
    for profile in ("local", "slurm"):
        for path in sorted((home / "profiles" / profile).iterdir()):
            yield f"profiles/{profile}/{path.name}", path.read_bytes()
    yield ".gitignore", _IGNORED.encode()


def _with_value(config: str, key: str, value: str) -> str:
    changed, count = re.subn(rf"^{key}:.*$", f"{key}: {value}", config, count=1, flags=re.MULTILINE)
    if not count:
        raise InputError(f"config.yaml of the installation has no key {key!r}: install audiogrid again")
    return changed


def lay_out(folder: Path) -> tuple[list[str], list[str]]:
    """Make the files that ``folder`` lacks; overwrite none. Returns the names of those made and of those kept.

    Raises ``InputError`` if the folder cannot be made or written to.
    """
    made: list[str] = []
    kept: list[str] = []
    # A name such as 2024 or no would be read as a number or a truth value.
    name = quote_config_value(run_name(str(folder.absolute()))).strip()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, contents in project_files(name):
            (made if write_new_bytes(folder / path, contents) else kept).append(path)
        (folder / RECORDINGS).mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be filled: {error.strerror}; choose another folder") from error
    return made, kept
