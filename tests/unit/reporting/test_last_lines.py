import logging

import pytest

from audiogrid.core.atomic_files import write_json
from audiogrid.merging.merge_bundle import Failure, MergedBundle
from audiogrid.orchestration.generations import merge_generation, shard_generation
from audiogrid.orchestration.snakemake_output import STREAM_HANDLER, hide_scheduling
from audiogrid.records.run_folder import RunFolder
from audiogrid.reporting.last_lines import read_run_summary
from run_tables import write_failures


@pytest.fixture
def folder(tmp_path):
    run = RunFolder(tmp_path / "results" / "x")
    run.root.mkdir(parents=True)
    run.summary.write_text("recording\tstatus\na\tcomplete\nb\tgaps\n")
    run.rejected.write_text("recording\tpath\treason\n")
    write_failures(run.failed, [])
    return run


def test_a_run_that_went_well(folder):
    ending = read_run_summary(folder)
    assert ending.lines[0].startswith("2 of 2 recording(s) transcribed")
    assert ending.troubles == []


def test_rejected_failed_and_gaps_are_counted_apart(folder):
    folder.rejected.write_text(
        "recording\tpath\treason\n" + "".join(f"r{i}\tr{i}.mp3\tIt is empty.\n" for i in range(7))
    )
    causes = [
        Failure("c", "c.mp3", "c.0001", "died\tof\nSIGSEGV"),
        Failure("b", "b.mp3", "b.0000", "left out as a gap"),
    ]
    write_failures(folder.failed, causes)
    ending = read_run_summary(folder)
    assert ending.lines[0].startswith("2 of 10")
    assert ending.troubles == ["7 recording(s) rejected", "1 recording(s) failed"]
    text = "\n".join(ending.lines)
    assert "and 2 more" in text
    assert "c.0001: died of SIGSEGV" in text
    assert "1 with a gap" in text
    assert "Run the same command again" in text


def test_what_else_a_recording_with_a_gap_lacks_is_told_too(folder):
    gap = "5.0 s in 1 chunk(s) are not transcribed"
    for left_out, told in ((gap, False), (f"readable until 0:01:00, where it is cut off; {gap}", True)):
        folder.summary.write_text(f"recording\tstatus\tleft_out\nb\tgaps\t{left_out}\n")
        write_failures(folder.failed, [Failure("b", "b.mp3", "b.0000", "left out as a gap")])
        lines = "\n".join(read_run_summary(folder).lines)
        assert ("1 with something left out" in lines) == ("readable until" in lines) == told


def test_a_shard_that_left_something_out_is_wanted_again(folder):
    path = folder.shards / "s0001.json"
    assert shard_generation(folder, "s0001") == 1
    for failed, problems, wanted in (({}, {}, 3), ({"a.0000": "x"}, {}, 4), ({}, {"a": "gone"}, 4)):
        write_json(path, {"generation": 3, "failed": failed, "facts": {"problems": problems}})
        assert shard_generation(folder, "s0001") == wanted


def test_a_bundle_is_merged_again_when_a_transcript_is_gone(folder):
    folder.transcripts.mkdir()
    transcript = folder.transcripts / "a.txt"
    transcript.write_text("x")
    assert merge_generation(folder, "b0001") == 1
    MergedBundle("b0001", {"a": {"txt": {"path": "transcripts/a.txt", "sha256": ""}}}).write(
        folder.merged / "b0001.json", 2
    )
    assert merge_generation(folder, "b0001") == 2
    transcript.unlink()
    assert merge_generation(folder, "b0001") == 3


def test_the_terminal_keeps_warnings_and_what_means_something():
    shown = []

    class Handler(logging.Handler):
        def emit(self, record):
            shown.append(record.getMessage())

    terminal, file = Handler(), Handler()
    terminal.name, file.name = STREAM_HANDLER, "log file"
    hide_scheduling([terminal, file])
    assert file.filters == []
    for level, text, event in (
        (logging.INFO, "Select jobs to execute...", None),
        (logging.INFO, "Nothing to be done (all requested files are present and up to date).", None),
        (logging.WARNING, "a warning", None),
        (logging.ERROR, "Error in rule transcribe", "job_error"),
        (logging.ERROR, "an error", "error"),
    ):
        terminal.handle(logging.makeLogRecord({"levelno": level, "msg": text, "event": event}))
    assert shown == ["Nothing to be done (all requested files are present and up to date).", "a warning", "an error"]
