"""Every further format read back by a reader of somebody else: words, times and speakers are those of the document."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest
from docx import Document
from docx.enum.text import WD_COLOR_INDEX
from hypothesis import given, settings
from hypothesis import strategies as st
from label_studio_converter import Converter
from markdown_it import MarkdownIt
from praatio import textgrid
from pyannote.database.util import load_rttm, load_stm
from pympi import Elan
from ttconv.imsc import reader as imsc_reader
from ttconv.model import Br, P, Text

from audiogrid.core.text import clean_text
from audiogrid.export.cues import make_cues
from audiogrid.export.format_options import FormatOptions
from audiogrid.export.formats import FORMATS, file_name, render, render_all
from audiogrid.export.line_breaking import has_content

GAP = {"start": 60.0, "end": 120.0, "chunk": "talk.0001", "reason": "out of memory"}
NEW = [name for name, one in FORMATS.items() if not one.by_default]


def segment(text: str, start: float = 0.0, probability: float = 0.9, **more: Any) -> dict[str, Any]:
    words = [
        {"start": round(start + 0.4 * n, 3), "end": round(start + 0.4 * n + 0.35, 3), "word": f" {word}"}
        for n, word in enumerate(text.split(" "))
    ]
    for word in words:
        word["probability"] = probability
    return {"start": words[0]["start"], "end": words[-1]["end"], "text": text, "language": "en", "words": words, **more}


def document(*segments: dict[str, Any], gaps: tuple[dict[str, Any], ...] = (), mode: str = "mix") -> dict[str, Any]:
    return {
        "recording": "my talk",
        "path": "in/my talk.wav",
        "language": "en",
        "channels_mode": mode,
        "duration": 200.0,
        "segments": list(segments),
        "gaps": list(gaps),
        "seams": [],
    }


CALL = document(
    segment("Good morning, who is there?", 1.0, speaker="Channel 1"),
    segment("It is me.", 3.5, probability=0.3, speaker="Channel 2"),
    segment("Oh, hello!", 130.0, speaker="Channel 1"),
    gaps=({**GAP, "speaker": "Channel 1"},),
    mode="split",
)


def words_of(spoken: dict[str, Any], speaker: str | None = None) -> list[tuple[int, int, str]]:
    return [
        (round(1000 * word["start"]), round(1000 * word["end"]), word["word"].strip())
        for one in spoken["segments"]
        if speaker is None or one["speaker"] == speaker
        for word in one["words"]
    ]


def read_eaf(text: str, tmp: Any) -> Any:
    path = tmp / "x.eaf"
    path.write_text(text, encoding="utf-8")
    return Elan.Eaf(str(path))


def read_textgrid(text: str, tmp: Any) -> Any:
    path = tmp / "x.TextGrid"
    path.write_text(text, encoding="utf-8")
    return textgrid.openTextgrid(str(path), includeEmptyIntervals=False)


def test_elan(tmp_path: Any) -> None:
    eaf = read_eaf(render(CALL, "eaf"), tmp_path)
    assert sorted(eaf.get_tier_names()) == sorted(
        f"Channel {n}{part}" for n in (1, 2) for part in ("", " words", " confidence")
    )
    for name in ("Channel 1", "Channel 2"):
        assert [entry[:3] for entry in eaf.get_annotation_data_for_tier(f"{name} words")] == words_of(CALL, name)
        assert eaf.get_parameters_for_tier(f"{name} words")["PARENT_REF"] == name
        assert eaf.get_parameters_for_tier(name)["PARTICIPANT"] == name
    texts = [entry[2] for entry in eaf.get_annotation_data_for_tier("Channel 1")]
    assert texts == [
        "Good morning, who is there?",
        "[not transcribed 0:01:00-0:02:00: out of memory]",
        "Oh, hello!",
    ]
    assert {entry[2] for entry in eaf.get_annotation_data_for_tier("Channel 2 confidence")} == {"0.300"}


def test_praat(tmp_path: Any) -> None:
    grid = read_textgrid(render(CALL, "textgrid"), tmp_path)
    assert grid.maxTimestamp == 200.0
    assert list(grid.tierNames) == ["Channel 1", "Channel 1 words", "Channel 2", "Channel 2 words"]
    for name in ("Channel 1", "Channel 2"):
        found = [
            (round(1000 * one.start), round(1000 * one.end), one.label) for one in grid.getTier(f"{name} words").entries
        ]
        assert found == words_of(CALL, name)
    assert [one.label for one in grid.getTier("Channel 2").entries] == ["It is me."]


def test_audacity_labels() -> None:
    rows = [row.split("\t") for row in render(CALL, "audacity").splitlines()]
    assert [(float(start), float(end)) for start, end, _ in rows] == [
        (1.0, 2.95),
        (3.5, 4.65),
        (60.0, 120.0),
        (130.0, 130.75),
    ]
    assert rows[1][2] == "Channel 2: It is me."


def test_ctm_stm_and_rttm_have_the_fields_of_their_definitions() -> None:
    ctm = [line.split() for line in render(CALL, "ctm").splitlines()]
    assert all(len(fields) == 6 for fields in ctm)
    found = {(round(1000 * float(start)), word) for _, _, start, _, word, _ in ctm}
    assert found == {(start, word) for start, _, word in words_of(CALL)}
    assert {(fields[0], fields[1], fields[5]) for fields in ctm} == {
        ("my_talk", "1", "0.900"),
        ("my_talk", "2", "0.300"),
    }
    stm = [line.split(maxsplit=5) for line in render(CALL, "stm").splitlines()]
    assert [(fields[2], fields[3], fields[5]) for fields in stm] == [
        ("Channel_1", "1.000", "Good morning, who is there?"),
        ("Channel_2", "3.500", "It is me."),
        ("Channel_1", "60.000", "IGNORE_TIME_SEGMENT_IN_SCORING"),
        ("Channel_1", "130.000", "Oh, hello!"),
    ]
    rttm = [line.split() for line in render(CALL, "rttm").splitlines()]
    assert [(fields[0], fields[1], fields[3], fields[4], fields[7]) for fields in rttm] == [
        ("SPEAKER", "my_talk", "1.000", "1.950", "Channel_1"),
        ("SPEAKER", "my_talk", "3.500", "1.150", "Channel_2"),
        ("SPEAKER", "my_talk", "130.000", "0.750", "Channel_1"),
    ]
    assert {len(fields) for fields in rttm} == {10}


def test_pyannote_reads_stm_and_rttm(tmp_path: Any) -> None:
    for name in ("stm", "rttm"):
        (tmp_path / f"talk.{name}").write_text(str(render(CALL, name)), encoding="utf-8")
    turns = [("Channel_1", 1.0, 2.95), ("Channel_2", 3.5, 4.65), ("Channel_1", 130.0, 130.75)]
    (annotation,) = load_rttm(tmp_path / "talk.rttm").values()
    assert annotation.uri == "my_talk"
    found = [(speaker, one.start, one.end) for one, _, speaker in annotation.itertracks(yield_label=True)]
    assert found == [(speaker, start, pytest.approx(end)) for speaker, start, end in turns]
    (annotation,) = load_stm(tmp_path / "talk.stm").values()
    found = [(speaker, one.start, one.end) for one, _, speaker in annotation.itertracks(yield_label=True)]
    assert found == [*turns[:2], ("Channel_1", 60.0, 120.0), turns[2]]


def read_docx(data: bytes | str) -> Any:
    assert isinstance(data, bytes)
    return Document(io.BytesIO(data))


def test_word() -> None:
    paragraphs = read_docx(render(CALL, "docx")).paragraphs
    assert [paragraph.text for paragraph in paragraphs] == [
        "my talk",
        "[00:00:01] Channel 1: Good morning, who is there?",
        "[00:00:03] Channel 2: It is me.",
        "[00:01:00] Channel 1: [not transcribed 0:01:00-0:02:00: out of memory]",
        "[00:02:10] Channel 1: Oh, hello!",
    ]
    marked = [run.text for paragraph in paragraphs for run in paragraph.runs if run.font.highlight_color]
    assert marked == ["It is me."]
    assert paragraphs[2].runs[-1].font.highlight_color == WD_COLOR_INDEX.YELLOW


def read_md(text: str) -> tuple[list[str], list[str], set[str]]:
    """The paragraphs of Markdown, its emphasised words, and the kinds of blocks."""
    tokens = MarkdownIt("commonmark").parse(text)
    blocks = [token for token in tokens if token.type == "inline"]
    texts = ["".join(child.content for child in block.children if child.type == "text") for block in blocks]
    html = ["".join(child.content for child in block.children if child.type == "html_inline") for block in blocks]
    return texts, html, {token.type for token in tokens}


def test_markdown() -> None:
    texts, html, kinds = read_md(render(CALL, "md"))
    assert texts == [
        "my talk",
        "[00:00:01] Channel 1: Good morning, who is there?",
        "[00:00:03] Channel 2: It is me.",
        "[00:01:00] Channel 1: [not transcribed 0:01:00-0:02:00: out of memory]",
        "[00:02:10] Channel 1: Oh, hello!",
    ]
    assert html == ["", "", "<em></em>", "", ""]
    assert kinds == {"heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline"}


def read_ttml(text: str) -> list[tuple[int, int, list[str]]]:
    """Cues as an IMSC processor reads them: times in milliseconds, lines."""
    model = imsc_reader.to_model(ElementTree.ElementTree(ElementTree.fromstring(text)))
    found = []
    for element in model.get_body().dfs_iterator():
        if isinstance(element, P):
            lines = [""]
            for inner in element.dfs_iterator():
                if isinstance(inner, Br):
                    lines.append("")
                elif isinstance(inner, Text):
                    lines[-1] += inner.get_text()
            found.append((round(1000 * (element.get_begin() or 0)), round(1000 * element.get_end()), lines))
    return found


def test_ttml() -> None:
    spoken = document(segment("Good morning, everybody. Today we talk about boats & ropes <b>.", 1.0), gaps=(GAP,))
    assert read_ttml(render(spoken, "ttml")) == [(cue.start, cue.end, cue.lines) for cue in make_cues(spoken)]
    assert read_ttml(render(CALL, "ttml"))[1][2] == ["Channel 2: It is me."]


def test_ebu_tt_d() -> None:
    options = FormatOptions({"ttml": {"profile": "ebu-tt-d", "start": "10:00:00:05", "frames_per_second": 25}})
    spoken = document(segment("Good morning, everybody. Today we talk about boats & ropes <b>.", 1.0), gaps=(GAP,))
    text = str(render_all(spoken, ["ttml"], options=options)["ttml"])
    offset = 36_000_200
    assert read_ttml(text) == [(cue.start + offset, cue.end + offset, cue.lines) for cue in make_cues(spoken)]
    # What EBU Tech 3380 asks for beyond IMSC: a statement of conformance, cells, styles by reference, media times.
    root = ElementTree.fromstring(text)
    tt, styling = "{http://www.w3.org/ns/ttml}", "{http://www.w3.org/ns/ttml#styling}"
    (standard,) = root.iter("{urn:ebu:tt:metadata}conformsToStandard")
    assert standard.text == "urn:ebu:tt:distribution:2014-01"
    parameters = {name.rsplit("}")[-1]: value for name, value in root.attrib.items() if "#parameter" in name}
    assert parameters == {"timeBase": "media", "cellResolution": "32 15"}
    known = {one.get("{http://www.w3.org/XML/1998/namespace}id") for one in root.iter(f"{tt}style")}
    for element in (*root.iter(f"{tt}p"), *root.iter(f"{tt}span")):
        assert set(str(element.get("style")).split()) <= known
        assert not any(name.startswith(styling) for name in element.attrib)
    for element in root.iter(f"{tt}p"):
        assert all(re.fullmatch(r"\d{2,}:\d\d:\d\d\.\d{3}", str(element.get(name))) for name in ("begin", "end"))


class Paragraphs(HTMLParser):
    """Paragraphs of HTML with the time of their mark."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[list[Any]] = []
        self.is_mark = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "p":
            self.found.append([None, ""])
        assert tag in ("p", "b", "span"), tag
        if tag == "span":
            self.is_mark = True
            self.found[-1][0] = float(dict(attrs)["data-timestamp"] or "")

    def handle_endtag(self, tag: str) -> None:
        self.is_mark = self.is_mark and tag != "span"

    def handle_data(self, data: str) -> None:
        self.found[-1][1] += "" if self.is_mark else data


