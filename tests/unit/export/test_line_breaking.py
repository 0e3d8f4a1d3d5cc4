"""Where text may be broken, what joins two texts, and the same seen through every format."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiogrid.export.cues import CueOptions, make_cues
from audiogrid.export.formats import render_all
from audiogrid.export.line_breaking import can_break, is_cluster_start, pieces, separator, width

SPEECH = {
    "th": "สวัสดีครับวันนี้เราจะพูดเรื่องน้ำในแม่น้ำเจ้าพระยาและการเดินทางไปเชียงใหม่ของพวกเขา",
    "lo": "ສະບາຍດີມື້ນີ້ພວກເຮົາຈະເວົ້າກ່ຽວກັບນ້ຳໃນແມ່ນ້ຳຂອງແລະການເດີນທາງໄປຫຼວງພະບາງ",
    "my": "မင်္ဂလာပါဒီနေ့ကျွန်တော်တို့မြန်မာနိုင်ငံရဲ့မြစ်တွေအကြောင်းပြောကြမယ်",
    "ja": "今日は、川について話します。「橋」は、とても古いです！そうですか？はい。",
    "zh": "今天，我们谈谈这条河。“桥”非常古老！是吗？是的。",
}


def broken(text: str) -> str:
    """A text with a bar at every place where a line may be broken."""
    found = text[:1]
    for at in range(1, len(text)):
        found += ("|" if can_break(text[:at], text[at:]) else "") + text[at]
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今日は、「元気」です。", "今|日|は、|「元|気」|で|す。"),
        ("Bonjour ! well-known", "Bonjour ! |well-|known"),
        ("네 알겠습니다", "네 |알겠습니다"),
        # Marks stay with their letter, vowels before a consonant with what follows.
        ("ไปเด่นกำลัง", "ไป|เด่|น|กำ|ลั|ง"),
        ("ເຈົ້າຊື່", "ເຈົ້າ|ຊື່"),
        # The consonant at the end of a Burmese syllable stays with it.
        ("မြန်မာနိုင်ငံ", "မြန်|မာ|နိုင်|ငံ"),
        ("བོད་སྐད་ཡིག", "བོད་|སྐད་|ཡིག"),
        ("नमस्ते दुनिया", "नमस्ते |दुनिया"),
        ("👨‍👩‍👧x", "👨‍👩‍👧|x"),
    ],
)
def test_places_for_a_break(text: str, expected: str) -> None:
    assert broken(text) == expected


@pytest.mark.parametrize(
    ("text", "columns"),
    [("今天", 4), ("é", 1), ("e\u0301", 1), ("กำ", 2), ("ดี", 1), ("👨‍👩‍👧", 2), ("👍🏽", 2), ("한국", 4)],
)
def test_width_counts_what_is_seen(text: str, columns: int) -> None:
    assert width(text) == columns


@pytest.mark.parametrize(
    ("before", "after", "languages", "joint"),
    [
        ("알겠습니다", "내일", ("ko", "ko"), " "),
        ("漢字", "漢字", ("ko", "ko"), " "),
        ("今天", "很好", ("zh", "zh"), ""),
        ("です。", "はい", ("ja", "ja"), ""),
        ("好", "OK", ("zh", "zh"), " "),
        ("很好", "Good", ("zh", "en"), " "),
        ("done 😀", "😀 next", ("en", "en"), " "),
        ("one", "two", (None, None), " "),
        ("สวัส", "ดี", ("th", "th"), " "),
        ("กล", "ัง", ("th", "th"), ""),
        ("", "start", (), ""),
    ],
)
def test_what_joins_two_texts(before: str, after: str, languages: tuple[str | None, ...], joint: str) -> None:
    assert separator(before, after, *languages) == joint


def test_a_long_word_is_broken_between_letters_and_better_at_a_hyphen() -> None:
    assert pieces("abcdefg-hijklmnop", 10) == ["abcdefg-", "hijklmnop"]
    assert pieces("ก" + "\u0e49" * 30, 5) == ["ก" + "\u0e49" * 30]
    assert pieces("นานาน้ำน้ำ", 3) == ["นา", "นา", "น้ำ", "น้ำ"]


@given(st.text(min_size=1, max_size=30).filter(str.strip), st.integers(2, 12))
@settings(max_examples=80, deadline=None)
def test_pieces_are_the_text_and_fit(text: str, columns: int) -> None:
    found = pieces(text, columns)
    assert "".join(found) == text
    for before, piece in pairwise(found):
        assert is_cluster_start(before, piece)


def document(language: str, texts: list[list[str]]) -> dict[str, Any]:
    """A document with a segment per list, its words as the decoder gives them."""
    segments, at = [], 0.0
    for words in texts:
        timed = []
        for word in words:
            timed.append({"start": round(at, 2), "end": round(at + 0.1, 2), "word": word, "probability": 0.9})
            at += 0.1
        segments.append(
            {
                "start": timed[0]["start"],
                "end": timed[-1]["end"],
                "text": "".join(words).strip(),
                "language": language,
                "words": timed,
            }
        )
        at += 0.1
    return {"channels_mode": "mix", "duration": at, "segments": segments, "gaps": [], "seams": [], "path": "x.wav"}


def lines_of(files: dict[str, str]) -> list[str]:
    """All lines of text in the files that a reader sees."""
    srt = [line for line in files["srt"].splitlines() if line and "-->" not in line and not line.isdigit()]
    vtt = [line for line in files["vtt"].splitlines()[1:] if line and "-->" not in line]
    tsv = [row.split("\t")[2] for row in files["tsv"].splitlines()[1:]]
    txt = [line for line in files["txt"].splitlines() if line]
    return [*srt, *vtt, *tsv, *txt]


@pytest.mark.parametrize("language", SPEECH)
@pytest.mark.parametrize("size", [1, 7])
def test_no_line_of_any_format_begins_with_a_detached_mark(language: str, size: int) -> None:
    # The decoder's words are single code points in these languages, and its segments end anywhere.
    text = SPEECH[language] * 3
    parts = [list(text[n : n + 10 * size]) for n in range(0, len(text), 10 * size)]
    files = render_all(document(language, parts), ["srt", "vtt", "tsv", "txt"], CueOptions(max_line_chars=20))
    lines = lines_of(files)
    assert len(lines) > 10
    for line in lines:
        assert unicodedata.category(line[0])[0] != "M", line
        assert line[0] not in "ะาำๅๆ、。！？」”，", line
        assert line[-1] not in "เแโใไເແໂໃໄ「“", line
    assert "".join(files["txt"].split()) == text
    cues = make_cues(document(language, parts), CueOptions(max_line_chars=20))
    assert all(width(line) <= 20 for cue in cues for line in cue.lines)


def test_korean_has_spaces_between_segments_in_every_format() -> None:
    spoken = document("ko", [[" 네", " 알겠습니다"], [" 내일", " 다시", " 만나요"], ["감사합니다"]])
    files = render_all(spoken, ["txt", "srt", "vtt", "html"])
    whole = "네 알겠습니다 내일 다시 만나요 감사합니다"
    assert files["txt"] == whole + "\n"
    assert all(whole in files[name].replace("\n", " ") for name in ("srt", "vtt", "html"))


def test_japanese_and_chinese_have_none() -> None:
    for language, texts, whole in (
        ("ja", [["はい", "。"], [" そう", "です"]], "はい。そうです"),
        ("zh", [["今", "天"], ["很", "好"]], "今天很好"),
    ):
        files = render_all(document(language, texts), ["txt", "srt", "html"])
        assert files["txt"] == whole + "\n"
        assert whole in re.sub(r"\s", "", files["srt"])
        assert whole in files["html"]


@pytest.mark.parametrize("pause", [0.1, 4.0])
@pytest.mark.parametrize(
    "parts", [["नम", "स", "्", "ते"], ["👩🏽", "\u200d", "🚀 गया"], ["ครับ", "ๆ", "ดี"], ["e", "\u0301te"]]
)
def test_a_letter_in_several_segments_is_whole_whatever_the_pause(parts: list[str], pause: float) -> None:
    spoken = document("hi", [[part] for part in parts])
    for number, segment in enumerate(spoken["segments"]):
        for one in (segment, *segment["words"]):
            one.update(start=number * (pause + 0.1), end=number * (pause + 0.1) + 0.1)
    spoken["duration"] = 30.0
    lines = lines_of(render_all(spoken, ["srt", "vtt", "tsv", "txt"]))
    for line in lines:
        assert unicodedata.category(line[0])[0] != "M" and line[0] not in "ๆ\u200d🚀" and line[-1] != "\u200d", line
    # A mark that comes late does not make its cue last until then.
    assert make_cues(spoken)[0].start == 0
