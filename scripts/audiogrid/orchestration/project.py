"""The folder that a user works in: a project with a Snakefile, or any other, where the packaged workflow applies."""

from __future__ import annotations

from pathlib import Path

from audiogrid.core.errors import InputError
from audiogrid.orchestration.installation import workflow_home

# Where Snakemake looks for a workflow.
_SNAKEFILES = (Path("Snakefile"), Path("workflow/Snakefile"))


def is_project(folder: Path) -> bool:
    """Whether ``folder`` has a Snakefile that runs audiogrid: a clone, or what ``audiogrid init`` has made."""
    for name in _SNAKEFILES:
        try:
            return "audiogrid" in (folder / name).read_text(errors="replace")
        except OSError:
            continue
    return False


def start_options(profile: str, folder: Path) -> list[str]:
    """Returns the options of ``snakemake`` that choose workflow and profile for a start in ``folder``.

    ``profile``: a name in ``profiles/`` of the folder or of the installation, a path, or any name that Snakemake
    itself finds. Raises ``InputError`` for a path that is no profile.
    """
    options = [] if is_project(folder) else ["--snakefile", str(workflow_home() / "workflow" / "Snakefile")]
    return [*options, "--profile", _profile(profile, folder)]


def _profile(name: str, folder: Path) -> str:
    if (folder / "profiles" / name / "config.yaml").is_file():
        return f"profiles/{name}"
    if "/" in name:
        if not Path(folder, name).exists():
            raise InputError(f"--profile {name}: there is no such folder; give a profile, such as local or slurm")
        return name
    packaged = workflow_home() / "profiles" / name
    return str(packaged) if (packaged / "config.yaml").is_file() else name
