"""Splitting: one pass, exact spans and hashes, and problems that stay with their recording."""

from __future__ import annotations

import errno
import importlib.util
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from audiogrid.core.errors import RetryableError
from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.media.vad import FRAME
from audiogrid.records.chunks import AUDIO_NAME, MANIFEST_NAME, BundleManifest, pcm_hash, read_pcm
from audiogrid.records.ledger import Sound
from audiogrid.splitting import bundle_writer
from audiogrid.splitting import split_bundle as splitting
from audiogrid.splitting.split_bundle import SplitJob, split_bundle
from places import SCRIPTS

pytestmark = pytest.mark.usefixtures("quiet_detector")

SECOND = SAMPLE_RATE


def job(path: Path, *, chunks: int = 1, mode: str = "mix", duration: int | None = None) -> SplitJob:
    facts = path.stat()
    length = soundfile.info(path).frames if duration is None else duration
    return SplitJob(path.stem, str(path), facts.st_size, facts.st_mtime_ns, mode, length, chunks)  # type: ignore[arg-type]


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-2_000, 2_000, round(seconds * SECOND)).astype(np.int16)


def wav(path: Path, pcm: np.ndarray) -> Path:
    """``pcm``: int16, shape ``(samples,)`` or ``(samples, channels)``."""
    soundfile.write(path, pcm, SAMPLE_RATE, subtype="PCM_16")
    return path


def check_chunks(folder: Path, manifest: BundleManifest) -> None:
    """Owned spans tile every track; hashes are those of what a reader gets."""
    for track in manifest.tracks:
        chunks = [c for c in manifest.chunks if (c.recording, c.channel) == (track.recording, track.channel)]
        assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
        assert [chunk.start for chunk in chunks] == [0, *(chunk.end for chunk in chunks[:-1])]
        assert chunks[-1].end == track.samples
        for chunk in chunks:
            assert chunk.pcm_sha256 == pcm_hash(read_pcm(folder, manifest, chunk))


def speech_like(seconds: int, pauses: list[tuple[float, float]], seed: int = 0) -> np.ndarray:
    """Noise for ``seconds`` with exact silence from a to b (in seconds) for each of ``pauses``."""
    pcm = noise(seconds, seed)
    for start, end in pauses:
        pcm[round(start * SECOND) : round(end * SECOND)] = 0
    return pcm


def test_cuts_fall_into_the_pauses(tmp_path: Path) -> None:
    pcm = speech_like(120, [(31, 31.8), (57.0, 57.2), (89, 92)])
    manifest = split_bundle([job(wav(tmp_path / "talk.wav", pcm), chunks=4)], tmp_path / "b0001", "b0001")
    check_chunks(tmp_path / "b0001", manifest)
    assert [chunk.right.kind for chunk in manifest.chunks] == ["pause", "short_pause", "pause", "edge"]
    first, second, third, _ = manifest.chunks
    assert first.end == pytest.approx(31.4 * SECOND, abs=2 * FRAME)
    assert second.end == pytest.approx(57.1 * SECOND, abs=2 * FRAME)
    assert 89.4 * SECOND < third.end < 91.6 * SECOND
    assert not pcm[first.end : first.context_end].any()
    assert not pcm[second.context_start : second.start].any()
    assert third.context_end - third.end == SECOND // 2


def test_a_hard_seam_overlaps(tmp_path: Path) -> None:
    path = wav(tmp_path / "talk.wav", noise(60))
    manifest = split_bundle([job(path, chunks=2)], tmp_path / "out", "b0001")
    check_chunks(tmp_path / "out", manifest)
    left, right = manifest.chunks
    assert left.right.kind == right.left.kind == "hard"
    assert left.context_end - left.end == right.start - right.context_start == 3 * SECOND


def test_channels_are_cut_each_by_itself(tmp_path: Path) -> None:
    one, other = speech_like(60, [(29, 30)]), speech_like(60, [(33, 34)], seed=1)
    stereo = wav(tmp_path / "call.wav", np.stack([one, other], axis=1))
    mono = wav(tmp_path / "memo.wav", noise(2, seed=7))
    folder = tmp_path / "out"
    manifest = split_bundle([job(stereo, chunks=2, mode="split"), job(mono)], folder, "b0001")
    check_chunks(folder, manifest)
    assert [(track.recording, track.channel, track.offset) for track in manifest.tracks] == [
        ("call", 0, 0),
        ("call", 1, 60 * SECOND),
        ("memo", None, 120 * SECOND),
    ]
    assert [c.chunk for c in manifest.chunks] == [
        "call.c0.0000",
        "call.c0.0001",
        "call.c1.0000",
        "call.c1.0001",
        "memo.0000",
    ]
    assert manifest.chunks[0].end < 30 * SECOND < 33 * SECOND < manifest.chunks[2].end
    stored = np.fromfile(folder / AUDIO_NAME, dtype="<i2")
    assert np.array_equal(stored, np.concatenate([one, other, noise(2, seed=7)]))
    assert sorted(path.name for path in folder.iterdir()) == [AUDIO_NAME, MANIFEST_NAME]
    assert BundleManifest.read(folder) == manifest


