"""Clips of doubtful passages: the right seconds of the right channel, at one loudness, in three kinds of files."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiogrid.core.errors import InputError
from audiogrid.media.pcm_stream import stream_pcm
from audiogrid.merging.merge_bundle import MergedBundle
from audiogrid.records.plan import Bundle, Plan, Recording, Settings
from audiogrid.records.plan_files.writer import write_plan
from audiogrid.records.run_folder import RunFolder
from audiogrid.reporting.clips import COLUMNS, KINDS, write_clips
from media import write_wav

RATE = 16_000


def tones(*frequencies: float, level: float = 300) -> np.ndarray:
    """A second of each tone, int16."""
    second = np.arange(RATE) / RATE
    parts = [level * np.sin(2 * np.pi * frequency * second) for frequency in frequencies]
    return np.concatenate(parts).astype(np.int16)


def pitch(path: Path) -> tuple[float, float, float]:
    """Strongest frequency in Hz, length in seconds and level in dBFS of a file."""
    (pcm,) = (np.concatenate(list(stream_pcm(path)), axis=1)[0].astype(float),)
    spectrum = np.abs(np.fft.rfft(pcm))
    level = 20 * np.log10(np.sqrt(np.square(pcm).mean()) / 32768)
    return float(spectrum.argmax() * RATE / len(pcm)), len(pcm) / RATE, float(level)


def passage(start: float, end: float, probability: float, **more: Any) -> dict[str, Any]:
    return {"start": start, "end": end, "probability": probability, "text": "a\tb", "flags": ["low_rate"], **more}


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "results" / "x")
    write_wav(tmp_path / "talk.wav", tones(400, 600, 800, 1000, 1200))
    write_wav(tmp_path / "call.wav", np.stack([tones(300, 300, 300), tones(500, 700, 900, level=3000)], axis=1))
    recordings = [
        Recording("talk", str(tmp_path / "talk.wav"), 1, 1, 5 * RATE, 1, "mix", 1),
        Recording("call", str(tmp_path / "call.wav"), 1, 1, 3 * RATE, 2, "split", 1),
        Recording("gone", str(tmp_path / "gone.wav"), 1, 1, 3 * RATE, 1, "mix", 1),
    ]
    settings = Settings("m", {"m": "f" * 64}, {}, 5, 60, 600, 1, 0)
    write_plan(Plan(settings, recordings, [Bundle("b0001", "spec", ["talk", "call", "gone"])], []), folder.plan)
    worst = {
        "talk": [passage(4.0, 5.0, 0.2), passage(1.0, 2.0, 0.5)],
        "call": [passage(1.0, 2.0, 0.3, speaker="Channel 2")],
        "gone": [passage(0.0, 1.0, 0.4)],
    }
    files: dict[str, dict[str, dict[str, str]]] = {name: {} for name in worst}
    MergedBundle("b0001", files, worst=worst).write(folder.merged / "b0001.json", 1)
    return folder


def table(out: Path) -> list[dict[str, str]]:
    with (out / "clips.tsv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.mark.parametrize("kind", list(KINDS))
def test_clips_are_the_passages_at_one_loudness(run: RunFolder, tmp_path: Path, kind: Any) -> None:
    out = tmp_path / "clips"
    done = write_clips(run, out, kind=kind, padding=0.0)
    assert done.clips == [f"talk.000004000.{kind}", f"call.c1.000001000.{kind}", f"talk.000001000.{kind}"]
    assert sorted(path.name for path in out.iterdir()) == sorted([*done.clips, "clips.tsv"])
    for name, frequency in zip(done.clips, (1200, 700, 600), strict=True):
        heard, seconds, level = pitch(out / name)
        assert heard == pytest.approx(frequency, abs=3)
        assert seconds == pytest.approx(1.0, abs=0.1)
        assert level == pytest.approx(-20, abs=1)
    assert list(done.problems) == ["gone"]
    rows = table(out)
    assert tuple(rows[0]) == COLUMNS
    assert [(row["clip"], row["speaker"], row["text"]) for row in rows][1] == (done.clips[1], "Channel 2", "a\\tb")


@pytest.mark.parametrize("names", [("Channel 1, speaker 1", "Channel 2, speaker 1"), ("Anna", "Anna")])
def test_clips_come_from_the_channel_whatever_the_speakers_are_called(
    run: RunFolder, tmp_path: Path, names: tuple[str, str]
) -> None:
    said = [passage(1.0, 2.0, 0.1 + n / 10, speaker=name, channel=n) for n, name in enumerate(names)]
    MergedBundle("b0001", {"call": {}}, worst={"call": said}).write(run.merged / "b0001.json", 2)
    done = write_clips(run, tmp_path / "clips", padding=0.0)
    assert done.clips == ["call.c0.000001000.wav", "call.c1.000001000.wav"]
    assert [round(pitch(tmp_path / "clips" / name)[0], -1) for name in done.clips] == [300, 700]
    assert [row["speaker"] for row in table(tmp_path / "clips")] == list(names)


def test_what_a_person_typed_stays_in_the_table(run: RunFolder, tmp_path: Path) -> None:
    out = tmp_path / "clips"
    write_clips(run, out, padding=0.0)
    lines = (out / "clips.tsv").read_text().splitlines()
    typed = ['Right, "quoted" C:\\\\x', "", "Fine"]
    texts = [f"{line}{text}\tme" for line, text in zip(lines[1:], typed, strict=True)]
    (out / "clips.tsv").write_text("\n".join([f"{lines[0]}\tby", *texts]) + "\n")
    before = table(out)

    write_clips(run, out, kind="mp3", padding=0.0)
    after = table(out)
    assert [row["clip"] for row in after] == [row["clip"].replace(".wav", ".mp3") for row in before]
    assert [row["correct_text"] for row in after] == [row["correct_text"] for row in before]
    assert [row["by"] for row in after] == ["me", "me", "me"]
    # Passages that are not listed any more keep their row, behind the others.
    done = write_clips(run, out, kind="mp3", count=3, per_recording=1, padding=0.0)
    assert len(done.clips) == 2
    assert table(out) == after


def test_a_table_that_cannot_be_read_is_not_replaced(run: RunFolder, tmp_path: Path) -> None:
    for content, problem in ((b"clip\tcorrect_text\nx\t\xff\n", "UTF-8"), (b"clip,correct_text\nx,y\n", "no columns")):
        (tmp_path / "clips.tsv").write_bytes(content)
        with pytest.raises(InputError, match=problem):
            write_clips(run, tmp_path)
        assert (tmp_path / "clips.tsv").read_bytes() == content


def test_padding_and_counts(run: RunFolder, tmp_path: Path) -> None:
    done = write_clips(run, tmp_path / "clips", count=3, per_recording=1, padding=0.25)
    assert done.clips == ["talk.000004000.wav", "call.c1.000001000.wav"]
    # Nothing follows the end of the recording.
    assert pitch(tmp_path / "clips" / done.clips[0])[1] == pytest.approx(1.25, abs=0.01)
    assert pitch(tmp_path / "clips" / done.clips[1])[1] == pytest.approx(1.5, abs=0.01)


def test_what_cannot_be_cut_is_told(run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="choose from wav, mp3, ogg"):
        write_clips(run, tmp_path, kind="flac")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="has no plan yet"):
        write_clips(RunFolder(tmp_path / "nowhere"), tmp_path)
    (run.merged / "b0001.json").unlink()
    with pytest.raises(InputError, match="has no transcripts yet"):
        write_clips(run, tmp_path)
