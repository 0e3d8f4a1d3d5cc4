"""Tells apart the speakers of a known clip, in a child process, to check that this machine finds speakers.

As with decoding, networks that load prove little: a broken library may return numbers that mean nothing.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from audiogrid.core.errors import InputError
from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.embedding.embedders import SPEAKERS_MODEL
from audiogrid.hardware.doctor import Verdict
from audiogrid.hardware.isolated_call import call_isolated
from audiogrid.models.registry import RECORD_NAME, open_staged

#: Two synthesised voices in four turns (samples/make_samples.py).
CLIP = Path(__file__).parent / "clip" / "two_voices.ogg"
# The middle of each turn in seconds, and who talks there.
_MIDDLES = ((2.5, 0), (7.0, 1), (12.0, 0), (17.5, 1))
_SUBJECT = "speakers"
# As for the other known clip: it takes 5 s of computing, and a machine may be so busy that these take minutes.
_SECONDS = 300.0
# The two voices of the clip are less like each other than this.
_LARGEST_COSINE = 0.45


def _find(folder: str) -> dict[str, Any]:
    """Find the speakers of the clip; runs in the child process. Returns what ``judge`` takes."""
    try:
        import numpy as np

        from audiogrid.embedding.chunk_voices import embed_chunk
        from audiogrid.embedding.networks.sessions import open_networks
        from audiogrid.embedding.voices import find_speakers
        from audiogrid.media.pcm_stream import stream_pcm
        from audiogrid.records.chunks import Chunk, Seam

        networks = open_networks(Path(folder))
        pcm = np.concatenate([block[0] for block in stream_pcm(CLIP)])
        began = time.process_time()
        voices = embed_chunk(pcm, (0, len(pcm)), networks)
        edge = Seam("edge", 0, 0)
        chunk = Chunk("clip", "clip", None, 0, 0, len(pcm), 0, len(pcm), edge, edge, "")
        found = find_speakers([(chunk, voices)])
        return {
            "voices": len(found.voices),
            "cosine": max((voice.nearest for voice in found.voices), default=-1.0),
            "turns": [(turn.start / SAMPLE_RATE, turn.end / SAMPLE_RATE, turn.speaker) for turn in found.turns],
            "speed": len(pcm) / SAMPLE_RATE / max(1e-3, time.process_time() - began),
        }
    except Exception as error:
        return {"error": " ".join(f"{type(error).__name__}: {error}".split())}


def judge(found: dict[str, Any]) -> Verdict:
    """Returns the verdict on what was found in the clip."""
    if "error" in found:
        return Verdict(_SUBJECT, "wrong", f"the known clip failed: {found['error']}", "keep such jobs off this node")
    heard = [{who for start, end, who in found["turns"] if start <= at < end} for at, _ in _MIDDLES]
    cosine = "" if found["voices"] < 2 else f", cosine {found['cosine']:.2f}"
    said = f"{found['voices']} voice(s) in the known clip of two{cosine}, {found['speed']:.0f}x real time a core"
    is_right = heard == [{who} for _, who in _MIDDLES] and found["voices"] == 2 and found["cosine"] < _LARGEST_COSINE
    if not is_right:
        return Verdict(_SUBJECT, "wrong", said, "audiogrid models speakers --verify; else keep such jobs off this node")
    return Verdict(_SUBJECT, "ok", said)


def check_speakers(models_dir: Path, *, full: bool = True) -> Verdict:
    """Returns whether the speaker networks tell the voices of the known clip apart; that they are absent is no fault.

    ``full``: hash their files, too.
    """
    folder = models_dir / SPEAKERS_MODEL
    if not (folder / RECORD_NAME).is_file():
        return Verdict(
            _SUBJECT, "ok", "no networks are staged; they are fetched by the first run that asks for speakers"
        )
    try:
        open_staged(folder, full=full)
    except InputError as error:
        return Verdict(_SUBJECT, "wrong", str(error), "delete that folder, then: audiogrid models speakers")
    return judge(call_isolated(_find, (str(folder),), _SECONDS))
