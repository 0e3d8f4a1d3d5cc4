"""The page of a recording: words, times and addresses, also with text that would like to break it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiogrid.core.text import clean_text
from audiogrid.export.media_links import may_have_picture, media_url
from audiogrid.export.paragraphs import make_paragraphs
from audiogrid.export.transcript_page import render_page, word_numbers


def word(text: str, start: float, end: float | None = None, probability: float = 0.9) -> dict[str, Any]:
    return {"start": start, "end": start + 0.3 if end is None else end, "word": text, "probability": probability}


def document(*segments: dict[str, Any], **more: Any) -> dict[str, Any]:
    whole = {"recording": "talk", "path": "in/talk.mp3", "duration": 60.0, "language": "en", "channels_mode": "mix"}
    return {**whole, "segments": list(segments), "gaps": [], "seams": [], "windows": [], "notes": [], **more}


def segment(*words: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"start": words[0]["start"], "end": words[-1]["end"], "words": list(words), **more}


class Reader(HTMLParser):
    """Texts of the paragraphs, the data, and every element."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.data = ""
        self._in = ""
        self._depth = 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "p" and dict(attrs).get("dir"):
            self.texts.append("")
            self._in = "p"
        if tag == "script":
            self._in = "data" if dict(attrs).get("id") == "data" else ""

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in == "p":
            self.texts[-1] += data
        elif self._in == "data":
            self.data += data


def test_paragraphs_follow_pauses_speakers_and_gaps() -> None:
    one = segment(word(" Hello", 0), word(" there.", 0.4), word(" Next.", 9))
    two = segment(word(" Yes?", 9.5), speaker="B")
    gap = {"start": 20.0, "end": 30.0, "chunk": "talk.0001", "reason": "out of memory"}
    found = make_paragraphs(document(one, two, segment(word(" Later.", 31)), gaps=[gap]))
    assert [(p.speaker, p.text, bool(p.gap)) for p in found] == [
        (None, "Hello there.", False),
        (None, "Next.", False),
        ("B", "Yes?", False),
        (None, "", True),
        (None, "Later.", False),
    ]


def test_a_long_speech_is_cut_at_ends_of_sentences() -> None:
    words = [word(" word." if n % 10 == 9 else " word", 0.3 * n) for n in range(1000)]
    found = make_paragraphs(document(segment(*words)))
    assert 5 < len(found) < 20
    assert all(p.text.endswith(".") for p in found)
    assert sum(len(p.words) for p in found) == 1000


def test_words_come_back_from_their_numbers() -> None:
    words = [word(" Grüße", 1.25, 1.75, 0.499), word(" 👩‍👧", 2.0), word("!", 2.3, 2.31, 1.0)]
    numbers = word_numbers(words)
    assert numbers == [1250, 500, 49, 5, 750, 300, 90, 6, 300, 10, 100, 1]
    utf16 = "Grüße 👩‍👧!".encode("utf-16-le")
    assert len(utf16) // 2 == sum(numbers[3::4])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(st.text(max_size=8), st.sampled_from(["</script>", "<b>", "&lt;", "'\"", "<!--", "]]>"])), min_size=1
    )
)
def test_no_text_breaks_the_page(texts: list[str]) -> None:
    words = [word(f" {clean_text(text)}", n * 0.4) for n, text in enumerate(texts) if clean_text(text).strip()]
    if not words:
        return
    page = render_page(document(segment(*words)), {"txt": "talk.txt"}, "../in/talk.mp3")
    read = Reader(page)
    numbers = json.loads(read.data)["words"]
    assert [sum(part[3::4]) for part in numbers] == [len(text.encode("utf-16-le")) // 2 for text in read.texts]
    assert read.texts == [p.text for p in make_paragraphs(document(segment(*words)))]
    harmless = [word(" x", 0.4 * n) for n in range(len(words))]
    plain = Reader(render_page(document(segment(*harmless)), {"txt": "talk.txt"}, "../in/talk.mp3"))
    assert [tag for tag, _ in read.tags] == [tag for tag, _ in plain.tags]


HOSTILE = [
    "-rf.mp3",
    "a#b?c%20d.mp3",
    'it\'s "so".mp3',
    "</script><img src=x>.mp3",
    "new\nline.mp3",
    "ünï 中.mp3",
    "a;b&c.mp3",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_an_address_leads_back_to_the_file(name: str, tmp_path: Path) -> None:
    folder = Path("results/x/transcripts")
    for path in (f"in/{name}", str(tmp_path / name)):
        url = media_url(path, folder)
        assert re.fullmatch(r"[\w./:%~-]+", url)
        back = unquote(url.removeprefix("file://"))
        assert (folder / back).resolve() == (Path.cwd() / path).resolve()
    page = render_page(document(path=f"in/{name}"), {}, media_url(f"in/{name}", folder))
    assert [attrs["src"] for tag, attrs in Reader(page).tags if tag in ("audio", "video")] == [
        media_url(f"in/{name}", folder)
    ]
    assert "img" not in [tag for tag, _ in Reader(page).tags]


def test_remote_recordings_are_played_where_a_browser_can_and_signatures_stay_away() -> None:
    assert media_url("https://host/a b.mp3?Signature=secret", Path("t")) == "https://host/a%20b.mp3"
    assert media_url("s3://bucket/a.mp3", Path("t")) == ""
    assert "<audio" in render_page(document(path="s3://bucket/a.mp3"), {}, "")


def test_pictures_have_a_place_and_nobody_speaking_is_said() -> None:
    assert may_have_picture("a.MP4")
    assert not may_have_picture("a.mp3")
    page = render_page(document(path="in/a.mp4"), {"srt": "talk.srt"}, "a.mp4")
    assert "<video" in page
    assert "Nobody speaks" in page
    assert 'href="talk.srt"' in page


def test_the_same_document_gives_the_same_bytes() -> None:
    made = document(segment(word(" Hello", 0)))
    assert render_page(made, {"txt": "talk.txt"}, "m") == render_page(made, {"txt": "talk.txt"}, "m")
