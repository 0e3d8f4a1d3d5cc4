"""Finds plans whose file of lines was deleted or cut off, so that they are made anew."""

from __future__ import annotations

from pathlib import Path

from audiogrid.core.atomic_files import read_json
from audiogrid.core.json_values import from_json
from audiogrid.records.plan_files.layout import SCHEMA, PlanHead, lines_folder


def drop_incomplete(path: Path) -> bool:
    """Delete a ``plan.json`` whose file of lines is missing or too short, so that the plan is made anew.

    Returns whether it was deleted. What cannot be read as a plan stays: others say what is wrong with it.
    """
    try:
        raw = read_json(path)
        if raw["schema"] != SCHEMA:
            return False
        head = from_json(PlanHead, raw)
        spans = [head.loose, *(one.span for one in head.bundles), *(one.span for one in head.shards)]
        lines = lines_folder(path) / Path(head.lines).name
        try:
            present = lines.stat().st_size
        except FileNotFoundError:
            present = 0
        if present >= max(span.first + span.bytes for span in spans):
            return False
        path.unlink()
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return True
