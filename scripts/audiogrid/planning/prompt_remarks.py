"""Notes on every recording whose hotwords or prompt are longer than what its model reads."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from audiogrid.decoding.whisper.prompt_room import remarks_for_model
from audiogrid.records.plan import Recording, Settings, settings_key


def _remarks(recording: Recording, settings: Settings, folders: Mapping[str, Path]) -> list[str]:
    found: dict[str, None] = {}
    for track in recording.tracks:
        own = recording.settings_of(track)
        options = {**settings.options, **own.options}
        folder = folders[own.model or settings.model]
        found |= dict.fromkeys(remarks_for_model(folder, options.get("prompt", ""), options.get("hotwords", "")))
    return list(found)


def add_prompt_remarks(
    recordings: Sequence[Recording], settings: Settings, model_dirs: Sequence[Path]
) -> tuple[list[Recording], list[str]]:
    """Returns the recordings with what their models do not read as ``left_out``, and each sentence once, as a warning.

    ``model_dirs``: folders of all models of the plan. A warning that is not about all recordings says how many.
    """
    folders = {folder.name: folder for folder in model_dirs}
    found, counts = [], dict[str, list[str]]()
    same: dict[Hashable, list[str]] = {}
    for recording in recordings:
        key = settings_key(recording)
        remarks = same[key] if key in same else _remarks(recording, settings, folders)
        if key is not None:
            same[key] = remarks
        found.append(replace(recording, left_out=[*recording.left_out, *remarks]) if remarks else recording)
        for remark in remarks:
            counts.setdefault(remark, []).append(recording.recording)
    return found, [_warning(remark, names, len(recordings)) for remark, names in counts.items()]


def _warning(remark: str, names: Sequence[str], total: int) -> str:
    if len(names) == total:
        return remark
    return f"{names[0]}: {remark}" if len(names) == 1 else f"{names[0]} and {len(names) - 1} more: {remark}"
