"""Which recordings have a text of their own: what the column ``text`` of their table row names."""

from __future__ import annotations

from audiogrid.records.plan import Plan, Recording
from audiogrid.records.plan_files.reader import PlanFile

#: Name of the column.
TEXT = "text"


def given_text(recording: Recording) -> str:
    """Path of the text that its table row names; empty where it names none."""
    return recording.columns.get(TEXT, "")


def texts_of_bundle(plan: Plan, bundle: str) -> list[str]:
    """Returns the texts of a bundle's recordings, each once."""
    recordings = (plan.recording[name] for name in plan.bundle[bundle].recordings)
    return list(dict.fromkeys(given_text(one) for one in recordings if given_text(one)))


def aligned_chunks(plan: Plan, shard: str, glossary: str = "") -> list[str]:
    """Returns the chunks of a shard that the stage ``align`` works on. ``glossary``: the key of the configuration."""
    return [one for one in plan.shard[shard].chunks if glossary or given_text(plan.recording_of_chunk[one])]


def has_texts(plan: Plan | PlanFile) -> bool:
    """Whether any recording of a run has a text."""
    return TEXT in plan.columns
