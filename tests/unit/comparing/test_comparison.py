"""From transcripts to figures, the table and the page."""

from __future__ import annotations

import csv
import html

import numpy as np
import pytest

from audiogrid.comparing import compare_table
from audiogrid.comparing.compare_page import compare_page
from audiogrid.comparing.comparison import Comparison
from audiogrid.comparing.decoding_cost import DecodingCost
from audiogrid.records.prices import Prices
from audiogrid.scoring.error_rates import all_groups
from audiogrid.scoring.score_recording import score_recording, spoken_language

NASTY = '<script>alert(1)</script> & "it\'s"'


def document(text, path="in/a.wav", language="en"):
    """A transcript with a word per second."""
    words = [
        {"word": f" {word}", "start": float(n), "end": n + 0.8, "probability": 0.9}
        for n, word in enumerate(text.split())
    ]
    segments = [{"text": f" {text}", "words": words}] if words else []
    return {"path": path, "duration": float(len(words)), "language": language, "segments": segments}


SAID = "the cat sat on the old red mat and looked at nine small birds in the tall green tree"


def judged(recording, condition="original", reference=SAID, other=SAID, columns=None, path="in/a.wav"):
    documents = {"current": document(SAID.replace("birds", "words"), path), "turbo": document(other, path)}
    return score_recording(recording, condition, columns or {}, documents, "en", reference)


def test_errors_are_counted_against_the_reference_and_between_variants():
    one = judged("a", other=SAID.replace("old red ", ""))
    assert (one.scores["current"].substitutions, one.scores["current"].total) == (1, 1)
    assert (one.scores["turbo"].deletions, one.scores["turbo"].total) == (2, 2)
    assert one.apart["current"].total == 0 and one.apart["turbo"].total == 3
    assert one.tokens.sum() == 19
    first = one.passages[0]
    assert first.at == pytest.approx(first.passage.start, abs=2)


def test_without_a_reference_only_differences_are_known():
    one = judged("a", reference=None)
    assert one.scores == {} and one.tokens is None
    (group,) = all_groups([one], ["current", "turbo"])
    assert group.referenced == 0
    assert group.figures[1].rate is None and group.figures[1].difference is None
    assert group.figures[1].apart.value == pytest.approx(1 / 19)


def test_the_language_texts_are_compared_in():
    documents = {"a": document("x", language="es"), "b": document("x", language="en"), "c": document("x")}
    assert spoken_language(documents, {"language": "auto"}) == "en"
    assert spoken_language(documents, {"language": "ja"}) == "ja"
    assert spoken_language(documents, {"language": "ja", "task": "translate"}) == "en"


def test_groups_are_by_condition_and_by_columns_that_tell_something():
    rows = [
        judged("a", columns={"device": "phone", "id": "1"}),
        judged("b", columns={"device": "desk", "id": "2"}),
        judged("c", columns={"id": "3", "device": "desk"}),
        judged("a", "telephone", columns={"device": "phone"}),
    ]
    found = {(group.kind, group.value): group.recordings for group in all_groups(rows, ["current", "turbo"])}
    assert found[("condition", "original")] == 3 and found[("condition", "telephone")] == 1
    assert found[("column device", "desk")] == 2 and found[("column device", "phone")] == 1
    assert not any(kind == "language" for kind, _ in found)


def test_many_recordings_are_drawn_as_such_and_few_as_passages():
    few = all_groups([judged(f"r{n}") for n in range(5)], ["current", "turbo"])[0]
    many = all_groups([judged(f"r{n}") for n in range(40)], ["current", "turbo"])[0]
    assert (few.units, few.drawn) == ("passages", 5)
    assert (many.units, many.drawn) == ("recordings", 40)
    figure = many.figures[1]
    assert figure.difference.value == pytest.approx(-1 / 19) and figure.chance == 1.0
    assert (figure.rate.value, many.tokens) == (0.0, 19 * 40)


