"""Columns that are reserved for later settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from audiogrid.probing.list_recordings import list_sources
from audiogrid.probing.reserved_columns import RESERVED, reserved_column_problem


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("tracks", "auto"),
        ("tracks", "all"),
        ("tracks", "2"),
        ("tracks", "German, 3"),
        ("speakers", "none"),
        ("speakers", "Auto"),
        ("speakers", "3"),
        ("speakers", "2-4"),
        ("priority", "-5"),
        ("priority", ""),
        ("text", "here.txt"),
        ("rttm", "here.txt"),
        ("another", "whatever it says"),
    ],
)
def test_values_with_the_later_meaning_are_accepted(tmp_path: Path, column: str, value: str) -> None:
    (tmp_path / "here.txt").touch()
    assert reserved_column_problem({column: value}, lambda name: str(tmp_path / name)) is None


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("tracks", "opening theme"),
        ("tracks", "0"),
        ("speakers", "Ann, Bob"),
        ("speakers", "4-2"),
        ("speakers", "0"),
        ("priority", "high"),
        ("text", "good sound"),
        ("rttm", "missing.rttm"),
    ],
)
def test_other_values_reject_the_row_and_name_the_way_out(tmp_path: Path, column: str, value: str) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    table = tmp_path / "t.tsv"
    table.write_text(f"path\t{column}\na.wav\t{value}\na.wav\t\n")
    listing = list_sources(str(table))
    [rejection] = listing.rejected
    assert rejection.reason.startswith("Row 2 of t.tsv")
    for words in (repr(value), "rename the column", f"my_{column}"):
        assert words in rejection.reason
    assert len(listing.sources) == 1


def test_reserved_names_are_those_of_the_interface() -> None:
    assert set(RESERVED) == {"speakers", "rttm", "text", "priority"}
