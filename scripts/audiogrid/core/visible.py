"""What this user can see of the file system: answers where `pathlib` raises an error in folders of somebody else."""

from __future__ import annotations

import os
from pathlib import Path


def exists(path: Path) -> bool:
    """Returns whether there is something that this user can see; ``False`` below a folder that may not be entered."""
    return os.path.exists(path)  # noqa: PTH110


def is_file(path: Path) -> bool:
    """Returns whether a path is a file, and not in a folder that this user may not enter."""
    return os.path.isfile(path)  # noqa: PTH113


def is_readable_folder(path: Path) -> bool:
    """Returns whether a path is a folder whose files this user can list and open."""
    return os.path.isdir(path) and os.access(path, os.R_OK | os.X_OK)  # noqa: PTH112


def may_exist(path: Path) -> bool:
    """Returns whether there is something, or this user cannot know: only reading it tells."""
    try:
        return path.exists()
    except OSError:
        return True
