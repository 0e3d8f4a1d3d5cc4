"""The language of recordings, from windows spread over them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from audiogrid.core.json_values import to_json
from audiogrid.media import pcm_converter
from audiogrid.planning import identify_languages as module
from audiogrid.planning.identify_languages import (
    IdentifySettings,
    Window,
    choose_windows,
    identify,
    identify_file,
    in_order,
)
from audiogrid.probing.isolation import FileOutcome
from audiogrid.records.identified_languages import read_identified
from audiogrid.records.plan import Recording
from bad_media import encode, tone
from media import write_wav
from places import ROOT

BLOCK = 30 * 16_000


def windows(monkeypatch: pytest.MonkeyPatch, speech: list[float], wanted: int, total: int = 0) -> tuple[list[int], int]:
    """Numbers of the blocks that are chosen where ``speech`` says how many seconds each has; blocks that were read."""
    monkeypatch.setattr(
        module,
        "_window",
        lambda at, block: Window(at, int(speech[at // BLOCK] * 16_000), block) if speech[at // BLOCK] else None,
    )
    read = 0

    def blocks():
        nonlocal read
        for _ in speech:
            read += 1
            yield np.zeros(0, np.int16)

    return [window.at // BLOCK for window in choose_windows(in_order(blocks()), total or len(speech), wanted)], read


def test_windows_are_spread_over_all_of_a_recording(monkeypatch):
    assert windows(monkeypatch, [20.0] * 60, 6) == ([3, 13, 23, 33, 43, 53], 54)
    assert windows(monkeypatch, [20.0] * 7, 3)[0] == [1, 3, 5]


def test_a_short_recording_is_listened_to_as_it_is(monkeypatch):
    assert windows(monkeypatch, [12.0], 6) == ([0], 1)
    assert windows(monkeypatch, [12.0, 3.0, 8.0], 6)[0] == [0, 1, 2]


def test_blocks_in_which_hardly_anybody_speaks_are_passed_over(monkeypatch):
    silent_then_speech = [0.0] * 8 + [1.0, 20.0]
    assert windows(monkeypatch, silent_then_speech, 1)[0] == [9]
    # Nothing better comes: a little speech is better than none.
    assert windows(monkeypatch, [0.0] * 8 + [1.0, 0.0], 1)[0] == [8]
    assert windows(monkeypatch, [0.0] * 10, 3)[0] == []
    # One slot is silent, the others are heard.
    assert windows(monkeypatch, [20.0] * 4 + [0.0] * 4 + [20.0] * 4, 3)[0] == [1, 9]


def test_a_file_that_ends_early_or_late_is_no_trouble(monkeypatch):
    assert windows(monkeypatch, [20.0] * 5, 2, total=20)[0] == [3]
    assert windows(monkeypatch, [0.0, 0.0, 20.0], 1, total=2)[0] == [2]
    assert windows(monkeypatch, [20.0] * 9, 2, total=4)[0] == [0, 2]


class AllEnglish:
    """Stand-in for a model."""

    def encode(self, audio: list[np.ndarray], encoder: str = "auto") -> list[np.ndarray]:
        return audio

    def languages(self, encoded: list[np.ndarray]) -> list[dict[str, float]]:
        return [{"en": 0.9, "de": 0.1}] * len(encoded)


# MP3 is sought by a table of hundredths of its length.
@pytest.mark.parametrize("suffix", ["flac", "mp3"])
def test_of_a_long_file_only_what_lies_around_the_windows_is_read(tmp_path, monkeypatch, suffix):
    codec = {"flac": "flac", "mp3": "libmp3lame"}[suffix]
    monkeypatch.setattr(module, "_BLOCK_SECONDS", 5)
    # The loudness of a block tells where it comes from.
    levels = np.repeat(np.linspace(0.1, 0.9, 40), 5 * 16_000)
    path = encode(tmp_path / f"long.{suffix}", (tone(200, level=1.0) * levels).astype(np.int16), codec, rate=16_000)
    heard, decoded = [], []

    def window(at: int, block: np.ndarray) -> Window:
        heard.append(float(np.sqrt(2 * np.mean((block / 32_768) ** 2))))
        return Window(at, module._GOOD_SPEECH, block)

    monkeypatch.setattr(module, "_window", window)
    write = pcm_converter.PcmConverter.write
    monkeypatch.setattr(
        pcm_converter.PcmConverter,
        "write",
        lambda self, frame: decoded.append(frame.samples / frame.sample_rate) or write(self, frame),
    )

    found = identify_file(AllEnglish(), path, len(levels), 4, 0.25)

    assert found.language == "en" and [one.at for one in found.windows] == [15.0, 65.0, 115.0, 165.0]
    assert heard == pytest.approx([np.linspace(0.1, 0.9, 40)[number] for number in (3, 13, 23, 33)], abs=0.06)
    # A block is five seconds; a few more pieces of that length are decoded ahead.
    assert sum(decoded) < 4 * 25


def recording(path: Path, pcm: np.ndarray, name: str | None = None) -> Recording:
    write_wav(path, pcm)
    return listed(path, len(pcm), name)


def listed(path: Path, samples: int, name: str | None = None) -> Recording:
    state = path.stat()
    return Recording(name or path.stem, str(path), state.st_size, state.st_mtime_ns, samples, 1, "mix", 1)


def test_languages_of_human_speech(tmp_path, base_model, human_speech):
    spoken = {code: human_speech(code, 12).pcm for code in ("es", "ru")}
    half = human_speech("en", 24).pcm[: 62 * 16_000]
    rubbish = tmp_path / "rubbish.wav"
    rubbish.write_bytes(b"RIFF" + bytes(100))
    recordings = [
        *(recording(tmp_path / f"{code}.wav", pcm) for code, pcm in spoken.items()),
        # Its beginning is English: that half minute alone would decide wrongly.
        recording(tmp_path / "mixed.wav", np.concatenate([half[: 30 * 16_000], spoken["ru"], spoken["ru"]])),
        recording(tmp_path / "silent.wav", np.zeros(16_000 * 5, np.int16)),
        listed(rubbish, 100),
    ]
    (tmp_path / "probe.json").write_text(
        json.dumps({"recordings": [to_json(one) for one in recordings], "rejected": []})
    )
    command = [sys.executable, "scripts/identify.py", f"--probe={tmp_path}/probe.json", f"--model-dir={base_model}"]
    command += ["--windows=4", "--all=yes", f"--cache={tmp_path}/cache.jsonl", f"--output={tmp_path}/languages.json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = read_identified(tmp_path / "languages.json")
    assert {name: one.language for name, one in found.items()} == {
        "es": "es",
        "ru": "ru",
        "mixed": "ru",
        "silent": "",
        "rubbish": "",
    }
    assert found["es"].probability > 0.8 and not found["es"].is_multilingual
    assert found["mixed"].second == "en" and len(found["mixed"].windows) == 4
    assert found["silent"].problem == "no speech was found in it"
    assert "damaged" in found["rubbish"].problem
    assert "identified 5 recording(s)" in done.stderr

    # What is known is not heard again, whatever it is called now; a file that could not be read is tried again.
    (tmp_path / "cache.jsonl").write_text((tmp_path / "cache.jsonl").read_text() + "{broken\n[]\n")
    model_hash = json.loads((tmp_path / "languages.json").read_text())["model"]["hash"]
    settings = IdentifySettings(str(tmp_path / "no model"), model_hash, 4, 0.25)
    renamed = listed(Path(recordings[0].path), recordings[0].duration, "other name")
    again = identify([renamed], settings, processes=1, threads=1, cache=tmp_path / "cache.jsonl")
    assert again == {"other name": found["es"]}
    other = identify([renamed], IdentifySettings(str(tmp_path), model_hash, 5, 0.25), processes=1, threads=1)
    assert "no complete model" in other["other name"].problem


@dataclass(frozen=True)
class Deadly:
    """Stand-in for a task that some files crash."""

    settings: IdentifySettings
    recordings: dict[str, Recording]
    threads: int = 1

    def __call__(self, path: str) -> FileOutcome:
        if "deadly" in path:
            os.abort()
        return FileOutcome({"language": "en", "probability": 1.0, "languages": {"en": 1.0}, "windows": []}, None)


def test_a_file_that_kills_its_process_costs_itself_only(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "IdentifyTask", Deadly)
    recordings = [
        recording(tmp_path / f"{name}.wav", np.zeros(9, np.int16)) for name in ("a", "deadly", "b", "deadly2")
    ]
    cache = tmp_path / "cache.jsonl"
    found = identify(recordings, IdentifySettings("m", "h", 3, 0.25), processes=1, threads=1, cache=cache)
    assert {name: one.language for name, one in found.items()} == {"a": "en", "deadly": "", "b": "en", "deadly2": ""}
    assert "crashes" in found["deadly"].problem
    assert len(cache.read_text().splitlines()) == 2


def test_a_model_for_english_tells_no_languages_apart(tmp_path):
    (tmp_path / "vocabulary.txt").write_text("x\n" * 51_864)
    command = [sys.executable, "scripts/identify.py", "--probe=x", f"--model-dir={tmp_path}", "--output=y"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "knows English only" in done.stderr and "identify: {model: base}" in done.stderr


def test_what_is_heard_on_another_track_or_with_another_encoder_is_another_answer(tmp_path, monkeypatch):
    """A file may stand in a table twice, with two tracks."""
    monkeypatch.setattr(module, "IdentifyTask", Tracks)
    first = replace(recording(tmp_path / "film.wav", np.zeros(9, np.int16)), audio_tracks=[2])
    second = replace(first, recording="other", audio_tracks=[3])
    cache = tmp_path / "cache.jsonl"
    settings = IdentifySettings("m", "h", 3, 0.25)
    for _ in range(2):
        found = identify([first, second], settings, processes=1, threads=1, cache=cache)
        assert {name: one.language for name, one in found.items()} == {"film": "de", "other": "fr"}
        # The second time nothing is listened to.
        monkeypatch.setattr(module, "IdentifyTask", Deadly)
    assert IdentifySettings("m", "h", 3, 0.25, "openvino").identity != settings.identity


@dataclass(frozen=True)
class Tracks:
    """Stand-in for a task that hears German on the second track and French elsewhere."""

    settings: IdentifySettings
    recordings: dict[str, Recording]
    threads: int = 1

    def __call__(self, path: str) -> FileOutcome:
        code = "de" if self.recordings[path].audio_tracks == [2] else "fr"
        return FileOutcome({"language": code, "probability": 1.0, "languages": {code: 1.0}, "windows": []}, None)
