"""Ten thousand recordings: sub-folders, a driver killed in the middle, and plans that lose their lines."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from pathlib import Path

import pytest

import runs
from audiogrid.planning.transcript_folders import MOST_IN_ONE_FOLDER
from audiogrid.records.run_folder import sub_folder
from media import write_wav

pytestmark = pytest.mark.workflow

SENTENCES = [
    "The library opens at nine in the morning.",
    "Every visitor receives a small paper map.",
    "A fox crossed the frozen lake at dawn.",
]
COUNT = MOST_IN_ONE_FOLDER + 1
PER_BUNDLE = 500
BUNDLES = -(-COUNT // PER_BUNDLE)


def fill(folder: Path, originals: list[Path]) -> None:
    for number in range(COUNT):
        place = folder / f"{number // 1000:02d}"
        place.mkdir(parents=True, exist_ok=True)
        os.link(originals[number % len(originals)], place / f"r{number:05d}.wav")


def merged(run: Path) -> dict[str, int]:
    """Bundles that are merged, and when."""
    return {path.name: path.stat().st_mtime_ns for path in (run / "merged").glob("*.json")}


def test_ten_thousand_recordings_survive_a_killed_driver(workspace, speech):
    originals = workspace.path / "originals"
    originals.mkdir()
    paths = [originals / f"{number}.wav" for number in range(len(SENTENCES))]
    for path, sentence in zip(paths, SENTENCES, strict=True):
        # Half a second from the middle of a sentence.
        write_wav(path, speech(sentences=[sentence]).pcm[8000:16000])
    fill(workspace.path / "in", paths)
    common = ("language=en", "formats=[json]", "search=false")
    # Links have the samples of their originals, so the store then has every chunk.
    workspace.snakemake("--config", "run=few", "recordings=originals", *common)
    stored = runs.stored(workspace.path / "results" / "store")
    many = ("snakemake", "--profile", "profiles/local", "--config", "run=many", "recordings=in", *common)
    run = workspace.path / "results" / "many"

    driver = workspace.start(*many)
    # A driver whose output nobody reads stands still once the pipe is full.
    reader = threading.Thread(target=driver.stdout.read)
    reader.start()
    deadline = time.monotonic() + 400
    while driver.poll() is None and len(merged(run)) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    workspace.kill(driver)
    driver.wait()
    reader.join()
    before = merged(run)
    assert 3 <= len(before) < BUNDLES
    # More than two parts of new files are looked at by jobs.
    assert len(list((run / "logs" / "probe").iterdir())) == 3

    done = workspace.run(*many)
    assert f"{COUNT} of {COUNT} recording(s) transcribed" in done.stdout
    after = merged(run)
    assert len(after) == BUNDLES
    # Nothing was done twice: no chunk was decoded, and what was merged stayed as it was.
    assert not runs.decoded(run)
    assert runs.stored(workspace.path / "results" / "store") == stored
    assert {name: after[name] for name in before} == before

    names = {f"r{number:05d}" for number in range(COUNT)}
    assert {row["recording"] for row in runs.table(run / "summary.tsv")} == names
    found = {path.relative_to(run / "transcripts").as_posix() for path in (run / "transcripts").rglob("*.json")}
    assert found == {f"{sub_folder(name)}/{name}.json" for name in names}

    # What every job reads of the plan does not hold the recordings.
    head = json.loads((run / "plan.json").read_text())
    assert (run / "plan.json").stat().st_size < 400 * (len(head["bundles"]) + len(head["shards"])) + 10_000
    assert max(one["span"]["bytes"] for one in head["bundles"]) < 2 * PER_BUNDLE * 400
    assert "Nothing to be done" in workspace.run(*many).stdout


def test_a_plan_whose_lines_were_deleted_is_made_anew(workspace, speech):
    write_wav(workspace.path / "in.wav", speech(sentences=SENTENCES[:1]).pcm)
    config = ("run=x", "recordings=in.wav", "language=en")
    run = workspace.path / "results" / "x"
    workspace.snakemake("--config", *config)
    decoded, transcripts = runs.decoded(run), runs.transcripts(run)
    assert decoded
    shutil.rmtree(run / ".state" / "plan")
    # One that only looks changes nothing.
    plan = (run / "plan.json").read_bytes()
    workspace.snakemake("--config", *config, "--dry-run", code=None)
    assert (run / "plan.json").read_bytes() == plan
    assert "the plan is made anew" in workspace.snakemake("--config", *config).stdout
    assert runs.decoded(run) == decoded and runs.transcripts(run) == transcripts
    assert "Nothing to be done" in workspace.snakemake("--config", *config).stdout