def read_otr(text: str | bytes) -> list[list[Any]]:
    return Paragraphs(json.loads(text)["text"]).found


def test_otranscribe() -> None:
    assert read_otr(render(CALL, "otr")) == [
        [1.0, " Channel 1: Good morning, who is there?"],
        [3.5, " Channel 2: It is me."],
        [60.0, " Channel 1: [not transcribed 0:01:00-0:02:00: out of memory]"],
        [130.0, " Channel 1: Oh, hello!"],
    ]
    assert json.loads(render(CALL, "otr"))["media"] == "my talk.wav"


def test_label_studio_tasks_have_the_fields_that_an_import_needs() -> None:
    [task] = json.loads(render_all(CALL, ["labelstudio"], None, "../in/my%20talk.wav")["labelstudio"])
    assert task["data"]["audio"] == "../in/my%20talk.wav"
    [prediction] = task["predictions"]
    regions: dict[str, dict[str, Any]] = {}
    for result in prediction["result"]:
        # Both results of a region share its id and span; an import joins them by that.
        regions.setdefault(result["id"], {}).update({result["type"]: result})
        assert (result["to_name"], result["from_name"]) in (("audio", "labels"), ("audio", "transcription"))
    found = [
        (one["labels"]["value"]["labels"], one["textarea"]["value"]["text"], one["labels"]["value"]["start"])
        for one in regions.values()
    ]
    assert found == [
        (["Channel 1"], ["Good morning, who is there?"], 1.0),
        (["Channel 2"], ["It is me."], 3.5),
        (["Channel 1"], ["[not transcribed 0:01:00-0:02:00: out of memory]"], 60.0),
        (["Channel 1"], ["Oh, hello!"], 130.0),
    ]
    assert [one["labels"]["value"]["channel"] for one in regions.values()] == [0, 1, 0, 0]
    assert [one["labels"].get("score") for one in regions.values()] == [0.9, 0.3, None, 0.9]


