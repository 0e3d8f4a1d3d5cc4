"""Decides whether the transcripts of a run lie in sub-folders: at its first plan, and never again."""

from __future__ import annotations

import os

from audiogrid.records.plan import Plan
from audiogrid.records.plan_files.reader import PlanFile
from audiogrid.records.run_folder import RunFolder, is_sub_folder

#: Up to so many recordings, which one folder can be browsed with, no sub-folders are made.
MOST_IN_ONE_FOLDER = 10_000


def is_divided(folder: RunFolder, previous: Plan | PlanFile | None, recordings: int) -> bool:
    """Returns whether transcripts go to sub-folders. ``previous``: the last plan of the run, if it is known.

    Without one, transcripts that are there already decide; without these, the number of recordings.
    """
    if previous is not None:
        return previous.divided
    try:
        present = [entry.name for entry in os.scandir(folder.transcripts)]
    except OSError:
        present = []
    return any(map(is_sub_folder, present)) if present else recordings > MOST_IN_ONE_FOLDER
