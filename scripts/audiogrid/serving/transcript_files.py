"""Writes the transcripts of a job from its document; runs in child processes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from audiogrid.core.atomic_files import write_bytes
from audiogrid.core.json_values import from_json
from audiogrid.export.cues import CueOptions
from audiogrid.export.format_options import FormatOptions
from audiogrid.export.formats import render_all
from audiogrid.export.media_links import media_url
from audiogrid.serving.job_folder import JobFolder


def write_transcripts(folder: JobFolder, recording: str, document: Mapping[str, Any], merge: str) -> None:
    """Write a document in the formats of a recipe. ``merge``: the recipe's settings."""
    settings = json.loads(merge)
    contents = render_all(
        document,
        settings["formats"],
        from_json(CueOptions, settings["subtitles"]),
        media_url(str(document["path"]), folder.run.transcripts),
        FormatOptions(settings.get("format_options", {})),
    )
    for name, content in contents.items():
        write_bytes(folder.transcript(recording, name), content if isinstance(content, bytes) else content.encode())
