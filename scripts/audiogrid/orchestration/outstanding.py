"""What is left to do for a run although all of its jobs are done."""

from __future__ import annotations

from audiogrid.records.run_folder import RunFolder
from audiogrid.remote.address import Address
from audiogrid.remote.publishing import is_published


def is_outstanding(folder: RunFolder, publish: Address | None) -> bool:
    """Returns whether recordings are rejected, or results are not where ``publish`` says (``None``: they stay here)."""
    # The first line of the table names its columns.
    has_rejected = folder.rejected.is_file() and len(folder.rejected.read_text(encoding="utf-8").splitlines()) > 1
    return has_rejected or bool(publish and not is_published(folder.root, publish))
