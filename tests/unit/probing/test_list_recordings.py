"""Folders, globs and tables turned into recordings with ids."""

from __future__ import annotations

import codecs
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiogrid.core.errors import InputError
from audiogrid.probing.list_recordings import Listing, list_sources
from audiogrid.probing.recording_ids import safe_id
from bad_media import HOSTILE_NAMES


def _touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def _ids(listing: Listing) -> list[str]:
    return [source.recording for source in listing.sources]


def _files(listing: Listing, folder: Path) -> list[str]:
    return [str(Path(source.path).relative_to(folder)) for source in listing.sources]


def _table(folder: Path, text: str, name: str = "table.tsv") -> str:
    path = folder / name
    path.write_bytes(text.encode())
    return str(path)


def test_folder_is_read_in_depth_sorted_without_hidden_files_and_documents(tmp_path: Path) -> None:
    names = ("b.mp3", "a/z.wav", "a/k/deep.m4a", "noext", ".hidden.wav", ".git/x.wav", "notes.txt", "b.srt", "x.JSON")
    _touch(tmp_path, *names)

    listing = list_sources(str(tmp_path))

    assert _files(listing, tmp_path) == ["a/k/deep.m4a", "a/z.wav", "b.mp3", "noext"]
    assert listing.rejected == []
    assert {source.channels for source in listing.sources} == {"mix"}


def test_link_loops_end_and_dangling_links_are_rejected(tmp_path: Path) -> None:
    _touch(tmp_path, "a/one.wav")
    (tmp_path / "a/up").symlink_to(tmp_path)
    (tmp_path / "a/self").symlink_to(tmp_path / "a/self")
    (tmp_path / "gone.wav").symlink_to(tmp_path / "nothing.wav")
    (tmp_path / "linked.wav").symlink_to(tmp_path / "a/one.wav")

    listing = list_sources(str(tmp_path))

    assert _files(listing, tmp_path) == ["a/one.wav", "linked.wav"]
    assert sorted(Path(rejection.path).name for rejection in listing.rejected) == ["gone.wav", "self"]
    assert all("link points to nothing" in rejection.reason for rejection in listing.rejected)


def test_names_that_are_not_utf8_are_rejected(tmp_path: Path) -> None:
    _touch(tmp_path, "good.wav")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xffd.wav")).write_bytes(b"x")

    listing = list_sources(str(tmp_path))

    assert _ids(listing) == ["good"]
    assert listing.rejected[0].path.endswith("b\\xffd.wav")
    assert "rename" in listing.rejected[0].reason


@pytest.mark.parametrize(
    ("recordings", "message"),
    [
        ("missing", "missing does not exist"),
        ("empty", "empty holds no audio or video"),
        ("documents", "documents holds no audio or video"),
        ("*.wav", r"nothing matches \*\.wav"),
        ("documents/*", r"documents/\* holds no audio or video"),
        ("documents/a.txt", "not a media file, a folder or a table"),
        ("missing.tsv", "missing.tsv does not exist"),
        ("~nobody_here/x", "home folder"),
        ("", "recordings is empty"),
        ([], "recordings is empty"),
    ],
)
def test_what_is_not_there_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recordings: str | list[str], message: str
) -> None:
    monkeypatch.chdir(_touch(tmp_path, "documents/a.txt"))
    (tmp_path / "empty").mkdir()

    with pytest.raises(InputError, match=message):
        list_sources(recordings)


def test_unknown_channels_are_an_error() -> None:
    with pytest.raises(InputError, match=r"'stereo'.*'mix'.*'split'"):
        list_sources("x", channels="stereo")


def test_globs_files_and_lists_of_all_forms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(_touch(tmp_path, "x/a.wav", "x/b.mp3", "x/a.txt", "y/c.wav", "y/[1].wav"))
    table = _table(tmp_path, "path\nx/b.mp3\n")

    assert _files(list_sources("x/*"), Path()) == ["x/a.wav", "x/b.mp3"]
    assert _files(list_sources("**/*.wav"), Path()) == ["x/a.wav", "y/[1].wav", "y/c.wav"]
    assert _files(list_sources("*"), Path()) == ["x/a.wav", "x/b.mp3", "y/[1].wav", "y/c.wav"]
    assert _files(list_sources("y/[1].wav"), Path()) == ["y/[1].wav"]
    listing = list_sources(["x/a.wav", table, str(tmp_path / "x/b.mp3"), "./x/a.wav"], channels="split")
    assert _ids(listing) == ["a", "b"]
    assert {source.channels for source in listing.sources} == {"split"}


