"""What this user can see of the file system: answers where `pathlib` raises an error in folders of somebody else."""

from __future__ import annotations

import errno
import os
from pathlib import Path

_NOTHING = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EBADF, errno.EINVAL}


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
    """Returns whether there is something, or this user cannot know: only reading it tells.

    ``False`` for a link that leads nowhere or in a circle, and for a name that no file can have.
    """
    # Not with `Path.exists`, which answers False for everything that it cannot know from Python 3.14 on.
    try:
        os.stat(path)  # noqa: PTH116
    except ValueError:
        return False
    except OSError as error:
        return error.errno not in _NOTHING
    return True
