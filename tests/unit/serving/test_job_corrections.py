"""What a person corrected: applied to transcripts of its client only, taken back, removed with the last job."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from audiogrid.config.resolve import resolve
from audiogrid.core.errors import InputError, RetryableError
from audiogrid.corrections.corrections_file import Corrections, SpeakerName, to_text
from audiogrid.models.registry import load_registry
from audiogrid.serving import job_corrections
from audiogrid.serving.job_folder import JobFolder
from audiogrid.serving.job_queue import JobQueue
from audiogrid.serving.recipes import Recipes
from audiogrid.serving.removal import remove_job
from audiogrid.serving.service import Service
from audiogrid.serving.transcript_files import write_transcripts
from places import ROOT

AUDIO = "ab" * 32
MERGE = json.dumps({"formats": ["json", "txt"], "subtitles": {}})


def document(name: str) -> dict[str, Any]:
    """A transcript document of two channels with a sentence each."""
    words = [("Channel 1", 0.0, 2.0, " Good morning."), ("Channel 2", 3.0, 5.0, " Good evening.")]
    segments = [
        {
            "id": number,
            "start": start,
            "end": end,
            "text": text,
            "language": "en",
            "speaker": who,
            "avg_logprob": -0.1,
            "compression_ratio": 1.0,
            "no_speech_prob": 0.0,
            "temperature": 0.0,
            "chunk": "talk.0000",
            "words": [{"start": start, "end": end, "word": text, "probability": 0.9, "speaker": who}],
        }
        for number, (who, start, end, text) in enumerate(words)
    ]
    return {
        "schema": 1,
        "recording": name,
        "path": f"{name}.wav",
        "duration": 6.0,
        "language": "en",
        "segments": segments,
        "gaps": [],
        "notes": [],
        "seams": [],
        "windows": [],
        "columns": {},
        "quality": {},
        "provenance": {"audio": AUDIO, "chunks": [], "model": {"name": "base", "hash": "0"}, "options": {}},
    }


def job(state: Path, owner: str, name: str, recording: str = "talk") -> JobFolder:
    folder = JobFolder(state, name)
    write_transcripts(folder, recording, document(recording), MERGE)
    values = {"name": "talk.wav", "recording": recording, "model": "auto", "task": "transcribe"}
    queue = JobQueue(state)
    queue.add(name, owner, "short", values)
    queue.update(name, status="done", finished=1.0)
    queue.close()
    return folder


def names(*names: str, audio: str = AUDIO) -> str:
    spans = {"Channel 1": ((0.0, 2.0),), "Channel 2": ((3.0, 5.0),)}
    entries = tuple(SpeakerName(name, was, spans[was]) for name, was in zip(names, spans, strict=False))
    return to_text(Corrections("elsewhere", audio, entries))


def speakers(folder: JobFolder) -> list[str]:
    return [one["speaker"] for one in folder.document("talk")["segments"]]


def test_names_are_given_changed_and_taken_back(tmp_path: Path) -> None:
    folder = job(tmp_path, "anna", "a1")
    plain = (folder.transcript("talk", "json")).read_bytes()
    whose = (str(tmp_path), "anna", "a1", "talk")
    assert job_corrections.correct(*whose, names("Mara"), MERGE) == []
    assert speakers(folder) == ["Mara", "Channel 2"]
    assert "Mara" in folder.transcript("talk", "txt").read_text()
    job_corrections.correct(*whose, names("Maria", "Jo"), MERGE)
    assert speakers(folder) == ["Maria", "Jo"]
    job_corrections.withdraw(*whose, MERGE)
    assert folder.transcript("talk", "json").read_bytes() == plain
    assert job_corrections.corrections_file(tmp_path, "anna", "a1", "talk") is None


def test_words_are_corrected_where_voices_were_told_apart_before(tmp_path: Path) -> None:
    folder = job(tmp_path, "anna", "a1")
    plain = folder.document("talk")
    turns = [{"start": one["start"], "end": one["end"], "speaker": one["speaker"]} for one in plain["segments"]]
    voices = [{"speaker": turn["speaker"], "seconds": 2.0, "turns": 1, "words": 1} for turn in turns]
    write_transcripts(folder, "talk", {**plain, "turns": turns, "speakers": voices}, MERGE)
    passages = [
        {"at": [3.0, 5.0], "was": "Good evening.", "text": "Good night, all."},
        {"at": [2.2, 2.6], "was": "", "text": "Well,"},
        {"at": [0.0, 1.0], "was": "nobody said this", "text": "at all"},
    ]
    saved = {"schema": 1, "recording": "x", "audio": AUDIO, "passages": passages}
    unfit = job_corrections.correct(str(tmp_path), "anna", "a1", "talk", json.dumps(saved), MERGE)
    assert len(unfit) == 1 and "nobody said this" in unfit[0]
    text = folder.transcript("talk", "txt").read_text()
    assert "Good night, all." in text and "Well," in text and "evening" not in text


def test_what_does_not_fit_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    folder = job(tmp_path, "anna", "a1")
    before = folder.transcript("talk", "json").read_bytes()
    whose = (str(tmp_path), "anna", "a1", "talk")
    with pytest.raises(job_corrections.UnfitError):
        job_corrections.correct(*whose, names("Mara", audio="cd" * 32), MERGE)
    for text in ("", "{}", "[" * 5000, json.dumps({"schema": 1, "recording": "../x", "audio": AUDIO})):
        with pytest.raises(InputError):
            job_corrections.correct(*whose, text, MERGE)
    assert folder.transcript("talk", "json").read_bytes() == before
    assert not (tmp_path / job_corrections.FOLDER).exists()


def test_a_file_of_mistakes_is_answered_in_a_few_words_and_nothing_grows_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job(tmp_path, "anna", "a1")
    whose = (str(tmp_path), "anna", "a1", "talk")
    head = {"schema": 1, "recording": "talk", "audio": AUDIO}
    with pytest.raises(InputError) as refused:
        job_corrections.correct(*whose, json.dumps({**head, "passages": [0] * 1000}), MERGE)
    assert "and 995 more" in str(refused.value) and len(str(refused.value)) < 1000
    job_corrections.correct(*whose, names("Mara"), MERGE)
    monkeypatch.setattr(job_corrections, "_MOST", 100)
    with pytest.raises(InputError, match="larger than"):
        job_corrections.correct(*whose, names("Maria"), MERGE)


def test_a_file_of_the_service_that_cannot_be_read_is_not_the_fault_of_the_client(tmp_path: Path) -> None:
    job(tmp_path, "anna", "a1")
    whose = (str(tmp_path), "anna", "a1", "talk")
    job_corrections.correct(*whose, names("Mara"), MERGE)
    path = job_corrections.corrections_file(tmp_path, "anna", "a1", "talk")
    assert path is not None
    path.write_text("{")
    with pytest.raises(RetryableError):
        job_corrections.correct(*whose, names("Maria"), MERGE)


def test_jobs_of_a_model_that_is_not_offered_any_more_are_corrected(tmp_path: Path) -> None:
    configuration = resolve({"formats": ["json", "txt"]})
    recipes = Recipes(configuration, load_registry(ROOT / "config" / "models.yaml"), tmp_path / "models")
    service = Service(configuration, recipes, tmp_path, tmp_path / "store")
    folder = job(tmp_path, "anna", "a1")
    service.queue.update("a1", fields={"model": "gone"})
    record = service.queue.get("a1")
    assert record is not None

    async def correct() -> list[str]:
        unfit = await service.change_corrections(record, job_corrections.correct, names("Mara"))
        await service.inspector.close()
        return unfit

    assert asyncio.run(correct()) == []
    assert speakers(folder) == ["Mara", "Channel 2"]
    service.queue.close()


def test_no_name_goes_from_one_client_to_another(tmp_path: Path) -> None:
    job(tmp_path, "anna", "a1")
    job_corrections.correct(str(tmp_path), "anna", "a1", "talk", names("Mara"), MERGE)
    for owner, expected in (("anna", ["Mara", "Channel 2"]), ("ben", ["Channel 1", "Channel 2"])):
        folder = job(tmp_path, owner, f"{owner}2")
        job_corrections.apply(str(tmp_path), owner, f"{owner}2", "talk", MERGE)
        assert speakers(folder) == expected


def test_they_go_with_the_last_job_of_their_recording(tmp_path: Path) -> None:
    for name in ("a1", "a2"):
        job(tmp_path, "anna", name)
    job_corrections.correct(str(tmp_path), "anna", "a1", "talk", names("Mara"), MERGE)
    job_corrections.apply(str(tmp_path), "anna", "a2", "talk", MERGE)
    queue = JobQueue(tmp_path)
    told = []
    for name in ("a1", "a2"):
        record = queue.get(name)
        assert record is not None
        queue.remove(name)
        is_last = not queue.others_of(record)
        told.append(remove_job(str(tmp_path), name, str(tmp_path / "store"), "results", "anna", "talk", is_last))
    assert told[0]["kept"] == ["its corrections, because another job is of this recording"]
    assert "its corrections" in told[1]["removed"]
    assert not list((tmp_path / job_corrections.FOLDER).rglob("*.json"))


def test_those_of_other_audio_of_the_same_name_go_too(tmp_path: Path) -> None:
    job(tmp_path, "anna", "a1")
    job_corrections.correct(str(tmp_path), "anna", "a1", "talk", names("Mara"), MERGE)
    other = job(tmp_path, "anna", "a2")
    plain = other.document("talk")
    plain["provenance"]["audio"] = "cd" * 32
    write_transcripts(other, "talk", plain, MERGE)
    remove_job(str(tmp_path), "a1", str(tmp_path / "store"), "results", "anna", "talk", is_last=False)
    told = remove_job(str(tmp_path), "a2", str(tmp_path / "store"), "results", "anna", "talk", is_last=True)
    assert "its corrections" in told["removed"]
    assert not list((tmp_path / job_corrections.FOLDER).rglob("*.json"))


def test_what_has_been_kept_long_enough_goes(tmp_path: Path) -> None:
    configuration = resolve({"service": {"keep_uploads_days": 1, "keep_days": 3}})
    recipes = Recipes(configuration, load_registry(ROOT / "config" / "models.yaml"), tmp_path / "models")
    service = Service(configuration, recipes, tmp_path, tmp_path / "store")
    folder = job(tmp_path, "anna", "a1")
    folder.upload.mkdir()
    (folder.upload / "talk.wav").write_text("sound")
    job_corrections.correct(str(tmp_path), "anna", "a1", "talk", names("Mara"), MERGE)
    service.queue.add("waits", "anna", "short", {"name": "x", "recording": "x"})
    days = 86400.0
    service.forget_old(0.9 * days)
    assert folder.upload.exists()
    service.forget_old(1.1 * days)
    assert not folder.upload.exists() and speakers(folder) == ["Mara", "Channel 2"]
    service.forget_old(3.1 * days)
    assert service.queue.get("a1") is None and not folder.root.exists()
    assert not list((tmp_path / job_corrections.FOLDER).rglob("*.json"))
    # What has not ended is not old, however long it waits.
    service.forget_old(1000 * days)
    assert service.queue.get("waits") is not None
    service.queue.close()
