"""What is left to do for a run although all of its jobs are done."""

from __future__ import annotations

from audiogrid.records.bags import is_current, read_record, record_path
from audiogrid.records.run_folder import RunFolder
from audiogrid.remote.address import Address
from audiogrid.remote.publishing import PublishSettings, is_published, result_files


def is_outstanding(folder: RunFolder, publish: Address | None, settings: PublishSettings | None = None) -> bool:
    """Returns whether recordings are rejected, or results are not where ``publish`` says (``None``: they stay here).

    ``settings``: the key ``publish``, where they are published as a bag.
    """
    # The first line of the table names its columns.
    has_rejected = folder.rejected.is_file() and len(folder.rejected.read_text(encoding="utf-8").splitlines()) > 1
    if has_rejected or publish is None:
        return has_rejected
    if settings is None or not settings.as_bag:
        return not is_published(folder.root, publish)
    record = read_record(record_path(folder, folder.bag))
    if not is_current(record, settings.wish, result_files(folder.root)):
        return True
    # What is noted counts, not what lies here: a call that was killed may have left the bag before in its place.
    return not is_published(folder.root, publish, record.facts)
