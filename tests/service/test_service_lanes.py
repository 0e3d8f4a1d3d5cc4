"""What the service makes is what a run makes: the same keys, the same bytes; routes; the watched folder."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import runs
from media import write_media
from servers import Server

pytestmark = [pytest.mark.service, pytest.mark.workflow]


def wait_for(is_true: Callable[[], object], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_short_lane_gives_the_bytes_of_a_run(own_server: Server, clips: list[Path]) -> None:
    own_server.start("--config", "language=en")
    store = own_server.path / "results" / "store"
    shutil.copy(clips[0], own_server.path / "clip 0.wav")
    short = own_server.submit(clips[0])
    assert short["lane"] == "short" and own_server.until(short["id"])["status"] == "done"
    known = runs.stored(store)
    # A run over the same file, named as the client named it, decodes nothing.
    command = ("run", "clip 0.wav", "--run", "same", "--config", "language=en")
    done = own_server.audiogrid(*command)
    assert done.returncode == 0, done.stdout
    assert runs.stored(store) == known and not runs.decoded(own_server.path / "results" / "same")
    same = own_server.submit(clips[0])
    assert own_server.until(same["id"])["status"] == "done"
    folder = own_server.path / "results" / "same" / "transcripts"
    for name in ("json", "txt", "srt", "vtt", "tsv"):
        expected = (folder / f"clip_0.{name}").read_bytes()
        assert own_server.transcript(short["id"], name) == expected
    # What a run refers to stays when jobs are removed; what only jobs refer to stays when the store is pruned.
    for job in (short, same):
        assert own_server.call("DELETE", f"/v1/jobs/{job['id']}").json()["kept"]
    assert runs.stored(store) == known
    other = own_server.submit(clips[1])
    assert own_server.until(other["id"])["status"] == "done"
    assert own_server.audiogrid("store", "prune", "--yes").returncode == 0
    assert len(runs.stored(store)) == 2


def test_long_recordings_do_not_hold_up_short_ones(
    own_server: Server, clips: list[Path], tmp_path: Path, speech: Callable[..., Any]
) -> None:
    own_server.start("--config", "language=en", "service={short_minutes: 0.3}")
    long = own_server.submit(write_media(tmp_path / "board.flac", speech(40.0, seed=81).pcm))
    assert long["lane"] == "long"
    own_server.until(long["id"], "running")
    short = [own_server.submit(clip)["id"] for clip in clips]
    assert [own_server.until(job)["status"] for job in short] == ["done"] * 3
    ended = own_server.until(long["id"])
    assert ended["status"] == "done" and ended["finished"] > own_server.job(short[-1])["finished"]
    # A run over the file names it as the client does, and gives the same bytes.
    shutil.copy(tmp_path / "board.flac", own_server.path / "board.flac")
    done = own_server.audiogrid("run", "board.flac", "--run", "same", "--config", "language=en")
    assert done.returncode == 0, done.stdout
    for name in ("json", "srt"):
        expected = (own_server.path / "results" / "same" / "transcripts" / f"board.{name}").read_bytes()
        assert own_server.transcript(long["id"], name) == expected


def test_a_flood_becomes_a_run_and_every_recording_of_it_is_transcribed(own_server: Server, clips: list[Path]) -> None:
    # Uploads are not kept: that of each goes when its transcript is there.
    own_server.start(
        "--config", "language=en", "service={flood: 1, workers: 1, keep_uploads_days: 0, rest_minutes: 0.03}"
    )
    # Different prompts: none of them is in the store already.
    sent = [own_server.submit(clip, prompt=f"Number {turn}.") for turn in range(3) for clip in clips]
    assert {told["lane"] for told in sent} == {"short"}
    ended = [own_server.until(told["id"]) for told in sent]
    assert {job["status"] for job in ended} == {"done"}
    lanes = [job["lane"] for job in ended]
    assert lanes.count("long") > 0 and lanes.count("short") > 0
    assert not list(own_server.state.glob("jobs/*/*/upload"))
    texts = [[part["text"] for part in json.loads(own_server.transcript(told["id"]))["segments"]] for told in sent]
    assert all(texts)
    wait_for(lambda: not list(own_server.state.glob("runs/*")))
    # Nothing to do: the model leaves the memory. The next recording brings it back.
    wait_for(lambda: "audiogrid_workers 0.0" in own_server.call("GET", "/metrics").text)
    assert own_server.until(own_server.submit(clips[0], prompt="Later.")["id"])["status"] == "done"


def test_routes_choose_the_model_by_language_and_folders_are_watched(
    own_server: Server, base_model: Path, clips: list[Path], human_speech: Callable[..., Any], tmp_path: Path
) -> None:
    runs.second_model(own_server.path / "english", base_model)
    configuration = own_server.path / "service.yaml"
    configuration.write_text(
        f"model: base\nroutes:\n  - when: {{language: en}}\n    model: {own_server.path / 'english'}\n"
        "formats: [json, txt]\n"
    )
    incoming = own_server.path / "incoming"
    (incoming / "day 1").mkdir(parents=True)
    own_server.start("--configfile", str(configuration), "--watch", str(incoming))
    french = write_media(tmp_path / "bonjour.wav", human_speech("fr", 6).pcm)
    jobs = [own_server.submit(clips[0])["id"], own_server.submit(french)["id"]]
    documents = []
    for job in jobs:
        assert own_server.until(job)["status"] == "done"
        documents.append(json.loads(own_server.transcript(job)))
    assert [document["language"] for document in documents] == ["en", "fr"]
    models = [document["provenance"]["model"]["name"] for document in documents]
    assert models[0] != "base" and models[1] == "base"
    # A watched file becomes a job when it has stopped growing; a person's file in its way stays.
    (incoming / "day 1" / "clip.txt").write_text("my own notes")
    with (incoming / "day 1" / "clip.wav").open("wb") as file:
        data = clips[1].read_bytes()
        file.write(data[: len(data) // 2])
        file.flush()
        time.sleep(2.5)
        file.write(data[len(data) // 2 :])
    written = incoming / "day 1" / "clip.json"
    wait_for(written.exists)
    wait_for((incoming / "day 1" / "clip.wav.txt").exists)
    assert (incoming / "day 1" / "clip.txt").read_text() == "my own notes"
    document = json.loads(written.read_text())
    assert document["path"] == "day 1/clip.wav" and document["duration"] > 4
    # Renamed: its transcripts follow. Deleted: they stay.
    (incoming / "day 1" / "clip.wav").rename(incoming / "renamed.wav")
    wait_for((incoming / "renamed.json").exists)
    wait_for(lambda: not written.exists())
    (incoming / "renamed.wav").unlink()
    (incoming / "notes.mp3").write_text("text")
    wait_for(lambda: "notes.mp3 is left out" in own_server.log)
    assert (incoming / "renamed.json").exists()