LABELS = """<View><Audio name="audio" value="$audio"/><Labels name="labels" toName="audio"><Label value="Channel 1"/>
<Label value="Channel 2"/></Labels><TextArea name="transcription" toName="audio" perRegion="true"/></View>"""


def test_label_studio_converts_a_prediction_that_a_person_accepted(tmp_path: Any) -> None:
    [task] = json.loads(str(render(CALL, "labelstudio")))
    # Accepting a prediction makes an annotation of it.
    accepted = [{"id": 1, "completed_by": 1, **one} for one in task["predictions"]]
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "1.json").write_text(json.dumps([{"id": 1, "data": task["data"], "annotations": accepted}]))
    converter = Converter(LABELS, str(tmp_path), download_resources=False)
    converter.convert_to_json_min(str(tmp_path / "tasks"), str(tmp_path / "out"))
    [made] = json.loads((tmp_path / "out" / "result.json").read_text())
    assert [(one["start"], one["end"], one["labels"]) for one in made["labels"]] == [
        (1.0, 2.95, ["Channel 1"]),
        (3.5, 4.65, ["Channel 2"]),
        (60.0, 120.0, ["Channel 1"]),
        (130.0, 130.75, ["Channel 1"]),
    ]
    assert made["transcription"] == [
        "Good morning, who is there?",
        "It is me.",
        "[not transcribed 0:01:00-0:02:00: out of memory]",
        "Oh, hello!",
    ]


