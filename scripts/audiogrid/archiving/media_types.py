"""Media types of files, the same on every machine: Python's own list, not that of the system, and our formats."""

from __future__ import annotations

import mimetypes
from pathlib import PurePosixPath

from audiogrid.export.media_links import may_have_picture

_OURS = {
    ".eaf": "application/xml",
    ".ttml": "application/ttml+xml",
    ".vtt": "text/vtt",
    ".srt": "application/x-subrip",
    ".md": "text/markdown",
    ".yaml": "application/yaml",
    ".otr": "application/json",
    ".json": "application/json",
    ".html": "text/html",
    ".tsv": "text/tab-separated-values",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".mkv": "video/x-matroska",
    ".smk": "text/plain",
    **dict.fromkeys((".textgrid", ".ctm", ".stm", ".rttm", ".txt"), "text/plain"),
}
_PYTHON = mimetypes.MimeTypes(filenames=())


def media_type(name: str) -> str:
    """Returns the media type of a file by its ending; that of unknown bytes where the ending says nothing."""
    suffix = PurePosixPath(name).suffix.lower()
    return _OURS.get(suffix) or _PYTHON.guess_type(f"x{suffix}")[0] or "application/octet-stream"


def sound_type(name: str) -> str:
    """Returns the media type of a recording: that of audio or video, which players ask for."""
    found = media_type(name)
    if found.startswith(("audio/", "video/")):
        return found
    return "video/mp4" if may_have_picture(name) else "audio/mpeg"
