"""Tables of a run hold any value on one line."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from audiogrid.core.tsv import escape_cell, read_table, unescape_cell, write_table


def test_ordinary_values_stay_as_they_are():
    assert escape_cell("plain grüße 東京  twice") == "plain grüße 東京  twice"


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_value_is_one_line_and_no_two_look_alike(one, other):
    line = escape_cell(one)
    assert line.isprintable()
    assert len(f"{line}.".splitlines()) == 1
    assert (line == escape_cell(other)) == (one == other)


def test_a_table(tmp_path: Path):
    rows = [("a\tb", None, 0.5), ("C:\\x\r\n", "\udcff", True)]
    write_table(tmp_path / "t.tsv", ("path", "note", "n"), rows)
    assert (tmp_path / "t.tsv").read_bytes() == b"path\tnote\tn\na\\tb\t\t0.5\nC:\\\\x\\r\\n\t\\udcff\tTrue\n"
    assert read_table(tmp_path / "t.tsv") == (
        ["path", "note", "n"],
        [{"path": "a\tb", "note": "", "n": "0.5"}, {"path": "C:\\x\r\n", "note": "\udcff", "n": "True"}],
    )


@given(st.text(max_size=30))
def test_a_value_is_read_back(value):
    assert unescape_cell(escape_cell(value)) == value


def test_what_a_person_or_a_spreadsheet_does_to_a_table_is_understood(tmp_path: Path):
    path = tmp_path / "t.tsv"
    path.write_bytes("\ufeffa\tb\tc\r\nC:\\new folder \\q \\Uffffffff\t1\r\n\r\nx\ty\tz\tmore\r\n".encode())
    columns, (first, second) = read_table(path)
    assert columns == ["a", "b", "c"]
    assert first == {"a": "C:\new folder \\q \\Uffffffff", "b": "1", "c": ""}
    assert second == {"a": "x", "b": "y", "c": "z"}
    path.write_bytes(b"")
    assert read_table(path) == ([], [])
