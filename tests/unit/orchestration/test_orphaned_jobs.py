"""Jobs that a dead Snakemake left in a queue; Slurm's commands are stand-ins here, tests/slurm has real ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from audiogrid.core.errors import RetryableError
from audiogrid.orchestration import orphaned_jobs as cluster_jobs
from audiogrid.orchestration.orphaned_jobs import ClusterJob, cancel_orphaned_jobs, orphaned_jobs_of, read_queue

SQUEUE = """#!/bin/sh
[ ! -e {folder}/broken ] || {{ echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1; }}
cat {folder}/queue
"""
SCANCEL = """#!/bin/sh
echo "$@" >> {folder}/cancelled
[ -e {folder}/stubborn ] || : > {folder}/queue
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with stand-ins for squeue and scancel, and the queue that they work on."""
    for name, text in (("squeue", SQUEUE), ("scancel", SCANCEL)):
        (tmp_path / name).write_text(text.format(folder=tmp_path))
        (tmp_path / name).chmod(0o755)
    (tmp_path / "queue").touch()
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(cluster_jobs.time, "sleep", lambda seconds: None)
    return tmp_path


def test_a_queue_is_read_with_bars_in_folder_names_and_without_odd_lines():
    lines = "12|RUNNING|rule_transcribe_wildcards_s0001|/data/a|b\nodd line\n\n13|PENDING|(null)|/data"
    assert read_queue(lines) == [
        ClusterJob("12", "RUNNING", "rule_transcribe_wildcards_s0001", "/data/a|b"),
        ClusterJob("13", "PENDING", "(null)", "/data"),
    ]


def test_only_what_snakemake_submitted_from_this_folder_is_left_over(tmp_path):
    ours = ClusterJob("1", "RUNNING", "rule_split_wildcards_b0001", str(tmp_path))
    others = [
        ClusterJob("2", "RUNNING", "rule_split_wildcards_b0001", str(tmp_path / "elsewhere")),
        # The driver itself, when it runs as a job, or anything else that was submitted here.
        ClusterJob("3", "RUNNING", "(null)", str(tmp_path)),
    ]
    assert orphaned_jobs_of([ours, *others], tmp_path) == [ours]


def test_a_folder_is_known_by_both_its_names(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    jobs = [ClusterJob(name, "RUNNING", "rule_split", str(tmp_path / name)) for name in ("real", "link")]
    assert orphaned_jobs_of(jobs, tmp_path / "link") == jobs


def test_left_over_jobs_are_cancelled_and_waited_for(slurm, tmp_path):
    (slurm / "queue").write_text(
        f"7|RUNNING|rule_transcribe|{tmp_path}\n8|PENDING|rule_split|{tmp_path}\n9|RUNNING|x|/\n"
    )
    said: list[str] = []
    assert cancel_orphaned_jobs(tmp_path, said.append) == 2
    assert (slurm / "cancelled").read_text().split() == ["7", "8"]
    assert "7, 8" in said[0]


def test_nothing_is_cancelled_when_nothing_is_left(slurm, tmp_path):
    (slurm / "queue").write_text(f"7|RUNNING|rule_transcribe|{tmp_path}/other\n")
    assert cancel_orphaned_jobs(tmp_path, pytest.fail) == 0
    assert not (slurm / "cancelled").exists()


def test_without_slurm_there_is_nothing_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cancel_orphaned_jobs(tmp_path, pytest.fail) == 0


def test_a_queue_that_cannot_be_asked_is_an_error_that_says_so(slurm, tmp_path):
    (slurm / "broken").touch()
    with pytest.raises(RetryableError, match=r"squeue failed.*controller.*try again"):
        cancel_orphaned_jobs(tmp_path, lambda _: None)


def test_jobs_that_do_not_end_are_named(slurm, tmp_path, monkeypatch):
    (slurm / "stubborn").touch()
    (slurm / "queue").write_text(f"7|COMPLETING|rule_transcribe|{tmp_path}\n")
    monkeypatch.setattr(cluster_jobs, "PATIENCE_SECONDS", -1.0)
    with pytest.raises(RetryableError, match="jobs 7 of an earlier run do not end"):
        cancel_orphaned_jobs(tmp_path, lambda _: None)
