"""Whether transcripts lie in sub-folders is decided once."""

from __future__ import annotations

from pathlib import Path

from audiogrid.planning.transcript_folders import MOST_IN_ONE_FOLDER, is_divided
from audiogrid.records.plan import Plan, Settings
from audiogrid.records.plan_files.reader import open_plan
from audiogrid.records.plan_files.writer import write_plan
from audiogrid.records.run_folder import RunFolder, sub_folder

MANY = MOST_IN_ONE_FOLDER + 1


def test_the_first_plan_decides_and_later_ones_follow_it(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert not is_divided(folder, None, MOST_IN_ONE_FOLDER)
    assert is_divided(folder, None, MANY)
    for divided in (True, False):
        write_plan(Plan(Settings("m", {}, {}, 5, 60, 600, 1, 0), [], [], [], divided=divided), folder.plan)
        plan = open_plan(folder.plan)
        assert plan.whole().divided is divided
        assert is_divided(folder, plan, 1) is is_divided(folder, plan, MANY) is divided


def test_where_the_plan_is_lost_transcripts_decide(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    flat = folder.transcripts / "talk.txt"
    flat.parent.mkdir()
    flat.touch()
    assert not is_divided(folder, None, MANY)
    flat.unlink()
    folder.transcripts_of("talk", divided=True).mkdir()
    assert is_divided(folder, None, 1)


def test_a_transcript_is_found_wherever_it_lies(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    place = folder.transcripts / sub_folder("talk")
    place.mkdir(parents=True)
    assert folder.transcript("talk", "talk.json") == folder.transcripts / "talk.json"
    (place / "talk.json").touch()
    assert folder.transcript("talk", "talk.json") == place / "talk.json"
    # The same on every machine and in every version.
    assert (sub_folder("talk"), sub_folder("später")) == ("ce", "bf")
