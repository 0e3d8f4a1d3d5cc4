"""Small files that stand for something Snakemake cannot see, such as the listing of a folder, as inputs of rules.

Snakemake reruns a rule if an input has changed, whichever rerun triggers a user or a site has chosen. A parameter
alone is not looked at with ``--rerun-triggers mtime``.
"""

from __future__ import annotations

from pathlib import Path

from audiogrid.core.atomic_files import write_text


def tracked_file(path: Path, value: str, *, is_main_process: bool, is_read_only: bool) -> list[str]:
    """Returns the input of a rule: ``path``, whose content is ``value``; it is written only if that has changed.

    Returns an empty list where there is no such file and none can be made. Only the main process writes: jobs find
    the file. A command that only looks (``is_read_only``: a dry run, say) makes no new file; it renews one that is
    there, so that it tells what a run would do.
    """
    try:
        before = path.read_text()
    except OSError:
        before = None
    if is_main_process and before != value and (before is not None or not is_read_only):
        try:
            write_text(path, value)
        except OSError:
            # A read-only folder: the next run that can write notices the change.
            return [] if before is None else [str(path)]
        return [str(path)]
    return [] if before is None else [str(path)]
