"""Where the workflow and the commands of its rules lie: in a clone, or inside the installed package.

Both have the same structure: ``workflow/Snakefile``, ``scripts/X.py`` for rule ``X``, ``config/`` and ``profiles/``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from pathlib import Path

import audiogrid
from audiogrid.core.errors import InputError

#: Rules start ``python "$AUDIOGRID_SCRIPTS"/X.py``: no path stands in their shell text, which Snakemake tracks.
SCRIPTS_VARIABLE = "AUDIOGRID_SCRIPTS"
#: Where the scripts lie in an image that ``containers/install.sh`` made.
IMAGE_SCRIPTS = Path("/opt/audiogrid/scripts")


def workflow_home() -> Path:
    """Returns the folder that holds ``workflow/``, ``scripts/``, ``config/`` and ``profiles/`` of this library.

    That is ``audiogrid/snakemake/`` of an installed package, and the clone itself in a clone. Raises ``InputError``
    if there is neither.
    """
    package = Path(audiogrid.__file__).resolve().parent
    # In a clone the package lies in scripts/audiogrid/.
    for home in (package / "snakemake", package.parent.parent):
        if (home / "workflow" / "Snakefile").is_file():
            return home
    raise InputError(f"{package} holds no workflow: install audiogrid with pip, or work in a clone of its repository")


def scripts_folder() -> Path:
    """Returns the folder with the commands of the rules."""
    return workflow_home() / "scripts"


def home_of(rules_folder: str) -> Path:
    """Returns the home of the workflow whose rules are being read from ``rules_folder``.

    Rules that Snakemake reads from a git repository have no files beside them: their commands are those of the
    installed package. Raises ``InputError`` if there is none.
    """
    home = Path(rules_folder).parent.parent
    return home if (home / "scripts").is_dir() else workflow_home()


def project_file(name: str, home: Path) -> Path:
    """Returns a file of the working folder, such as ``config/models.yaml``, or that of ``home`` if there is none."""
    return Path(name) if Path(name).exists() else home / name


def export_commands(home: Path, deployment_methods: Collection[str]) -> None:
    """Set the environment in which rules find ``python`` and their scripts; jobs inherit it.

    ``deployment_methods``: of Snakemake. In a container or a conda environment ``python`` is the one there; elsewhere
    it is the one that runs Snakemake, also if its environment is not activated.
    """
    methods = {str(method).lower() for method in deployment_methods}
    scripts = home / "scripts"
    if methods & {"apptainer", "singularity"} and not scripts.is_relative_to(Path.cwd()):
        # Only the working folder is visible in the container.
        scripts = IMAGE_SCRIPTS
    os.environ[SCRIPTS_VARIABLE] = str(scripts)
    programs = str(Path(sys.executable).parent)
    before = os.environ.get("PATH", os.defpath)
    if not methods and before.split(os.pathsep)[0] != programs:
        os.environ["PATH"] = f"{programs}{os.pathsep}{before}"
