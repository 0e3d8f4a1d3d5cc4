"""Texts as people have them: words, names of speakers, subtitles, Word documents, and files that are none."""

from __future__ import annotations

import zipfile
from pathlib import Path

import docx
import pytest
from docx.oxml import OxmlElement

from audiogrid.aligning.given_text import LARGEST_BYTES, read_given_text, split_words
from audiogrid.core.errors import InputError


def write(folder: Path, text: str, name: str = "a.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_punctuation_and_capitals_stay_with_their_words(tmp_path: Path) -> None:
    words = read_given_text(write(tmp_path, "“Well,” she said – twice.\nMr. O'Neil left"))
    assert "".join(word.text for word in words) == " “Well,” she said – twice. Mr. O'Neil left"
    assert [word.form for word in words] == ["well", "she", "said", "twice", "mr", "oneil", "left"]
    assert [word.paragraph for word in words] == [0, 0, 0, 0, 1, 1, 1]
    assert [word.ends_sentence for word in words][3] is True


def test_names_before_paragraphs_are_speakers_and_a_sentence_with_a_colon_stays_whole(tmp_path: Path) -> None:
    text = "Anna: Hello.\nIt rains.\nBen Ode: Yes.\nAnna: Listen: it stops.\nBen Ode: No.\nOne thing: we go."
    words = read_given_text(write(tmp_path, text))
    spoken: dict[int, list[str]] = {}
    for word in words:
        spoken.setdefault(word.paragraph, [word.speaker]).append(word.text.strip())
    assert list(spoken.values()) == [
        ["Anna", "Hello."],
        ["Anna", "It", "rains."],
        ["Ben Ode", "Yes."],
        ["Anna", "Listen:", "it", "stops."],
        ["Ben Ode", "No."],
        ["Ben Ode", "One", "thing:", "we", "go."],
    ]


def test_subtitles_lose_numbers_times_notes_and_tags(tmp_path: Path) -> None:
    srt = "1\n00:00:01,000 --> 00:00:02,000\n<i>Two</i> &amp; 3\n\n2\n00:00:03,000 --> 00:00:04,000\n42\n"
    vtt = "WEBVTT\n\nNOTE nothing\n\nx\n00:01.000 --> 00:02.000\n<v Zoë>Hi <c>there</c></v>\n"
    assert [w.text for w in read_given_text(write(tmp_path, srt, "a.srt"))] == [" Two &", " 3", " 42"]
    found = read_given_text(write(tmp_path, vtt, "a.vtt"))
    assert [(w.text, w.speaker) for w in found] == [(" Hi", "Zoë"), (" there", "Zoë")]


def test_a_word_document(tmp_path: Path) -> None:
    document = docx.Document()
    for line in ("First line.", "", "Second."):
        document.add_paragraph(line)
    document.save(str(tmp_path / "a.docx"))
    assert [w.text for w in read_given_text(tmp_path / "a.docx")] == [" First", " line.", " Second."]


def test_tables_and_tracked_changes_of_a_word_document(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("Scene one.")
    table = document.add_table(0, 3)
    for row in (("00:01", "ANNA", "Good morning."), ("00:04", "Ben Ode", "Yes."), ("00:06", "Ben Ode", "It rains.")):
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = text
    merged = table.add_row().cells
    merged[0].merge(merged[2]).text = "A pause"
    last = document.add_paragraph("We ")
    inserted = OxmlElement("w:ins")
    inserted.append(last.add_run("left")._r)
    last._p.append(inserted)
    deleted = OxmlElement("w:del")
    run = OxmlElement("w:r")
    gone = OxmlElement("w:delText")
    gone.text = "stayed"
    run.append(gone)
    deleted.append(run)
    last._p.append(deleted)
    last.add_run(" early.")
    document.save(str(tmp_path / "a.docx"))
    words = read_given_text(tmp_path / "a.docx")
    assert "".join(word.text for word in words) == " Scene one. Good morning. Yes. It rains. A pause We left early."
    speakers = {word.form: word.speaker for word in words}
    assert (speakers["scene"], speakers["morning"], speakers["rains"]) == ("", "ANNA", "Ben Ode")


def test_lines_of_rolling_subtitles_are_read_once_and_those_of_overlapping_cues_all(tmp_path: Path) -> None:
    rolling = (
        "WEBVTT\n\n00:00.000 --> 00:02.000\n \nhello world\n\n00:02.000 --> 00:02.010\nhello world\n \n\n"
        "00:02.010 --> 00:04.000\nhello world\nno no\n\n00:04.000 --> 00:06.000\nno no\nnot at all\n"
    )
    assert [
        w.form for w in read_given_text(write(tmp_path, rolling, "a.vtt"))
    ] == "hello world no no not at all".split()
    overlapping = (
        "1\n00:00:01,000 --> 00:00:04,000\n{\\an8}- Where is he?\n\n2\n00:00:02,000 --> 00:00:03,000\n- Who?\n\n"
        "3\n00:00:03,500 --> 00:00:05,000\n- Who?\n"
    )
    assert [w.form for w in read_given_text(write(tmp_path, overlapping, "a.srt"))] == "where is he who who".split()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_texts_in_every_form_of_unicode(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_bytes("He said “naïve”.\n今日は。 שלום עולם\n".encode(encoding))
    words = [word.text.strip() for word in read_given_text(tmp_path / "a.txt")]
    assert words == ["He", "said", "“naïve”.", "今", "日", "は。", "שלום", "עולם"]


def test_characters_are_words_where_no_spaces_are_written() -> None:
    assert list(split_words("今日はmail。")) == [" 今", "日", "は", "mail。"]
    assert [part.strip() for part in split_words("สวัสดี ab")] == ["ส", "วั", "ส", "ดี", "ab"]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.txt", b" \n\n ", "holds no words"),
        ("a.txt", b"...\n--\n", "holds no words"),
        ("a.txt", b"caf\xe9", "not UTF-8"),
        ("a.txt", b"RIFF\0\0\0", "is no text"),
        ("a.rtf", b"{\\rtf1 Hello}", "format that is not read"),
        ("a.pdf", b"%PDF-1.7 Hello", "format that is not read"),
        ("a.html", b"\n<!DOCTYPE html><p>Hello", "format that is not read"),
        ("a.odt", b"PK\3\4 mimetype", "format that is not read"),
        ("a.docx", b"PK\3\4 nonsense", "is no Word document"),
    ],
)
def test_what_is_no_text_is_refused_in_words(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=reason):
        read_given_text(tmp_path / name)


def test_files_that_would_fill_the_memory_are_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.txt").open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)
    with pytest.raises(InputError, match="20 MB"):
        read_given_text(tmp_path / "a.txt")
    with zipfile.ZipFile(tmp_path / "a.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"\0" * 201_000_000)
    with pytest.raises(InputError, match="unpacks to more"):
        read_given_text(tmp_path / "a.docx")
    with pytest.raises(InputError, match="cannot be read"):
        read_given_text(tmp_path / "none.txt")