def test_the_hash_of_the_audio_depends_on_the_audio_only(tmp_path: Path) -> None:
    """Corrections belong to it: other chunks and channels, another name and other tags leave it as it is."""
    stereo = np.stack([noise(40, 1), noise(40, 2)], axis=1)
    path = wav(tmp_path / "call.wav", stereo)
    with soundfile.SoundFile(tmp_path / "tagged.wav", "w", SAMPLE_RATE, 2, "PCM_16") as file:
        file.title = "A call"
        file.write(stereo)
    changed = stereo.copy()
    changed[-1, 1] += 1
    tagged, other = tmp_path / "tagged.wav", wav(tmp_path / "other.wav", changed)
    jobs = [job(path), job(tagged, chunks=2), job(other)]
    mixed = split_bundle(jobs, tmp_path / "mix", "b0001").audio
    apart = split_bundle([job(path, mode="split")], tmp_path / "split", "b0001").audio
    assert mixed["call"] == mixed["tagged"] == apart["call"] != mixed["other"]
    assert len(mixed["call"]) == 64


@pytest.mark.parametrize("planned", [1, 2, 3])
def test_as_many_channels_as_planned_whatever_the_file_holds(tmp_path: Path, planned: int) -> None:
    stereo = np.stack([noise(3, 1), noise(3, 2)], axis=1)
    path = wav(tmp_path / "call.wav", stereo)

    manifest = split_bundle([replace(job(path, mode="split"), channels=planned)], tmp_path / "b", "b0001")

    # Later steps look for a chunk of every planned channel.
    assert [chunk.channel for chunk in manifest.chunks] == list(range(planned))
    assert not manifest.problems
    first = read_pcm(tmp_path / "b", manifest, manifest.chunks[0])
    assert np.array_equal(first, stereo[:, 0]) == (planned > 1)


def test_very_short_and_silent_recordings(tmp_path: Path) -> None:
    jobs = [job(wav(tmp_path / "blip.wav", noise(0.2))), job(wav(tmp_path / "hush.wav", np.zeros(16_000, np.int16)))]
    manifest = split_bundle(jobs, tmp_path / "out", "b0001")
    check_chunks(tmp_path / "out", manifest)
    assert [(chunk.start, chunk.end) for chunk in manifest.chunks] == [(0, 3_200), (0, 16_000)]
    assert manifest.problems == manifest.notes == {}


def test_a_file_shorter_than_planned_has_empty_chunks(tmp_path: Path) -> None:
    path = wav(tmp_path / "talk.wav", noise(30))
    manifest = split_bundle([job(path, chunks=10, duration=300 * SECOND)], tmp_path / "out", "b0001")
    check_chunks(tmp_path / "out", manifest)
    assert [chunk.chunk for chunk in manifest.chunks] == [f"talk.{index:04d}" for index in range(10)]
    assert [chunk.is_empty for chunk in manifest.chunks] == [False] + [True] * 9
    assert "0:00:30 of audio where 0:05:00 were expected" in manifest.notes["talk"]


def test_a_file_longer_than_planned_has_a_long_last_chunk(tmp_path: Path) -> None:
    path = wav(tmp_path / "talk.wav", noise(90))
    manifest = split_bundle([job(path, chunks=2, duration=40 * SECOND)], tmp_path / "out", "b0001")
    check_chunks(tmp_path / "out", manifest)
    assert manifest.chunks[1].end == 90 * SECOND
    assert "longer than usual" in manifest.notes["talk"]


def test_bad_recordings_stay_alone(tmp_path: Path) -> None:
    good = job(wav(tmp_path / "good.wav", noise(2)))
    gone = job(wav(tmp_path / "gone.wav", noise(1)))
    (tmp_path / "gone.wav").unlink()
    changed = job(wav(tmp_path / "changed.wav", noise(1)))
    wav(tmp_path / "changed.wav", noise(1.5))
    broken_path = tmp_path / "-- $(x)\n'.mp3"
    broken_path.write_bytes(b"no audio at all" * 100)
    broken = job(broken_path, duration=SECOND)
    last = job(wav(tmp_path / "last.wav", noise(1, seed=3)))
    folder = tmp_path / "out"
    manifest = split_bundle([gone, good, changed, broken, last], folder, "b0001")
    check_chunks(folder, manifest)
    assert [track.recording for track in manifest.tracks] == ["good", "last"]
    assert set(manifest.problems) == {"gone", "changed", broken.recording}
    assert "is gone" in manifest.problems["gone"]
    assert "was changed" in manifest.problems["changed"]
    assert manifest.problems[broken.recording].startswith(f"{broken_path}: ")
    assert (folder / AUDIO_NAME).stat().st_size == 2 * 3 * SECOND