def test_stems_that_collide_get_a_suffix_which_stays(tmp_path: Path) -> None:
    _touch(tmp_path, "a.mp3", "a.wav", "A.flac", "sub/a.ogg", "b.wav")

    ids = _ids(list_sources(str(tmp_path)))
    listing = list_sources(str(tmp_path))

    assert ids == _ids(listing)
    assert len({name.casefold() for name in ids}) == 5
    plain = [name for name in ids if "-" not in name]
    assert sorted(name.casefold() for name in plain) == ["a", "b"]
    assert all(re.fullmatch(r"[aA]-[0-9a-f]{6}", name) for name in ids if name not in plain)


def test_files_added_later_never_rename_earlier_ones(tmp_path: Path) -> None:
    _touch(tmp_path, "b/a.wav")
    first = list_sources(str(tmp_path))
    known = {source.path: source.recording for source in first.sources}
    _touch(tmp_path, "a/a.wav")

    second = list_sources(str(tmp_path), known_ids=known)

    assert {source.path: source.recording for source in second.sources}[first.sources[0].path] == "a"
    assert len(set(_ids(second))) == 2


def test_known_ids_that_clash_are_told_apart(tmp_path: Path) -> None:
    _touch(tmp_path, "a.mp3", "a.wav")
    known = {str(tmp_path / "a.mp3"): "a", str(tmp_path / "a.wav"): "a"}

    assert len(set(_ids(list_sources(str(tmp_path), known_ids=known)))) == 2


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_names_give_harmless_ids(tmp_path: Path, name: str) -> None:
    _touch(tmp_path, name)

    listing = list_sources([str(tmp_path / name)])

    assert listing.sources[0].path == str(tmp_path / name)
    assert re.fullmatch(
        r"[\w\u0300-\u036f\u0900-\u097f][\w.\u0300-\u036f\u0900-\u097f-]*", listing.sources[0].recording
    )


@given(st.text(max_size=200))
def test_ids_are_safe_whatever_the_stem(stem: str) -> None:
    name = safe_id(stem)

    assert name and name not in (".", "..") and name[0] not in "-."
    assert len(name.encode()) <= 100
    assert not set(name) & set(" /\\\0\n\t'\"$`;&|<>(){}[]*?!#~%:")
    assert safe_id(name) == name


def test_ids_keep_letters_of_every_script_in_composed_form() -> None:
    assert safe_id("Gespräch 東京-2.1_हिन्दी") == "Gespräch_東京-2.1_हिन्दी"
    assert safe_id("e\u0301") == "\u00e9"
    assert safe_id("..") == "__"
    assert safe_id("") == "recording"
    assert safe_id("call.c1") == "call_c1"


def test_table_rows_carry_their_settings(tmp_path: Path) -> None:
    _touch(tmp_path, "calls/a.wav", "b.mp3")
    text = (
        "recording\tpath\tlanguage\tprompt\thotwords\tchannels\treference\tspeaker age\n"
        'first call\tcalls/a.wav\tde-AT\t"Guten Tag, hier ""Amt"""\tMüller\tsplit\tref/a.txt\t42\n'
        "\n"
        f"\t{tmp_path}/b.mp3\n"
    )

    first, second = list_sources(_table(tmp_path, text)).sources

    assert (first.recording, first.path) == ("first_call", str(tmp_path / "calls/a.wav"))
    assert (first.language, first.prompt, first.hotwords) == ("de", 'Guten Tag, hier "Amt"', "Müller")
    assert (first.channels, first.reference) == ("split", str(tmp_path / "ref/a.txt"))
    assert first.columns == {"speaker age": "42"}
    assert (second.recording, second.path, second.channels) == ("b", str(tmp_path / "b.mp3"), "mix")
    assert (second.language, second.prompt, second.reference, second.columns) == (None, None, None, {})


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("bom.csv", codecs.BOM_UTF8 + b"path,language\r\na b.wav,en\r\n"),
        ("crlf.tsv", b"path\tlanguage\r\na b.wav\ten\r\n"),
        ("quoted.csv", b'"path","language"\n"a b.wav","en"\n'),
        ("excel.csv", b"Path;Language\na b.wav;en\n"),
        ("unicode.tsv", "path\tlanguage\r\na b.wav\ten\r\n".encode("utf-16")),
        ("commas.tsv", b"path,language\na b.wav,en\n"),
        ("no_end.csv", b"language,path\nen,a b.wav"),
    ],
)
def test_tables_as_spreadsheets_write_them(tmp_path: Path, name: str, data: bytes) -> None:
    _touch(tmp_path, "a b.wav")
    (tmp_path / name).write_bytes(data)

    source = list_sources(str(tmp_path / name)).sources[0]

    assert (source.recording, source.path, source.language) == ("a_b", str(tmp_path / "a b.wav"), "en")


