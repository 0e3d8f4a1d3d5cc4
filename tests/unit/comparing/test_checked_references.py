"""What a person has corrected in the run's own transcript is a reference for the variants."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from audiogrid.comparing.comparison import _checked_parts
from audiogrid.records.run_folder import RunFolder


def document(text: str, *corrected: int, audio: str = "ab" * 32) -> dict[str, Any]:
    """A word a second; some of them confirmed."""
    words = [
        {"start": float(n), "end": n + 0.5, "word": f" {word}", **({"confirmed": True} if n in corrected else {})}
        for n, word in enumerate(text.split())
    ]
    return {"segments": [{"text": text, "words": words}], "provenance": {"audio": audio}}


def test_variants_are_held_against_the_checked_stretches(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.transcripts.mkdir(parents=True)
    text = " ".join(f"w{n}" for n in range(60))
    variants = {"one": document(text), "two": document(text.replace("w20", "x20").replace("w50", "x50"))}
    # No transcript of the run, or one that nobody corrected.
    assert _checked_parts(run, "talk", variants) == (variants, None)
    path = run.transcripts / "talk.json"
    path.write_text(json.dumps(document(text)))
    assert _checked_parts(run, "talk", variants) == (variants, None)
    path.write_text(json.dumps(document(text, 10, 30)))
    parts, reference = _checked_parts(run, "talk", variants)
    assert reference == " ".join(text.split()[10:31])
    assert [one["segments"][0]["text"].split()[10] for one in parts.values()] == ["w20", "x20"]
    assert {len(one["segments"][0]["words"]) for one in parts.values()} == {21}
    # Another file took the place of the recording, or the transcript is damaged.
    path.write_text(json.dumps(document(text, 10, 30, audio="cd" * 32)))
    assert _checked_parts(run, "talk", variants) == (variants, None)
    path.write_text("{")
    assert _checked_parts(run, "talk", variants) == (variants, None)
