import json
import os
import signal
import time
from pathlib import Path

import pytest

from audiogrid.hardware import doctor
from audiogrid.hardware import known_clip as clip
from audiogrid.hardware.device_choice import NO_DRIVER, GpuSearch
from audiogrid.hardware.known_clip import ClipResult
from workspaces import Workspace

GOOD = ClipResult("field notes and more", 0.9, 2.0, 1.0, "cpu", "int8")


def test_verdict_is_one_line() -> None:
    assert str(doctor.Verdict("model", "wrong", "is gone", "stage it")) == "wrong  model      is gone  -> stage it"
    assert "\n" not in str(doctor.Verdict("python", "ok", "3.11"))


def test_this_environment_has_its_libraries() -> None:
    verdict = doctor.check_libraries()
    assert verdict.state == "ok" and "faster-whisper 1.2" in verdict.found


def test_missing_and_wrong_libraries_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.metadata

    wanted = ["numpy<1", "surely-not-installed>=3", "pytest; extra == 'test'", "av"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: wanted)
    verdict = doctor.check_libraries()
    assert verdict.state == "wrong"
    assert "surely-not-installed is missing" in verdict.found and "is not <1" in verdict.found
    assert "pytest" not in verdict.found and "av " not in verdict.found


def test_cuda_without_a_gpu_is_wrong_auto_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    # What this very machine shows is not the question.
    monkeypatch.setattr(doctor, "why_no_gpu", lambda: None)
    none, broken = GpuSearch((), NO_DRIVER, True), GpuSearch((), "the driver finds no GPU that this process may use")
    assert doctor.check_device("cuda", none).state == doctor.check_device("cuda", broken).state == "wrong"
    assert doctor.check_device("auto", none).state == doctor.check_device("cpu", none).state == "ok"
    # A machine that has a driver was meant to have a GPU.
    assert doctor.check_device("auto", broken).state == "warn"
    verdict = doctor.check_device("auto", GpuSearch(("GPU-aa", "MIG-bb")))
    assert verdict.state == "ok" and "GPU-aa, MIG-bb" in verdict.found and "int8" in verdict.found


def test_every_gpu_is_tried_and_cuda_without_one_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def try_clip(model: Path, device: str, compute_type: str, threads: int, gpu: str, warm: bool) -> ClipResult:
        # The first decoding on a GPU takes seconds that say nothing about its speed.
        assert warm == (device == "cuda")
        tried.append((device, gpu))
        return GOOD

    monkeypatch.setattr(doctor, "try_clip", try_clip)
    monkeypatch.setattr(doctor, "check_model", lambda folder, full: doctor.Verdict("model", "ok", "there"))
    for search in (GpuSearch(("GPU-a", "GPU-b")), GpuSearch((), NO_DRIVER)):
        monkeypatch.setattr(doctor, "find_gpus", lambda search=search: search)
        list(doctor.run_checks(tmp_path, tmp_path, full=False))
    assert tried == [("cuda", "GPU-a"), ("cuda", "GPU-b"), ("cpu", "")]
    *_, last = doctor.run_checks(tmp_path, tmp_path, "cuda", full=False)
    assert last.state == "wrong" and last.found == "not tried" and len(tried) == 3


def test_little_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "usable_memory", lambda: 500_000_000)
    assert doctor.check_memory().state == "warn"


def test_missing_model_is_wrong(tmp_path: Path) -> None:
    verdict = doctor.check_model(tmp_path / "base", full=False)
    assert verdict.state == "wrong" and str(tmp_path / "base") in verdict.found and "audiogrid models" in verdict.advice


@pytest.mark.parametrize(
    ("result", "state", "part"),
    [
        (GOOD, "ok", "90%"),
        (ClipResult(error="the process died of SIGABRT"), "wrong", "SIGABRT"),
        (ClipResult(error="RuntimeError: CUDA failed with error out of memory"), "wrong", "smaller compute_type"),
        (ClipResult("", 0.0, 1.0, 1.0, "cuda", "float16"), "wrong", "no text at all"),
        (ClipResult("you you you", 0.0, 1.0, 1.0, "cuda", "float16"), "wrong", "you you you"),
    ],
)
def test_what_the_clip_says(result: ClipResult, state: str, part: str) -> None:
    verdict = doctor.judge_clip(result, "cuda")
    assert verdict.state == state and part in str(verdict)


