"""What a crash, a hang, a bad chunk, a kill or a full disk costs: one chunk at most, never a finished one."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

import runs
from media import write_wav
from require import require

pytestmark = [pytest.mark.workflow, pytest.mark.faults]

SETTINGS = ("run=x", "recordings=in", "language=en", "chunk_minutes=0.5", "bundle_minutes=30", "formats=[txt,json]")


@pytest.fixture
def folder(workspace, speech, human_speech):
    """Three recordings of one bundle; the long one has three chunks.

    The note is French and Russian, and read as English: every way to decode a window is tried on it.
    """
    target = workspace.path / "in"
    target.mkdir()
    write_wav(target / "long.wav", speech(seconds=95, seed=3).pcm)
    foreign = np.concatenate([human_speech(language, 1).pcm for language in ("fr", "ru")])
    write_wav(target / "note.wav", foreign)
    write_wav(target / "other.wav", speech(seconds=20, seed=5).pcm)
    return target


@pytest.fixture(scope="module")
def undisturbed():
    """Transcripts of a run without faults, made once by the first test that asks."""
    return {}


@pytest.fixture
def reference(undisturbed, workspace, folder):
    if not undisturbed:
        workspace.snakemake("--config", *SETTINGS, "run=quiet", "store=quiet-store")
        undisturbed.update(runs.transcripts(workspace.path / "results" / "quiet"))
        assert len(undisturbed) == 6
    return undisturbed


@pytest.fixture
def faults(workspace):
    """Ask for faults: ``faults({"long.0001": {"do": "abort", "times": 1}})`` gives the environment to run with."""

    def ask(what: dict[str, dict[str, object]]) -> dict[str, str]:
        file = workspace.path / "faults" / "faults.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(what))
        return {"AUDIOGRID_FAULTS": str(file)}

    return ask


def go(workspace, *options, **more):
    return workspace.snakemake("--config", *SETTINGS, *options, **more)


def x(workspace) -> Path:
    return workspace.path / "results" / "x"


def test_workers_that_die_cost_one_attempt_at_one_chunk_each(workspace, folder, reference, faults):
    ways = {"long.0000": "segv", "long.0001": "abort", "long.0002": "kill", "note.0000": "exit", "other.0000": "raise"}
    done = go(workspace, env=faults({chunk: {"do": how, "times": 1} for chunk, how in ways.items()}))
    marks = {path.name for path in (workspace.path / "faults").glob("*.happened")}
    assert marks == {f"{chunk}.0.happened" for chunk in ways}
    assert "attempt 2 of 2 follows" in done.stdout or "trying them one by one" in done.stdout
    assert runs.transcripts(x(workspace)) == reference
    assert set(runs.decoded(x(workspace)).values()) == {1}


def test_a_decode_that_hangs_is_stopped_and_tried_again(workspace, folder, reference, faults):
    fault = faults({"long.0001": {"do": "hang", "times": 1}})
    done = go(workspace, "workers={chunk_timeout_minutes: 0.6}", env=fault)
    assert "hung" in done.stdout
    assert runs.transcripts(x(workspace)) == reference


def test_a_chunk_that_always_fails_withholds_its_own_recording_only(workspace, folder, reference, faults):
    done = go(workspace, code=1, env=faults({"long.0002": {"do": "abort"}}))
    assert "long.0002" in done.stdout
    assert "SIGABRT" in done.stdout
    there = runs.transcripts(x(workspace))
    assert there == {name: hash_ for name, hash_ in reference.items() if "/long." not in name}
    (failed,) = runs.table(x(workspace) / "failed.tsv")
    assert (failed["recording"], failed["chunk"]) == ("long", "long.0002")
    assert "SIGABRT" in failed["cause"]
    assert [row["recording"] for row in runs.table(x(workspace) / "summary.tsv")] == ["note", "other"]
    assert "1 recording(s) have no transcript" in (x(workspace) / "report.html").read_text()
    ledger = runs.ledger(x(workspace))
    assert set(ledger) == {"long", "note", "other"}
    # Words that no transcript holds count as lost.
    assert "speech_without_words/failed_chunk" in runs.seconds_of(ledger["long"])
    assert "speech_with_words" not in runs.seconds_of(ledger["long"])
    assert "speech_with_words" in runs.seconds_of(ledger["note"])
    kept = runs.stored(workspace.path / "results" / "store")

    # The next run tries only that chunk.
    done = go(workspace)
    assert "3 of 3 recording(s) transcribed" in done.stdout
    after = runs.stored(workspace.path / "results" / "store")
    assert {key: after[key] for key in kept} == kept
    assert len(after) == len(kept) + 1
    assert set(runs.decoded(x(workspace)).values()) == {1}
    assert runs.transcripts(x(workspace)) == reference
    assert runs.table(x(workspace) / "failed.tsv") == []


def test_with_gaps_allowed_the_gap_is_visible_in_every_format_and_closed_by_the_next_run(
    workspace, folder, reference, faults
):
    formats = "formats=[txt,json,srt,vtt,tsv]"
    done = go(workspace, "allow_gaps=true", formats, env=faults({"long.0002": {"do": "raise"}}))
    assert "1 with a gap" in done.stdout
    for kind in ("txt", "srt", "vtt", "tsv"):
        assert "not transcribed" in (x(workspace) / "transcripts" / f"long.{kind}").read_text()
    document = json.loads((x(workspace) / "transcripts" / "long.json").read_text())
    assert [gap["chunk"] for gap in document["gaps"]] == ["long.0002"]
    (gap,) = document["gaps"]
    spent = runs.seconds_of(runs.ledger(x(workspace))["long"])
    assert spent["speech_without_words/failed_chunk"] == pytest.approx(gap["end"] - gap["start"], abs=0.002)
    assert "speech_with_words" in spent
    assert [row["status"] for row in runs.table(x(workspace) / "summary.tsv")] == ["gaps", "complete", "complete"]
    go(workspace)
    there = runs.transcripts(x(workspace))
    assert {name: there[name] for name in reference} == reference


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
@pytest.mark.parametrize("victim", ["everything", "snakemake", "transcribe"])
def test_killed_at_a_random_moment_the_same_command_goes_on(workspace, folder, reference, number, victim):
    moment = random.Random(f"{number}{victim}{os.getpid()}")
    process = workspace.start("snakemake", "--profile", "profiles/local", "--config", *SETTINGS)
    try:
        delay = moment.uniform(2, 14)
        output, _ = process.communicate(timeout=delay)
    except subprocess.TimeoutExpired:
        strike(workspace, process, victim, number)
        output, _ = process.communicate(timeout=300)
    print(f"struck after {delay:.1f} s:\n{output}")
    kept = runs.stored(workspace.path / "results" / "store") if (workspace.path / "results" / "store").exists() else {}
    done = go(workspace)
    assert "3 of 3 recording(s) transcribed" in done.stdout or "Nothing to be done" in done.stdout
    after = runs.stored(workspace.path / "results" / "store")
    assert {key: after[key] for key in kept} == kept
    assert set(runs.decoded(x(workspace)).values()) == {1}
    assert runs.transcripts(x(workspace)) == reference
    assert not list((workspace.path / "results").rglob(".tmp-*")) or number == signal.SIGKILL


def test_a_run_goes_on_when_nobody_reads_its_output_any_more(workspace, folder, reference):
    process = workspace.start("snakemake", "--profile", "profiles/local", "--config", *SETTINGS)
    assert any("transcribed (0%)" in line for line in process.stdout)
    process.stdout.close()
    assert process.wait(timeout=300) == 0
    assert runs.transcripts(x(workspace)) == reference


def strike(workspace, process, victim, number):
    """Send ``number`` to the whole group, to Snakemake alone, or to the transcribe command alone."""
    if victim == "everything":
        workspace.kill(process, number)
    elif victim == "snakemake":
        os.kill(process.pid, number)
    else:
        import psutil

        for other in psutil.process_iter():
            try:
                line = other.cmdline()
                inside = Path(other.cwd()).is_relative_to(workspace.path)
            except (psutil.Error, OSError):
                continue
            if inside and any(word.endswith("/transcribe.py") for word in line):
                other.send_signal(number)


def test_damaged_results_are_decoded_again_and_nothing_else(workspace, folder, reference):
    go(workspace)
    store = workspace.path / "results" / "store"
    before = runs.stored(store)
    document = json.loads((x(workspace) / "transcripts" / "long.json").read_text())
    damaged = {chunk["key"] for chunk in document["provenance"]["chunks"][:2]}
    cut, flipped = (store / key[:2] / f"{key}.json" for key in sorted(damaged))
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    data = bytearray(flipped.read_bytes())
    data[len(data) // 2] ^= 1
    flipped.write_bytes(data)
    # A new run over the same audio needs them.
    workspace.snakemake("--config", *SETTINGS, "run=z")
    after = runs.stored(store)
    assert {key: facts for key, facts in after.items() if key not in damaged} == {
        key: facts for key, facts in before.items() if key not in damaged
    }
    assert runs.transcripts(workspace.path / "results" / "z") == reference
    assert sum(runs.decoded(workspace.path / "results" / "z").values()) == 2


def test_a_full_disk_in_the_middle_is_said_and_the_next_run_goes_on(workspace, folder, reference):
    small = workspace.path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", str(small)], check=False)
    require("tmpfs", mounted.returncode == 0, "mounting a tmpfs needs root")
    try:
        done = go(workspace, "store=small/store", code=1)
        assert "No space left" in done.stdout
        assert "free space" in done.stdout
        failed = runs.table(x(workspace) / "failed.tsv")
        assert failed
        assert all("No space left" in row["cause"] for row in failed)
        kept = runs.stored(small / "store")
        subprocess.run(["mount", "-o", "remount,size=8m", str(small)], check=True)
        go(workspace, "store=small/store")
        after = runs.stored(small / "store")
        assert {key: after[key] for key in kept} == kept
        assert runs.transcripts(x(workspace)) == reference
    finally:
        for _ in range(20):
            if subprocess.run(["umount", str(small)], check=False).returncode == 0:
                break
            time.sleep(0.5)


def test_a_file_replaced_while_the_run_goes_on_is_noticed(workspace, folder, reference):
    workspace.snakemake("plan", "--config", *SETTINGS)
    # What probe saw is not what split finds.
    data = (folder / "note.wav").read_bytes()
    listing = json.loads((x(workspace) / "probe.json").read_text())
    (folder / "note.wav").write_bytes(data[: len(data) // 2])
    work = workspace.run(
        "python", "scripts/split.py", "--plan=results/x/plan.json", "--bundle=b0001", "--output=results/x/chunks/b0001"
    )
    manifest = json.loads((x(workspace) / "chunks" / "b0001" / "manifest.json").read_text())
    assert list(manifest["problems"]) == ["note"]
    assert "changed" in manifest["problems"]["note"], work.stdout
    assert {chunk["recording"] for chunk in manifest["chunks"]} == {"long", "other"}
    assert len(listing["recordings"]) == 3


def test_no_process_outlives_a_killed_snakemake(workspace, folder):
    process = workspace.start("snakemake", "--profile", "profiles/local", "--config", *SETTINGS)
    store = workspace.path / "results" / "store"
    deadline = time.monotonic() + 60
    while not list(store.glob("??/*.json")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 30
    while workspace.survivors() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert workspace.survivors() == []


def test_a_failed_rerun_keeps_the_last_good_transcripts_until_there_are_new_ones(workspace, speech, faults):
    """Then: what somebody edited is kept, what no longer belongs is moved, and the last lines name all of it."""
    here = workspace.path / "in"
    here.mkdir()
    for name, seed in (("good", 4), ("bad", 5)):
        write_wav(here / f"{name}.wav", speech(seconds=8, seed=seed).pcm)
    options = ("run=x", "recordings=in", "language=en")
    workspace.snakemake("--config", *options, "formats=[txt,json]")
    first = runs.transcripts(x(workspace))

    # Another prompt, and it fails for one of them.
    fault = faults({"bad.0000": {"do": "abort"}})
    done = workspace.snakemake("--config", *options, "formats=[txt,json]", "prompt=A talk.", code=1, env=fault)
    second = runs.transcripts(x(workspace))
    assert set(second) == set(first)
    assert {name for name in first if second[name] != first[name]} >= {"transcripts/good.json"}
    assert second["transcripts/bad.json"] == first["transcripts/bad.json"]
    assert "2 transcript(s) of an earlier run stay until there are new ones: transcripts/bad.json" in done.stdout
    assert "of an earlier run stay" in (x(workspace) / "report.html").read_text()

    (x(workspace) / "transcripts" / "good.txt").write_text("As I heard it.\n")
    (here / "bad.wav").rename(here / "renamed.wav")
    done = workspace.snakemake("--config", *options, "formats=[txt]", "prompt=Another talk.")
    assert {name.removeprefix("transcripts/") for name in runs.transcripts(x(workspace))} == {
        "good.txt",
        "good.edited.txt",
        "renamed.txt",
    }
    assert (x(workspace) / "transcripts" / "good.edited.txt").read_text() == "As I heard it.\n"
    assert "3 file(s) of recordings or formats that are no longer wanted" in done.stdout
    assert "1 transcript(s) edited by hand were kept: transcripts/good.edited.txt" in done.stdout
    moved = runs.table(x(workspace) / "superseded" / "superseded.tsv")
    assert {row["file"] for row in moved} == {f"transcripts/{name}" for name in ("bad.txt", "bad.json", "good.json")}
    assert all((x(workspace) / row["moved_to"]).is_file() for row in moved)
