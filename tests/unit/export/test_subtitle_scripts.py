"""Subtitles of every script: what fits a line, who reads how fast, marks of direction, and text that means harm."""

from __future__ import annotations

import html
import io
import re
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pysubs2
import pytest
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st
from ttconv.imsc import reader as imsc_reader
from ttconv.model import Br, P, Text
from ttconv.style_properties import DirectionType, StyleProperties

from audiogrid.config.resolve import resolve
from audiogrid.core.json_values import from_json
from audiogrid.core.text import clean_text
from audiogrid.export.cues import CueOptions, make_cues
from audiogrid.export.format_options import FormatOptions
from audiogrid.export.formats import render_all
from audiogrid.export.line_breaking import has_content, is_cluster_start, is_right_to_left, width
from audiogrid.export.subtitle_presets import PRESETS

# A few sentences each, as their languages are written; the decoder gives words, or letters where there are no spaces.
TEXTS = {
    "en": "We went down to the harbour, and nobody was there. So we sat on the wall and waited for the tide to turn.",
    "de": "Wir gingen zum Hafen hinunter, aber dort war niemand. Also setzten wir uns auf die Mauer und warteten.",
    "ja": "港まで歩いて行きましたが、そこには誰もいませんでした。それで私たちは壁に座って、潮が変わるのを待ちました。",
    "zh": "我们走到港口，但是那里一个人也没有。所以我们坐在墙上，等着潮水转过来，一直等到天黑了才回家去。",
    "ko": "우리는 항구까지 걸어갔지만 그곳에는 아무도 없었습니다. 그래서 우리는 담에 앉아 물때를 기다렸습니다.",
    "th": "เราเดินลงไปที่ท่าเรือแต่ไม่มีใครอยู่ที่นั่นเราจึงนั่งบนกำแพงและรอให้น้ำขึ้นน้ำลงเปลี่ยนไปจนกระทั่งมืด",
    "ar": "مشينا إلى الميناء، ولم يكن هناك أحد. فجلسنا على الجدار وانتظرنا حتى تغير المد، ثم عدنا إلى البيت.",
    "he": "ירדנו אל הנמל, ולא היה שם איש. לכן ישבנו על החומה וחיכינו שהגאות תתחלף, ואז חזרנו הביתה.",
    "hi": "हम बंदरगाह तक गए, लेकिन वहाँ कोई नहीं था। इसलिए हम दीवार पर बैठ गए और ज्वार के बदलने का इंतज़ार करने लगे।",
}
SPACELESS = ("ja", "zh", "th")


def spoken(language: str, step: float = 0.3) -> dict[str, Any]:
    text = TEXTS[language]
    parts = list(text) if language in SPACELESS else [f" {word}" for word in text.split(" ")]
    words = [
        {"start": round(n * step, 3), "end": round(n * step + 0.9 * step, 3), "word": part, "probability": 0.9}
        for n, part in enumerate(parts)
    ]
    segment = {"start": 0.0, "end": words[-1]["end"], "text": text, "language": language, "words": words}
    return {
        "recording": "talk",
        "language": language,
        "channels_mode": "mix",
        "duration": words[-1]["end"] + 9,
        "segments": [segment],
        "gaps": [],
        "seams": [],
    }


def options_of(preset: str) -> CueOptions:
    return from_json(CueOptions, resolve({"subtitles": {"preset": preset}})["subtitles"])


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_language_keeps_to_every_preset(language: str, preset: str) -> None:
    options = options_of(preset)
    cues = make_cues(spoken(language, 0.12 if language in SPACELESS else 0.35), options)
    for cue in cues:
        assert len(cue.lines) <= options.max_lines
        assert all(width(line) <= options.columns(language) for line in cue.lines)
        assert all(map(has_content, cue.lines))
        for before, after in pairwise(cue.lines):
            assert is_cluster_start(before, after)
        assert not any(line[0] in "、。，．,.)」।،!?" for line in cue.lines)
        # No line is one short word beside a longer one.
        assert all(width(line) > 5 for line in cue.lines) or len(cue.lines) == 1
    for before, after in pairwise(cues):
        assert after.start - before.end >= 1000 * options.gap_seconds - 1e-6
        gap = after.start - before.end - round(1000 * options.gap_seconds)
        assert gap == 0 or gap >= 1000 * options.close_gaps_seconds or before.end - before.start >= 7000 - 1
    said = re.sub(r"\s", "", TEXTS[language])
    assert re.sub(r"\s", "", "".join(line for cue in cues for line in cue.lines)) == said


def test_limits_of_languages() -> None:
    usual, netflix = CueOptions(), options_of("netflix")
    assert [usual.columns(name) for name in (None, "en", "ja", "zh", "ko", "th")] == [42, 42, 26, 32, 32, 42]
    assert [usual.speed(name) for name in (None, "de", "ja", "zh", "ko")] == [20, 20, 8, 18, 20]
    assert [netflix.speed(name) for name in ("en", "de", "ja")] == [20, 17, 8]
    plain = CueOptions(by_language=False, max_line_chars=30, max_chars_per_second=15)
    assert (plain.columns("ja"), plain.speed("ja")) == (30, 15)
    # A wish below the limits of a language wins.
    assert CueOptions(max_line_chars=20, max_chars_per_second=5).columns("ja") == 20