def test_folder_is_measured_and_left_clean(tmp_path: Path) -> None:
    verdict = doctor.check_folder(tmp_path / "new")
    assert verdict.state in ("ok", "warn") and "MB/s" in verdict.found
    assert list((tmp_path / "new").iterdir()) == []


def test_folder_that_cannot_be_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    verdict = doctor.check_folder(tmp_path / "file" / "results")
    assert verdict.state == "wrong" and str(tmp_path / "file") in verdict.found


def test_full_folder_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(path: Path, moved: Path) -> tuple[float, float]:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(doctor, "_time_file", no_room)
    verdict = doctor.check_folder(tmp_path)
    assert verdict.state == "wrong" and "No space left" in verdict.found
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_decoded_with_a_broken_model(tmp_path: Path) -> None:
    verdicts = list(doctor.run_checks(tmp_path / "none", tmp_path, full=False))
    assert [verdict.subject for verdict in verdicts] == [
        "python",
        "libraries",
        "memory",
        "device",
        "model",
        "decoding",
    ]
    assert verdicts[-1].found == "not tried"


def test_likeness_ignores_numbers_case_and_what_follows() -> None:
    said = "On Tuesday the 14th of May we counted twenty six herons on the eastern bank, and then it rained all day."
    assert clip.likeness("on tuesday the fourteenth of May we counted 26 herons on the eastern bank", said) >= 0.8
    assert clip.likeness("thank you for watching and please subscribe to my channel now and again", said) < 0.4
    assert clip.likeness("", said) == 0.0
    assert clip.likeness("on tuesday", said) == 0.0


def test_clip_is_speech_of_one_window() -> None:
    pcm = clip.read_clip()
    assert len(pcm) == clip.CLIP_SECONDS * 16_000 and abs(pcm).max() > 3_000
    assert len(clip.CLIP_TEXT.read_text().split()) > 40


def kill_itself(*arguments: object) -> None:
    os.kill(os.getpid(), signal.SIGABRT)


def hang(*arguments: object) -> None:
    time.sleep(60)


def leave(*arguments: object) -> None:
    os._exit(7)


@pytest.mark.parametrize(
    ("child", "error"), [(kill_itself, "SIGABRT"), (leave, "exit code 7"), (hang, "no answer in 1 s")]
)
def test_whatever_happens_in_the_child_becomes_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, child: object, error: str
) -> None:
    monkeypatch.setattr(clip, "_decode", child)
    # A child that never answers is waited for until the timeout, one that died is noticed at once.
    result = clip.try_clip(tmp_path, "cpu", "auto", timeout=1.0 if child is hang else 60.0)
    assert error in result.error and not result.is_right


def test_missing_model_is_an_error_of_the_clip(tmp_path: Path) -> None:
    assert "InputError" in clip.try_clip(tmp_path, "cpu", "auto").error


@pytest.mark.workflow
def test_real_examination_is_all_well(
    bare_workspace: Workspace, base_model: Path, speakers_model: Path, tmp_path: Path
) -> None:
    assert speakers_model.parent == base_model.parent
    options = ("--model-dir", str(base_model), "--device", "cpu", "--folder", str(tmp_path), "--json", "verdicts.json")
    done = bare_workspace.run("python", "scripts/doctor.py", *options)
    verdicts = json.loads((bare_workspace.path / "verdicts.json").read_text())
    assert {verdict["state"] for verdict in verdicts} <= {"ok", "warn"}, done.stdout
    assert done.stdout.splitlines() == [str(doctor.Verdict(**verdict)) for verdict in verdicts]
    subjects = [verdict["subject"] for verdict in verdicts]
    assert subjects == ["python", "libraries", "memory", "device", "model", "files", "decoding", "speakers"]
    # Really tried, not only found to be there.
    assert {verdict["subject"] for verdict in verdicts if "real time" in verdict["found"]} == {"decoding", "speakers"}