def test_ohms() -> None:
    assert str(render(CALL, "ohms")).split("\n\n") == [
        "CHANNEL 1: Good morning, who is there?",
        "CHANNEL 2: It is me.",
        "CHANNEL 1: [00:01:00] [not transcribed 0:01:00-0:02:00: out of memory]",
        "CHANNEL 1: [00:02:00] Oh, hello!\n",
    ]
    talk = document(*(segment("Then it rained again, very hard.", 2.4 * n) for n in range(100)))
    marks = re.findall(r"\[(\d\d):(\d\d):(\d\d)\]", str(render(talk, "ohms")))
    assert marks == [("00", "01", "00"), ("00", "02", "00"), ("00", "03", "00")]


def test_a_recording_without_speech_gives_valid_empty_files(tmp_path: Any) -> None:
    files = render_all(document(), NEW)
    assert read_eaf(files["eaf"], tmp_path).get_annotation_data_for_tier("speech") == []
    assert [len(tier.entries) for tier in read_textgrid(files["textgrid"], tmp_path).tiers] == [0, 0]
    assert [files[name] for name in ("ctm", "stm", "rttm", "audacity")] == [""] * 4
    assert [paragraph.text for paragraph in read_docx(files["docx"]).paragraphs] == ["my talk"]
    assert read_md(files["md"])[0] == ["my talk"]
    assert read_ttml(files["ttml"]) == []
    assert files["ohms"] == "" and read_otr(files["otr"]) == []
    assert json.loads(files["labelstudio"])[0]["predictions"][0]["result"] == []


