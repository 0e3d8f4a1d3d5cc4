"""Columns of the summary that say how sure the speakers of a recording are, and how well its text fits."""

from __future__ import annotations

from typing import Any

from audiogrid.merging.summary_table import SUMMARY_COLUMNS, summary_row

FIGURES = "words speech_seconds windows flagged_windows redecoded_windows kept_careful temperature_above_zero".split()


def document(**more: Any) -> dict[str, Any]:
    quality = {**dict.fromkeys([*FIGURES, "mean_probability", "low_confidence_share"], 0), "overlap_seconds": 5.0}
    about = {"recording": "a", "path": "a.wav", "duration": 60.0, "language": "en"}
    return {**about, "gaps": [], "seams": [], "notes": [], "quality": quality, **more}


def test_speakers_are_counted_where_they_were_asked_for() -> None:
    row = summary_row({}, document())
    assert list(row) == list(SUMMARY_COLUMNS)
    assert (row["speakers"], row["doubtful_speakers"], row["brief_speakers"], row["overlap_share"]) == ("", "", "", "")
    voices = [
        {"speaker": "Anna", "seconds": 30.0, "nearest": 0.55},
        {"speaker": "Ben", "seconds": 20.0, "nearest": 0.55},
        {"speaker": "Speaker 3", "seconds": 5.0, "nearest": 0.1},
    ]
    row = summary_row({}, document(turns=[], speakers=voices))
    # 55 s of talk in 50 s, of which 5 have two people talk.
    assert (row["speakers"], row["doubtful_speakers"], row["brief_speakers"], row["overlap_share"]) == (3, 2, 1, 0.1)
    row = summary_row({}, document(turns=[], speakers=[]))
    assert (row["speakers"], row["overlap_share"]) == (0, 0.0)


def test_how_well_a_text_fits_is_told_where_there_is_one() -> None:
    assert (summary_row({}, document())["text_fit"], summary_row({}, document())["differences"]) == ("", "")
    row = summary_row({"text_fit": 0.9}, document(differences=[{"kind": "not heard"}]))
    assert (row["text_fit"], row["differences"]) == (0.9, 1)
    # The text of another recording.
    row = summary_row({"text_fit": 0.02}, document())
    assert (row["text_fit"], row["differences"]) == (0.02, "")