def test_words_and_characters_are_not_added_up():
    japanese = score_recording(
        "j", "original", {}, {"current": document("犬 が"), "turbo": document("犬 と")}, "ja", "犬が"
    )
    found = all_groups([judged("a"), japanese], ["current", "turbo"])
    assert [(group.unit, group.recordings) for group in found if group.kind == "condition"] == [
        ("words", 1),
        ("characters", 1),
    ]


def test_silence_where_nobody_spoke_is_no_error():
    quiet = score_recording("q", "original", {}, {"current": document(""), "turbo": document("thank you")}, "en", "")
    (group,) = all_groups([quiet, judged("a")], ["current", "turbo"])
    assert group.figures[1].insertions == 2 and group.figures[0].rate.value == pytest.approx(1 / 19)
    only = all_groups([quiet], ["current", "turbo"])[0]
    assert only.figures[1].rate is None


@pytest.fixture
def result():
    rows = [judged(f"r{n}", path=f"in/{n} #?%.wav", columns={"device": NASTY if n else "x"}) for n in range(6)]
    rows += [judged(f"r{n}", "telephone", other=SAID.replace("tall", NASTY)) for n in range(6)]
    effort = DecodingCost()
    effort.add(100.0, 10.0, 512, {"threads": 2, "device": "cpu"})
    return Comparison(
        run="x",
        variants={"current": {}, "turbo": {"model": "turbo", "prompt": NASTY}},
        models={"current": "base", "turbo": "turbo"},
        judged=rows,
        groups=all_groups(rows, ["current", "turbo"]),
        effort={"current": {"original": effort}, "turbo": {}},
        left_out=[f"r9: {NASTY}"],
    )


def test_the_table_has_every_figure(result, tmp_path):
    compare_table.write_compare_table(tmp_path / "compare.tsv", result, Prices(0.1, 1.0, "EUR"))
    with (tmp_path / "compare.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    first = rows[0]
    assert (first["kind"], first["group"], first["variant"], first["model"]) == (
        "condition",
        "original",
        "current",
        "base",
    )
    assert float(first["rate"]) == pytest.approx(1 / 19, abs=1e-5) and first["errors"] == "6"
    assert float(first["speed"]) == 5.0 and first["memory_mb"] == "512"
    assert float(first["cost_per_hour"]) == pytest.approx(720 / 3600 * 0.1, abs=1e-4)
    assert rows[1]["difference"].startswith("-0.0526") and rows[1]["speed"] == ""
    assert {row["group"] for row in rows if row["kind"] == "condition"} == {"original", "telephone"}


def test_the_page_escapes_everything_and_links_to_the_sound(result, tmp_path):
    page = compare_page(result, tmp_path)
    assert NASTY not in page and "<script>alert" not in page
    assert html.escape(NASTY, quote=False)[:20] in page
    assert "%20%23%3F%25.wav#t=" in page
    assert "points better" in page and "telephone" in page and "too few words" not in page
    assert page == compare_page(result, tmp_path)


def test_the_page_says_when_there_is_too_little(result, tmp_path):
    result.judged = result.judged[:1]
    result.groups = all_groups(result.judged, ["current", "turbo"])
    assert "too few words" in compare_page(result, tmp_path)


def test_the_page_says_when_there_is_nothing_to_see(tmp_path):
    rows = [score_recording("a", "original", {}, {"current": document(SAID), "turbo": document(SAID)}, "en", None)]
    groups = all_groups(rows, ["current", "turbo"])
    same = Comparison(
        "x", {"current": {}, "turbo": {}}, {"current": "b", "turbo": "b"}, rows, groups, {"current": {}, "turbo": {}}
    )
    same.same = ["turbo"]
    page = compare_page(same, tmp_path)
    assert "Nowhere" in page and "exactly as current does" in page and "No recording has a reference" in page
    assert not np.isnan(groups[0].figures[1].apart.value)