def test_the_same_transcript_gives_the_same_bytes() -> None:
    assert render_all(CALL, NEW) == render_all(CALL, NEW)


def test_files_end_as_the_interface_says() -> None:
    endings = {
        "textgrid": ".TextGrid",
        "audacity": ".audacity.txt",
        "ohms": ".ohms.txt",
        "labelstudio": ".labelstudio.json",
    }
    for name in FORMATS:
        assert file_name("talk", name) == f"talk{endings.get(name, f'.{name}')}"


HOSTILE = st.text(
    st.sampled_from("a'\"<>&-]\\[|*_`#~;:{}=!?., \t\n\u2028\u200f\u202eאبغ語😀👩\u200d👧é\u0301\ufffe\x0b0"),
    max_size=10,
)
READERS: dict[str, Callable[[Any, Any], Any]] = {
    "eaf": lambda text, tmp: [entry[2] for entry in read_eaf(text, tmp).get_annotation_data_for_tier("speech words")],
    "textgrid": lambda text, tmp: [one.label for one in read_textgrid(text, tmp).getTier("speech words").entries],
    "ctm": lambda text, _: [line.split(" ")[4] for line in text.splitlines()] if text else [],
}


@given(st.lists(HOSTILE, min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_hostile_text_survives(tmp_path_factory: Any, texts: list[str]) -> None:
    tmp = tmp_path_factory.mktemp("hostile", numbered=True)
    words = [clean_text(text) for text in texts]
    timed = [
        {"start": 0.5 * n, "end": 0.5 * n + 0.4, "word": f" {text}", "probability": 0.9} for n, text in enumerate(words)
    ]
    spoken = document({"start": 0.0, "end": 3.0, "text": "x", "language": "en", "words": timed})
    files = render_all(spoken, NEW)
    everything = "".join(re.sub(r"\s", "", text) for text in words)
    for name, read in READERS.items():
        found = "".join(re.sub(r"\s", "", one) for one in read(files[name], tmp))
        assert found == everything, name
    plain = "".join(re.sub(r"\s", "", paragraph.text) for paragraph in read_docx(files["docx"]).paragraphs[1:])
    assert re.sub(r"\[\d\d:\d\d:\d\d\]", "", plain) == everything
    texts_, _, kinds = read_md(files["md"])
    assert kinds <= {"heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline"}
    shown = re.sub(r"\[\d\d:\d\d:\d\d\]", "", "".join(re.sub(r"\s", "", text) for text in texts_[1:]))
    assert shown == everything
    shown = "".join(re.sub(r"\s", "", text) for _, text in read_otr(files["otr"]))
    assert shown == everything
    results = json.loads(files["labelstudio"])[0]["predictions"][0]["result"]
    shown = "".join(re.sub(r"\s", "", one["value"]["text"][0]) for one in results if one["type"] == "textarea")
    assert shown == everything
    lines = "".join(re.sub(r"\s", "", line) for _, _, cue in read_ttml(files["ttml"]) for line in cue)
    # A cue of nothing but punctuation is none.
    assert lines == (everything if has_content(everything) else "")