class Stream:
    """A stand-in for the decoder: blocks, then perhaps an error."""

    def __init__(self, blocks: list[np.ndarray], error: Exception | None = None, note: str | None = None) -> None:
        self._blocks, self._error, self.note = blocks, error, note
        self.audio_hash = "0" * 64
        self.missing: list[Sound] = []
        self.claimed = 0

    def __iter__(self) -> Iterator[np.ndarray]:
        yield from self._blocks
        if self._error:
            raise self._error


def stream_of(monkeypatch: pytest.MonkeyPatch, **streams: Stream) -> None:
    def stream(path: Path, **options: Any) -> Stream:
        return streams[path.stem]

    monkeypatch.setattr(splitting, "stream_pcm", stream)


def test_what_a_failing_recording_wrote_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = np.stack([noise(1), noise(1)])
    stream_of(
        monkeypatch,
        bad=Stream([block, block], splitting.MediaError("its codec gave up")),
        good=Stream([block], note="ends early"),
        empty=Stream([]),
    )
    paths = [wav(tmp_path / f"{name}.wav", noise(1)) for name in ("bad", "good", "empty")]
    folder = tmp_path / "out"
    manifest = split_bundle([job(path, mode="split") for path in paths], folder, "b0001")
    check_chunks(folder, manifest)
    assert set(manifest.problems) == {"bad", "empty"}
    assert manifest.notes == {"good": "ends early"}
    assert np.array_equal(np.fromfile(folder / AUDIO_NAME, dtype="<i2"), block.reshape(-1))
    assert sorted(path.name for path in folder.iterdir()) == [AUDIO_NAME, MANIFEST_NAME]


def test_any_read_error_is_the_recordings_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream_of(monkeypatch, bad=Stream([noise(1)[None]], OSError(errno.EIO, "Input/output error")))
    manifest = split_bundle([job(wav(tmp_path / "bad.wav", noise(1)))], tmp_path / "out", "b0001")
    assert "cannot be read ([Errno 5] Input/output error)" in manifest.problems["bad"]
    assert (tmp_path / "out" / AUDIO_NAME).stat().st_size == 0


def test_hostile_names_are_only_names(tmp_path: Path) -> None:
    jobs = [job(wav(tmp_path / name, noise(1))) for name in ("-rf *.wav", "$(id) 'x'.wav", "two\nlines.wav")]
    manifest = split_bundle(jobs, tmp_path / "-out $(x)", "b0001")
    check_chunks(tmp_path / "-out $(x)", manifest)
    assert [track.samples for track in manifest.tracks] == [SECOND] * 3


def test_a_full_disk_leaves_nothing_and_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: object, data: memoryview) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(bundle_writer, "_write_all", full)
    folder = tmp_path / "chunks" / "b0001"
    with pytest.raises(RetryableError, match=r"chunks/b0001 \(\d+ MB free\), the disk is full"):
        split_bundle([job(wav(tmp_path / "talk.wav", noise(1)))], folder, "b0001")
    assert not folder.exists()


def test_an_earlier_result_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    split_bundle([job(wav(tmp_path / "old.wav", noise(3)))], folder, "b0001")
    (folder / ".track-1").write_bytes(b"left by a killed job")
    manifest = split_bundle([job(wav(tmp_path / "new.wav", noise(1)))], folder, "b0001")
    check_chunks(folder, BundleManifest.read(folder))
    assert [track.recording for track in manifest.tracks] == ["new"]
    assert sorted(path.name for path in folder.iterdir()) == [AUDIO_NAME, MANIFEST_NAME]


def test_the_command_reads_a_plan_and_a_spec(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = SCRIPTS / "split.py"
    spec = importlib.util.spec_from_file_location("split_command", source)
    assert spec and spec.loader
    command = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(command)

    recording = vars(job(wav(tmp_path / "talk.wav", noise(2)))) | {"language": "en"}
    plan = {"recordings": [recording], "bundles": [{"bundle": "b0007", "recordings": ["talk"]}]}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    (tmp_path / "spec.json").write_text(json.dumps({"bundle": "b0007", "recordings": [recording]}))
    command.main(["--plan", str(tmp_path / "plan.json"), "--bundle", "b0007", "--output", str(tmp_path / "one")])
    command.main(["--spec", str(tmp_path / "spec.json"), "--output", str(tmp_path / "two")])
    assert BundleManifest.read(tmp_path / "one") == BundleManifest.read(tmp_path / "two")
    assert "b0007: 1 of 1 recordings" in capsys.readouterr().err

    with pytest.raises(command.InputError, match="no bundle 'b0009'"):
        command.main(["--plan", str(tmp_path / "plan.json"), "--bundle", "b0009", "--output", str(tmp_path / "x")])
    (tmp_path / "spec.json").write_text("{}")
    with pytest.raises(command.InputError, match="lacks 'bundle'"):
        command.main(["--spec", str(tmp_path / "spec.json"), "--output", str(tmp_path / "x")])
    with pytest.raises(command.InputError, match="does not exist"):
        command.main(["--spec", str(tmp_path / "none.json"), "--output", str(tmp_path / "x")])
