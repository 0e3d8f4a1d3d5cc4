"""The rows and columns of ``summary.tsv``: one row per recording with a transcript."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audiogrid.core.text import clean_text
from audiogrid.core.tsv import table_line
from audiogrid.export.provenance import model_names

#: Voices at least as like each other as this, by the cosine of their centroids, may be one person's.
DOUBTFUL_COSINE = 0.5
#: A voice with less speech may be a cough or crosstalk.
BRIEF_SECONDS = 10.0
#: Columns of ``summary.tsv``: name and meaning. docs/results.md lists them (``make docs``).
SUMMARY_COLUMNS = {
    "recording": "id of the recording, the stem of its files",
    "path": "the file, as it was given",
    "status": "`complete`; `partial`: something is odd about the file, see `note`; `gaps`: chunks are missing",
    "duration_s": "length of the audio that could be read, in seconds",
    "speech_s": "speech in it, in seconds, summed over channels",
    "language": "the language with the most speech",
    "words": "words of the transcript",
    "mean_probability": "mean probability of a word",
    "low_confidence_share": "share of words with a probability below 0.5",
    "expected_errors": "word error rate to be expected, as a share; empty where model or language have no calibration",
    "expected_errors_low": "lower end of an interval that held the error rates of nine of ten recordings",
    "expected_errors_high": "upper end of that interval",
    "windows": "windows decoded",
    "flagged": "windows whose first hypothesis looked wrong",
    "redecoded": "windows decoded more than once",
    "kept_careful": "windows whose later hypothesis was better and kept",
    "temperature_above_zero": "windows whose text was sampled at a temperature above 0",
    "seams": "boundaries between chunks",
    "hard_seams": "boundaries between chunks without a pause: there may be speech at them",
    "speakers": "speakers found; empty where none are asked for",
    "doubtful_speakers": "of them, those so like another one (cosine of 0.5 or more) that the two may be one person",
    "brief_speakers": "of them, those with less than 10 s of speech: a cough, crosstalk, or a person",
    "overlap_share": "share of the time in which anybody talks in which several do",
    "text_fit": "share of the words heard that its given text has, too, in passages of three or more; empty without a "
    "text",
    "differences": "places where its given text and the audio differ (`differences.tsv`); empty where no text is used",
    "model": "the model, or the models of its channels",
    "variant": "the variant of a rollout that it was decoded with",
    "note": "what is odd about the file or a chunk",
    "left_out": "what the transcript lacks or could not heed: unreadable audio, gaps, hotwords or corrections that do "
    "not fit",
    "folder": "the folder of its transcripts, in the folder of the run",
}


def _left_out(facts: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
    """Returns what a transcript lacks or could not heed, a sentence each."""
    odd = [facts["note"]] if facts.get("note") else []
    odd += [*(facts.get("notes") or []), *(facts.get("left_out") or [])]
    gaps = document["gaps"]
    seconds = sum(gap["end"] - gap["start"] for gap in gaps)
    missing = [f"{seconds:.1f} s in {len(gaps)} chunk(s) are not transcribed"] if gaps else []
    return [clean_text(str(sentence)) for sentence in dict.fromkeys([*odd, *missing])]


def _speaker_columns(document: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the columns on speakers: all empty where none are asked for."""
    if "turns" not in document:
        return dict.fromkeys(("speakers", "doubtful_speakers", "brief_speakers", "overlap_share"), "")
    voices = document["speakers"]
    talk = sum(voice["seconds"] for voice in voices)
    # Talk time counts overlap once for each speaker; what is left is the time in which anybody talks.
    overlap = document["quality"]["overlap_seconds"]
    return {
        "speakers": len(voices),
        "doubtful_speakers": sum(voice.get("nearest", -1) >= DOUBTFUL_COSINE for voice in voices),
        "brief_speakers": sum(voice["seconds"] < BRIEF_SECONDS for voice in voices),
        "overlap_share": round(min(1.0, overlap / max(talk - overlap, overlap)), 4) if talk else 0.0,
    }


def _expected_columns(quality: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the columns on expected errors: empty where nothing is known."""
    expected = quality.get("expected_errors", {})
    names = {"expected_errors": "rate", "expected_errors_low": "low", "expected_errors_high": "high"}
    return {column: expected.get(name, "") for column, name in names.items()}


def summary_row(facts: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the row of a recording: column -> value. ``facts``: of its plan; ``document``: its transcript."""
    quality = document["quality"]
    odd = facts.get("note") or facts.get("notes")
    return {
        "recording": document["recording"],
        "path": document["path"],
        "status": "gaps" if document["gaps"] else "partial" if odd else "complete",
        "duration_s": document["duration"],
        "speech_s": quality["speech_seconds"],
        "language": document["language"] or "",
        "words": quality["words"],
        "mean_probability": quality["mean_probability"],
        "low_confidence_share": quality["low_confidence_share"],
        **_expected_columns(quality),
        "windows": quality["windows"],
        "flagged": quality["flagged_windows"],
        "redecoded": quality["redecoded_windows"],
        "kept_careful": quality["kept_careful"],
        "temperature_above_zero": quality["temperature_above_zero"],
        "seams": len(document["seams"]),
        "hard_seams": sum(seam["kind"] == "hard" for seam in document["seams"]),
        **_speaker_columns(document),
        "text_fit": facts.get("text_fit", ""),
        "differences": len(document["differences"]) if "differences" in document else "",
        "model": model_names(document),
        "variant": facts.get("variant", ""),
        "note": "; ".join(document["notes"]),
        "left_out": "; ".join(_left_out(facts, document)),
        "folder": facts.get("folder", ""),
    }


def summary_line(row: Mapping[str, Any]) -> bytes:
    """Returns a row of ``summary.tsv`` as it is written."""
    return table_line([row.get(column) for column in SUMMARY_COLUMNS])
