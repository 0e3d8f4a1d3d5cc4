"""What the report needs of a bundle, as sums and a few rows, and how the sums of bundles add up to that of a run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from audiogrid.merging.ledger_table import Totals, add_totals
from audiogrid.merging.merge_bundle import Failure, MergedBundle

#: Rows of a bundle that its sum holds: the worst, and a sample. The least certain passages, failures, remarks.
WORST, SAMPLE, PASSAGES, LISTED, LACKING = 40, 5, 25, 300, 5
#: Rows with a doubtful number of speakers, and rows with a text.
DOUBTFUL_SPEAKERS, TEXTS = 20, 25
#: Recordings are counted by their share of doubtful words, in steps of this.
STEP = 0.002
#: Ledgers of single recordings are kept for no more of them than this.
LEDGERS = 16
#: Recordings with more speakers are counted together.
MOST_SPEAKERS = 12


@dataclass
class SpeakerSum:
    """Recordings with speakers ``asked`` for, and their ``voices`` in all. ``spoken``: those with any.

    ``counts``: number of speakers (as text) -> recordings; ``doubtful``: recordings with a doubtful number, of which
    ``examples`` are the most doubtful rows; ``overlap``: sum over recordings of the share in which several talk.
    """

    asked: int = 0
    voices: int = 0
    spoken: int = 0
    overlap: float = 0.0
    doubtful: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    examples: list[dict[str, Any]] = field(default_factory=list)

    def add(self, other: SpeakerSum) -> None:
        """Add the sum of other recordings."""
        for name in ("asked", "voices", "spoken", "overlap", "doubtful"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        _add_counts(self.counts, other.counts)
        self.examples = sorted([*self.examples, *other.examples], key=_doubt_about_speakers)[:DOUBTFUL_SPEAKERS]


@dataclass
class TextSum:
    """Recordings with a text, ``asked`` in all, of which ``used`` come out with it.

    ``fit``: sum over those of the share of the words heard that the text has; ``differences``: places where text and
    audio differ; ``examples``: rows with a page, those whose texts fit least first.
    """

    asked: int = 0
    used: int = 0
    fit: float = 0.0
    differences: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)

    def add(self, other: TextSum) -> None:
        """Add the sum of other recordings."""
        for name in ("asked", "used", "fit", "differences"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.examples = sorted([*self.examples, *other.examples], key=_misfit)[:TEXTS]


@dataclass
class BundleSum:
    """Sums over the recordings of a bundle, or of several.

    ``recordings``: with a transcript, of which ``incomplete`` are not whole and ``expected`` have an expected error
    rate. ``seconds``: their length. ``hours``: ``language``, ``model`` and ``variant`` -> name -> seconds. ``doubt``:
    share of doubtful words in steps (as text) -> recordings. ``ledger``: ``kind/reason`` -> samples, over
    ``accounted`` recordings; ``ledgers``: the same of single recordings, where they are few. ``lost``: recordings
    without a transcript, ``gaps``: with one that has gaps, both because of ``failures``. ``lacking``: recordings that
    lack something. ``worst``, ``sample``: rows; ``passages``: least certain ones. ``edited``: transcripts that were
    edited by hand.
    ``other_files``: whether earlier merges wrote files that no longer belong to these recordings.
    """

    recordings: int = 0
    incomplete: int = 0
    expected: int = 0
    seconds: float = 0.0
    words: int = 0
    windows: int = 0
    flagged: int = 0
    redecoded: int = 0
    kept_careful: int = 0
    hours: dict[str, dict[str, float]] = field(default_factory=dict)
    doubt: dict[str, int] = field(default_factory=dict)
    ledger: dict[str, int] = field(default_factory=dict)
    accounted: int = 0
    ledgers: dict[str, dict[str, int]] = field(default_factory=dict)
    speakers: SpeakerSum = field(default_factory=SpeakerSum)
    texts: TextSum = field(default_factory=TextSum)
    lacking: int = 0
    lacking_rows: list[dict[str, Any]] = field(default_factory=list)
    lost: int = 0
    failures: int = 0
    failure_rows: list[Failure] = field(default_factory=list)
    gaps: int = 0
    passages: list[dict[str, Any]] = field(default_factory=list)
    worst: list[dict[str, Any]] = field(default_factory=list)
    sample: list[dict[str, Any]] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    other_files: bool = True

    @property
    def totals(self) -> Totals:
        """Samples by kind and reason."""
        return _totals(self.ledger)

    def totals_of(self, recording: str) -> Totals:
        """Samples of one recording by kind and reason."""
        return _totals(self.ledgers[recording])

    def add(self, other: BundleSum) -> None:
        """Add the sum of other recordings. Of rows, as many stay as a sum of a run needs."""
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name, seconds in other.hours.items():
            _add_counts(self.hours.setdefault(name, {}), seconds)
        _add_counts(self.doubt, other.doubt)
        _add_counts(self.ledger, other.ledger)
        if self.accounted <= LEDGERS:
            self.ledgers |= other.ledgers
        else:
            self.ledgers = {}
        self.speakers.add(other.speakers)
        self.texts.add(other.texts)
        self.lacking_rows = [*self.lacking_rows, *other.lacking_rows][:LACKING]
        self.failure_rows = [*self.failure_rows, *other.failure_rows][:LISTED]
        self.passages = sorted([*self.passages, *other.passages], key=_certainty)[:PASSAGES]
        self.edited += other.edited


_NUMBERS = (
    *("recordings", "incomplete", "expected", "seconds", "words", "windows", "flagged", "redecoded"),
    *("kept_careful", "accounted", "lacking", "lost", "failures", "gaps"),
)


def _add_counts(counts: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, count in more.items():
        counts[name] = counts.get(name, 0) + count


def _totals(ledger: Mapping[str, int]) -> Totals:
    return {(kind, reason): samples for name, samples in ledger.items() for kind, _, reason in [name.partition("/")]}


def _named(totals: Totals) -> dict[str, int]:
    return {f"{kind}/{reason}": samples for (kind, reason), samples in totals.items()}


def _certainty(passage: Mapping[str, Any]) -> float:
    return float(passage["probability"])


def badness(row: Mapping[str, Any]) -> tuple[bool, float, float, str]:
    """Returns by what rows are sorted so that the worst come first: incomplete ones, then by errors to be expected."""
    doubt = float(row["low_confidence_share"] or 0) if row["words"] else 0.0
    return row["status"] == "complete", -float(row.get("expected_errors") or 0), -doubt, str(row["recording"])


def chance(row: Mapping[str, Any]) -> str:
    """Returns by what rows are sorted so that the first ones are a sample, the same every time."""
    return hashlib.sha256(str(row["recording"]).encode("utf-8", "replace")).hexdigest()


def _doubt_about_speakers(row: Mapping[str, Any]) -> tuple[int, int, str]:
    return -int(row["doubtful_speakers"] or 0), -int(row["brief_speakers"] or 0), str(row["recording"])


def _misfit(row: Mapping[str, Any]) -> tuple[bool, float, str]:
    """Returns by what rows with texts are sorted: those that are not used, then those that fit least."""
    return row["differences"] != "", float(row["text_fit"]), str(row["recording"])


def _text_sum(merged: MergedBundle) -> TextSum:
    asked = sorted((row for row in merged.rows if row.get("text_fit") not in (None, "")), key=_misfit)
    used = [row for row in asked if row["differences"] != ""]
    names = ("recording", "text_fit", "differences", "page")
    return TextSum(
        len(asked),
        len(used),
        sum(float(row["text_fit"]) for row in used),
        sum(int(row["differences"]) for row in used),
        [{name: row[name] for name in names} for row in shown_rows(merged, asked[:TEXTS])],
    )


def page_of(files: Mapping[str, Mapping[str, str]]) -> str:
    """Returns the path of a recording's page or text, relative to the run's folder: that of the zip which it is in.

    ``files``: by format. Returns an empty path where it has neither.
    """
    return next((files[kind]["path"] for kind in ("html", "txt", "json") if kind in files), "")


def _speaker_sum(rows: Sequence[Mapping[str, Any]]) -> SpeakerSum:
    asked = [row for row in rows if row.get("speakers") not in (None, "")]
    found = SpeakerSum(len(asked))
    for row in asked:
        count = int(row["speakers"])
        found.voices += count
        name = str(min(MOST_SPEAKERS, count))
        found.counts[name] = found.counts.get(name, 0) + 1
        if count:
            found.spoken += 1
            found.overlap += float(row["overlap_share"] or 0)
    doubtful = sorted((row for row in asked if _doubt_about_speakers(row)[:2] != (0, 0)), key=_doubt_about_speakers)
    names = ("recording", "speakers", "doubtful_speakers", "brief_speakers")
    found.doubtful = len(doubtful)
    found.examples = [{name: row[name] for name in names} for row in doubtful[:DOUBTFUL_SPEAKERS]]
    return found


def sum_bundle(merged: MergedBundle, ledgers: Mapping[str, Totals] | None = None) -> BundleSum:
    """Returns the sum of a merged bundle. ``ledgers``: samples by kind and reason, by recording."""
    rows, known = merged.rows, dict(ledgers or {})
    found = BundleSum(len(rows), edited=list(merged.edited))
    for row in rows:
        found.incomplete += row["status"] != "complete"
        found.expected += row.get("expected_errors") not in (None, "")
        found.seconds += float(row["duration_s"] or 0)
        for name in ("words", "windows", "flagged", "redecoded", "kept_careful"):
            setattr(found, name, getattr(found, name) + int(row.get(name) or 0))
        for name in ("language", "model", "variant"):
            hours = found.hours.setdefault(name, {})
            hours[row.get(name) or ""] = hours.get(row.get(name) or "", 0.0) + float(row["duration_s"] or 0)
        if row["words"]:
            step = str(int(float(row["low_confidence_share"] or 0) / STEP))
            found.doubt[step] = found.doubt.get(step, 0) + 1
    found.ledger = _named(add_totals(known.values()))
    found.accounted = len(known)
    found.ledgers = {name: _named(totals) for name, totals in known.items()} if len(known) <= LEDGERS else {}
    found.speakers = _speaker_sum(rows)
    found.texts = _text_sum(merged)
    lacking = [{"recording": row["recording"], "left_out": row["left_out"]} for row in rows if row.get("left_out")]
    found.lacking, found.lacking_rows = len(lacking), lacking[:LACKING]
    whole = {row["recording"] for row in rows}
    found.lost = len({failure.recording for failure in merged.failures} - whole)
    found.gaps = len({failure.recording for failure in merged.failures} & whole)
    found.failures, found.failure_rows = len(merged.failures), merged.failures[:LISTED]
    passages = [
        {"recording": name, "page": page_of(merged.files.get(name, {})), **one}
        for name, several in merged.worst.items()
        for one in several
    ]
    found.passages = sorted(passages, key=_certainty)[:PASSAGES]
    found.worst = shown_rows(merged, sorted(rows, key=badness)[:WORST])
    found.sample = shown_rows(merged, sorted(rows, key=chance)[:SAMPLE])
    return found


def shown_rows(merged: MergedBundle, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns rows of a bundle, each with the path of its page."""
    return [{**row, "page": page_of(merged.files.get(row["recording"], {}))} for row in rows]