@pytest.mark.parametrize("odd", ["\u2028", "\x0b", "\x85", "\x1e"])
def test_only_line_feeds_and_returns_end_the_header_of_a_table(tmp_path: Path, odd: str) -> None:
    name = f"odd{odd}name.wav"
    (tmp_path / name).touch()
    (tmp_path / "list.csv").write_text(f"place{odd}of,path\r\nhall{odd}2,{name}\r\n", encoding="utf-8")
    listing = list_sources(str(tmp_path / "list.csv"))
    assert [Path(one.path).name for one in listing.sources] == [name]
    assert listing.sources[0].columns == {f"place{odd}of": f"hall{odd}2"}


def test_bad_rows_are_rejected_and_the_others_go_on(tmp_path: Path) -> None:
    _touch(tmp_path, "a.wav", "b.wav", "folder/x.wav")
    text = (
        "recording,path,language,channels\n"
        "one,a.wav,,\n"
        "two,,,\n"
        "three,missing.wav,,\n"
        "one,b.wav,,\n"
        "five,b.wav,,stereo\n"
        "six,b.wav,klingon,\n"
        "seven,folder,,\n"
        "eight,b.wav,,,,more\n"
        "nine,b.wav,auto,MIX\n"
    )

    listing = list_sources(_table(tmp_path, text, "t.csv"))

    assert _ids(listing) == ["one", "nine"]
    expected = {
        "Row 3 of t.csv: its path is empty": "two",
        "Row 4 of t.csv: 'missing.wav' does not exist": "three",
        "Row 5 of t.csv: the id 'one' is that of row 2 already": "one",
        "Row 6 of t.csv: channels is 'stereo': write mix or split": "five",
        "Row 7 of t.csv: language 'klingon'": "six",
        "Row 8 of t.csv: 'folder' is a folder": "seven",
        "Row 9 of t.csv: has 2 cell(s) more than the header": "eight",
    }
    assert [rejection.recording for rejection in listing.rejected] == list(expected.values())
    for rejection, start in zip(listing.rejected, expected, strict=True):
        assert rejection.reason.startswith(start)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"file\tlanguage\na.wav\ten\n", "column 'file' is unknown, did you mean 'path'.*recording, path, language"),
        (b"sound\ten\na.wav\ten\n", "column 'path' is missing, found 'sound', 'en'"),
        (b"path\tlang\na.wav\ten\n", "'lang' is unknown, did you mean 'language'"),
        (b"path\tlangauge\na.wav\ten\n", "'langauge' is unknown, did you mean 'language'"),
        (b"path\tpath\na.wav\ta.wav\n", "'path' occurs twice"),
        (b"", "has no header"),
        (b"path\n", "lists no recordings"),
        (b'path\tprompt\na.wav\t"open\n', "row 2: .*quotes"),
        (b"path\nb\xffd.wav\n", "line 2: not UTF-8"),
    ],
)
def test_unusable_tables_are_errors_that_name_file_and_place(tmp_path: Path, data: bytes, message: str) -> None:
    _touch(tmp_path, "a.wav")
    (tmp_path / "t.tsv").write_bytes(data)

    with pytest.raises(InputError, match=message) as caught:
        list_sources(str(tmp_path / "t.tsv"))

    assert "t.tsv" in str(caught.value)


def test_one_file_in_two_rows_counts_once_unless_named_twice(tmp_path: Path) -> None:
    _touch(tmp_path, "a.wav", "sub/b.wav")

    assert _ids(list_sources(_table(tmp_path, "path\na.wav\na.wav\n./sub/../a.wav\n"))) == ["a"]
    assert _ids(list_sources(_table(tmp_path, "recording\tpath\nx\ta.wav\ny\ta.wav\n"))) == ["x", "y"]


def test_ids_of_a_table_go_before_stems_and_equal_ones_after_cleaning_get_a_suffix(tmp_path: Path) -> None:
    _touch(tmp_path, "a.wav", "b.wav", "c.wav")

    ids = _ids(list_sources(_table(tmp_path, "path\trecording\na.wav\t\nb.wav\ta\nc.wav\tA?\n")))

    assert re.fullmatch(r"a-[0-9a-f]{6}", ids[0])
    assert ids[1:] == ["a", "A_"]


@pytest.mark.parametrize("name", ["a" * 5000, "*" * 300], ids=["name", "pattern"])
def test_a_name_that_no_file_can_have_is_an_error_in_words(name: str) -> None:
    with pytest.raises(InputError, match="cannot be looked at"):
        list_sources(name)
