"""Transcribes a known clip where a process has just started: what is loaded at the first call is loaded then.

Without it the first recording took three seconds longer than the next. Nothing of the clip stays.
"""

from __future__ import annotations

import shutil
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audiogrid.hardware.known_clip import CLIP
from audiogrid.serving import short_recording
from audiogrid.serving.inspection import inspect
from audiogrid.serving.job_folder import JobFolder
from audiogrid.serving.recipes import Recipe
from audiogrid.serving.short_recording import ShortTask

#: The folder below the state folder in which it is done.
FOLDER = "rehearsal"
_JOB = "00clip"
_NAME = "clip.wav"
# Two sentences: enough to touch everything, and a third of a second for the base model.
_CLIP_SECONDS = 6


def look_at_clip(folder: str, probing: Mapping[str, Any]) -> None:
    """Look at the clip as at an upload; called in a child process. ``probing``: settings of ``inspect``."""
    upload = JobFolder(Path(folder), _JOB).upload
    upload.mkdir(parents=True, exist_ok=True)
    with wave.open(str(CLIP)) as whole, wave.open(str(upload / _NAME), "wb") as part:
        part.setparams(whole.getparams())
        part.writeframes(whole.readframes(_CLIP_SECONDS * whole.getframerate()))
    # Without a language and with one: what follows differs, and so does what is loaded. Recordings whose speakers are
    # told apart never come to a warm worker.
    for row in ({"path": _NAME}, {"path": _NAME, "language": "en"}):
        inspect(folder, _JOB, {**row, "speakers": "none"}, probing)


def transcribe_clip(folder: str, recipe: Recipe, probing: Mapping[str, Any]) -> str:
    """Transcribe the clip with all stages; called in a warm worker. Returns why that failed, if it did.

    ``folder``: it and all in it is removed at the end.
    """
    try:
        look_at_clip(folder, probing)
        return short_recording.transcribe_for_nothing(ShortTask(_JOB, folder, _NAME, recipe)).error
    except Exception as error:
        return str(error) or type(error).__name__
    finally:
        shutil.rmtree(folder, ignore_errors=True)
