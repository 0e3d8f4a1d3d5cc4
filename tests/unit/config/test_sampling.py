"""Samples, shares and references."""

from __future__ import annotations

import pytest

from audiogrid.config.sampling import Sample, choose_sample, is_rolled_out, parse_sample, parse_share
from audiogrid.core.atomic_files import write_json
from audiogrid.core.errors import InputError
from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.scoring.references import find_reference, read_reference, references_stamp


def entries(count, seconds=60):
    return [{"recording": f"r{number:04d}", "duration": seconds * SAMPLE_RATE} for number in range(count)]


def names(chosen):
    return [item["recording"] for item in chosen]


@pytest.mark.parametrize(
    "given, wanted",
    [
        ("all", Sample()),
        (12, Sample(recordings=12)),
        ("12 recordings", Sample(recordings=12)),
        ("90 min", Sample(minutes=90)),
        ("1.5h", Sample(minutes=90)),
    ],
)
def test_amounts_as_people_write_them(given, wanted):
    assert parse_sample(given) == wanted


@pytest.mark.parametrize("given", ["some", "-3", 0, "1.5", "", "ten min"])
def test_an_amount_that_is_none(given):
    with pytest.raises(InputError, match="90 min"):
        parse_sample(given)


def test_a_sample_stays_when_recordings_are_added():
    few, many = entries(100), entries(120)
    before, after = (
        names(choose_sample(few, Sample(recordings=20), 1)),
        names(choose_sample(many, Sample(recordings=20), 1)),
    )
    assert before == sorted(before)
    assert len(before) == len(after) == 20
    # What is new took places of its own only.
    assert set(after) - set(before) <= {f"r{number:04d}" for number in range(100, 120)}
    assert before == names(choose_sample(few[::-1], Sample(recordings=20), 1))[::-1]
    assert before != names(choose_sample(few, Sample(recordings=20), 2))
    assert choose_sample(few, Sample(), 1) == few


def test_recordings_with_a_reference_come_first():
    marked = {"r0003", "r0050", "r0099"}
    chosen = names(choose_sample(entries(100), Sample(recordings=5), 1, lambda item: item["recording"] in marked))
    assert marked <= set(chosen) and len(chosen) == 5


def test_minutes_are_not_exceeded_unless_nothing_fits():
    items = [*entries(30), {"recording": "endless", "duration": 36_000 * SAMPLE_RATE}]
    chosen = choose_sample(items, Sample(minutes=10), 1)
    assert len(chosen) == 10 and "endless" not in names(chosen)
    little = names(choose_sample(items, Sample(minutes=0.5), 1))
    assert len(little) == 1 and little != ["endless"]
    assert choose_sample([], Sample(minutes=10), 1) == []


def test_a_share_is_stable_and_as_large_as_it_says():
    ids = [f"call-{number}" for number in range(20_000)]
    tenth = {name for name in ids if is_rolled_out(name, 0.1)}
    third = {name for name in ids if is_rolled_out(name, 0.3)}
    assert len(tenth) == pytest.approx(2000, abs=150)
    assert len(third) == pytest.approx(6000, abs=250)
    assert tenth < third
    assert all(is_rolled_out(name, 1.0) for name in ids) and not any(is_rolled_out(name, 0.0) for name in ids)


@pytest.mark.parametrize("given, wanted", [("10 %", 0.1), ("10%", 0.1), (0.25, 0.25), ("100 %", 1.0), (0, 0.0)])
def test_shares_as_people_write_them(given, wanted):
    assert parse_share(given) == pytest.approx(wanted)


@pytest.mark.parametrize("given", ["110 %", 10, "much", "", "-5 %"])
def test_a_share_that_is_none(given):
    with pytest.raises(InputError, match="10 %"):
        parse_share(given)


def test_a_reference_is_named_or_lies_beside(tmp_path):
    sound = tmp_path / "talk.mp3"
    entry = {"path": str(sound), "reference": None}
    (tmp_path / "talk.txt").write_text("notes of somebody")
    assert find_reference(entry) is None
    (tmp_path / "talk.ref.txt").write_bytes("\ufeffÀ bientôt.".encode())
    assert find_reference(entry) == tmp_path / "talk.ref.txt"
    assert read_reference(tmp_path / "talk.ref.txt") == "À bientôt."
    assert find_reference({**entry, "reference": "other.txt"}).name == "other.txt"


def test_subtitles_can_be_references(tmp_path):
    path = tmp_path / "talk.srt"
    path.write_text("1\n00:00:01,000 --> 00:00:02,000\n<i>Good</i> morning,\n\n2\n00:00:03,000 --> 00:00:04,000\nall\n")
    assert read_reference(path).split() == ["Good", "morning,", "all"]


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00bad\xe9"])
def test_a_reference_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "x.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.txt"):
        read_reference(path)


def test_a_reference_that_comes_changes_or_goes_is_noticed(tmp_path):
    probe = tmp_path / "probe.json"
    assert references_stamp(probe) == ""
    recordings = [{"recording": name, "path": str(tmp_path / f"{name}.wav")} for name in ("a", "b")]
    write_json(probe, {"recordings": recordings})
    seen = [references_stamp(probe)]
    (tmp_path / "a.ref.txt").write_text("one")
    seen.append(references_stamp(probe))
    (tmp_path / "a.ref.txt").write_text("another")
    seen.append(references_stamp(probe))
    assert references_stamp(probe) == seen[-1]
    recordings[1]["reference"] = str(tmp_path / "gone.txt")
    write_json(probe, {"recordings": recordings})
    seen.append(references_stamp(probe))
    assert len(set(seen)) == 4