def test_a_slow_reader_gets_the_pause_after_a_cue() -> None:
    document = spoken("ja", 0.05)
    (first, *_), (quick, *_) = make_cues(document), make_cues(document, CueOptions(by_language=False))
    assert first.language == "ja"
    assert make_cues(document)[-1].end > make_cues(document, CueOptions(by_language=False))[-1].end
    assert width("".join(first.lines)) <= width("".join(quick.lines))


def test_right_to_left_lines_have_marks_where_players_need_them() -> None:
    files = render_all(spoken("ar"), ["srt", "vtt", "ttml", "txt"])
    for event in pysubs2.SSAFile.from_string(str(files["srt"]), format_="srt"):
        assert all(line[0] == line[-1] == "\u200f" for line in event.text.split("\\N"))
    for caption in webvtt.from_buffer(io.StringIO(str(files["vtt"]))):
        assert all(line[0] == line[-1] == "\u200f" for line in caption.text.split("\n"))
    assert "\u200f" not in files["txt"] and "\u200f" not in str(files["ttml"])
    model = imsc_reader.to_model(ElementTree.ElementTree(ElementTree.fromstring(str(files["ttml"]))))
    shown = [one for one in model.get_body().dfs_iterator() if isinstance(one, P)]
    assert shown and all(one.get_style(StyleProperties.Direction) is DirectionType.rtl for one in shown)
    assert "\u200f" not in str(render_all(spoken("de"), ["srt"])["srt"])
    assert is_right_to_left("שלום, world") is False and is_right_to_left("שלום לכולם ok") is True


def test_punctuation_alone_is_no_cue_whatever_the_pauses() -> None:
    words = [
        {"start": 0.0, "end": 0.2, "word": " …", "probability": 0.5},
        {"start": 9.0, "end": 9.4, "word": " Yes", "probability": 0.5},
        {"start": 15.0, "end": 15.2, "word": " ?!", "probability": 0.5},
    ]
    document = spoken("en") | {"duration": 20.0}
    document["segments"] = [{"start": 0.0, "end": 15.2, "text": "x", "language": "en", "words": words}]
    (cue,) = make_cues(document)
    assert (cue.start, cue.lines) == (9000, ["… Yes ?!"])
    document["segments"][0]["words"] = [words[0], words[2]]
    assert make_cues(document) == []
    music = {"start": 1.0, "end": 2.0, "word": " ♪♪", "probability": 0.5}
    document["segments"][0]["words"] = [music]
    assert [cue.lines for cue in make_cues(document)] == [["♪♪"]]


def test_no_cue_is_one_short_word_where_it_can_be_helped() -> None:
    words = "They came and they saw and then they went and that is all that there was to it so".split()
    timed = [{"start": n * 0.5, "end": n * 0.5 + 0.45, "word": f" {word}"} for n, word in enumerate(words)]
    document = spoken("en")
    document["segments"] = [{"start": 0.0, "end": 10.0, "text": "x", "language": "en", "words": timed}]
    assert all(len(" ".join(cue.lines).split()) > 1 for cue in make_cues(document))


HOSTILE = st.lists(
    st.sampled_from(
        ["-->", "]]>", "<![CDATA[", "&amp;", '"', "'", "<b>", "</v>", "{\\an8}", "NOTE", "WEBVTT", "STYLE", "1", "\n\n",
         "00:00:01.000 --> 00:00:02.000", "😀", "👩\u200d👧", "é", "שלום", "مرحبا", "\u202e", "\u200f", "今天",
         "です。", "กำแพง", "…", "?"]
    ),
    min_size=1,
    max_size=8,
)  # fmt: skip
_MARKS = re.compile(r"[\s\u200f\u200e]")


def bare(text: str) -> str:
    return _MARKS.sub("", text)


def ttml_lines(text: str) -> list[list[str]]:
    model = imsc_reader.to_model(ElementTree.ElementTree(ElementTree.fromstring(text)))
    found = []
    for element in model.get_body().dfs_iterator():
        if isinstance(element, P):
            found.append([""])
            for inner in element.dfs_iterator():
                if isinstance(inner, Br):
                    found[-1].append("")
                elif isinstance(inner, Text):
                    found[-1][-1] += inner.get_text()
    return found


@settings(deadline=None, max_examples=60)
@given(HOSTILE, st.sampled_from(list(TEXTS)), st.sampled_from(["imsc", "ebu-tt-d"]))
def test_hostile_text_comes_through_whole(parts: list[str], language: str, profile: str) -> None:
    words = [
        {"start": n * 0.7, "end": n * 0.7 + 0.6, "word": f" {part}", "probability": 0.5} for n, part in enumerate(parts)
    ]
    document = spoken(language)
    document["segments"] = [{"start": 0.0, "end": 9.0, "text": "x", "language": language, "words": words}]
    files = render_all(document, ["srt", "vtt", "ttml"], options=FormatOptions({"ttml": {"profile": profile}}))
    cues = make_cues(document)
    lines = [bare("".join(cue.lines)) for cue in cues]
    said = clean_text("".join(parts))
    if has_content(said):
        assert "".join(lines) == bare(said)
    captions = list(webvtt.from_buffer(io.StringIO(str(files["vtt"]))))
    assert [bare(html.unescape(one.text)) for one in captions] == lines
    events = list(pysubs2.SSAFile.from_string(str(files["srt"]), format_="srt"))
    assert [(one.start, one.end) for one in events] == [(cue.start, cue.end) for cue in cues]
    assert [bare("".join(one)) for one in ttml_lines(str(files["ttml"]))] == lines
