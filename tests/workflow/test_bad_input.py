"""Every kind of bad file at once: each has its reason, and everything that can be transcribed is."""

from __future__ import annotations

import json

import numpy as np
import pytest

import bad_media
import runs
from media import write_media, write_wav
from speech import RATE, music, say, silence, word_error_rate

pytestmark = pytest.mark.workflow

SAID = "The meeting begins at ten o'clock in the large hall."


def go(workspace, *options, **more):
    return workspace.snakemake("--config", "run=x", "recordings=in", "language=en", *options, **more)


def test_bad_files_are_rejected_and_the_others_transcribed(workspace):
    folder = workspace.path / "in"
    folder.mkdir()
    reasons = {make(folder).name: words for make, words in bad_media.REJECTED.items()}
    (folder / "loop").mkdir()
    (folder / "loop" / "again").symlink_to(folder, target_is_directory=True)
    (folder / "gone.wav").symlink_to(folder / "nowhere.wav")
    reasons["gone.wav"] = "link"
    speech = say(SAID, 3)
    write_wav(folder / "good.wav", speech)
    write_media(folder / "good.mp3", speech)
    # Accepted as far as they go.
    for make in (bad_media.make_short, bad_media.make_silence):
        make(folder)
    whole_speech = np.concatenate([speech, silence(0.5), say("Never to be heard.", 4)])
    whole = write_media(folder / "cut.mp3", whole_speech)
    data = whole.read_bytes()
    whole.write_bytes(data[: int(len(data) * 0.62)])
    # Read whole, whatever their headers, flags and clocks say.
    screen = bad_media.encode_tracks(folder / "screen.mkv", [np.zeros((len(speech), 2), np.int16), speech], default=0)
    film = [speech, say("This is another sentence.", 5)]
    bad_media.encode_tracks(folder / "film.mkv", film, languages=["eng", "spa"], default=0)
    bad_media.write_wav(folder / "crashed.wav", speech, data_size=RATE)
    ahead = {"output_ts_offset": "1000"}
    splice = [
        bad_media.encode(workspace.path / "1.ts", silence(2.0), "aac"),
        bad_media.encode(workspace.path / "2.ts", speech, "aac", container_options=ahead),
    ]
    (folder / "splice.ts").write_bytes(b"".join(part.read_bytes() for part in splice))
    odd = {screen.name: "audio track 2 of 2", "crashed.wav": "header covers only", "splice.ts": "timestamps jump"}

    done = go(workspace, code=1)

    run = workspace.path / "results" / "x"
    rejected = {row["path"].removeprefix("in/"): row["reason"] for row in runs.table(run / "rejected.tsv")}
    assert set(rejected) == set(reasons)
    for name, words in reasons.items():
        assert words in rejected[name], (name, rejected[name])
    assert f"{len(reasons)} rejected" in done.stdout
    summary = {row["path"].removeprefix("in/"): row for row in runs.table(run / "summary.tsv")}
    names = {"good.wav", "good.mp3", "short.wav", "silence.wav", "cut.mp3", "film.mkv"}
    assert set(summary) == names | set(odd)
    assert len({row["recording"] for row in summary.values()}) == len(summary)
    for name, words in odd.items():
        assert word_error_rate(SAID, runs.text(run, summary[name]["recording"])) <= 0.1
        assert words in summary[name]["note"] and summary[name]["status"] == "complete"
    assert 4 < float(summary["splice.ts"]["duration_s"]) < 10
    assert "speech on audio track 2 (es) is left out" in summary["film.mkv"]["left_out"]
    assert summary["film.mkv"]["status"] == "partial"
    assert "film: speech on audio track 2 (es) is left out; set tracks to all" in done.stdout
    for name in ("good.wav", "good.mp3"):
        assert word_error_rate(SAID, runs.text(run, summary[name]["recording"])) <= 0.1
    assert word_error_rate(SAID, runs.text(run, summary["cut.mp3"]["recording"])) <= 0.3
    ledger = runs.ledger(run)
    assert set(ledger) == {row["recording"] for row in summary.values()}
    cut = runs.seconds_of(ledger[summary["cut.mp3"]["recording"]])
    assert cut["unreadable/cut_off"] == pytest.approx(
        len(whole_speech) / RATE - float(summary["cut.mp3"]["duration_s"]), abs=0.2
    )
    assert cut["speech_with_words"] > 1
    assert set(runs.seconds_of(ledger["silence"])) == {"no_speech/silence"}
    for name in ("short.wav", "silence.wav"):
        assert runs.text(run, summary[name]["recording"]) == ""
        assert (run / "transcripts" / f"{summary[name]['recording']}.vtt").read_text().count("-->") == 0


def test_silence_and_music_give_valid_empty_transcripts(workspace):
    folder = workspace.path / "in"
    folder.mkdir()
    write_wav(folder / "silence.wav", silence(40))
    write_wav(folder / "music.wav", music(60))
    rumble = np.random.default_rng(1).normal(0, 300, 40 * RATE).astype(np.int16)
    write_wav(folder / "rumble.wav", rumble)
    go(workspace)
    run = workspace.path / "results" / "x"
    for name in ("silence", "music", "rumble"):
        assert runs.text(run, name) == ""
        assert json.loads((run / "transcripts" / f"{name}.json").read_text())["segments"] == []
        assert (run / "transcripts" / f"{name}.srt").read_text() == ""
    ledger = runs.ledger(run)
    assert runs.seconds_of(ledger["silence"]) == {"no_speech/silence": 40}
    quiet = {
        name: {kind: time for kind, time in runs.seconds_of(ledger[name]).items() if kind.startswith("no_speech")}
        for name in ("rumble", "music")
    }
    assert set(quiet["rumble"]) == {"no_speech/noise"}
    assert quiet["music"]["no_speech/music"] > 0.7 * sum(quiet["music"].values())
    assert all(row["kind"] != "speech_with_words" for rows in ledger.values() for row in rows)


def test_chunk_texts_are_the_text_before_stitching(workspace, speech):
    folder = workspace.path / "in"
    folder.mkdir()
    write_wav(folder / "long.wav", speech(seconds=80, seed=6).pcm)
    go(workspace, "chunk_minutes=0.5", "chunk_texts=true", "formats=txt")
    run = workspace.path / "results" / "x"
    parts = sorted((run / "transcripts" / "long.chunks").iterdir())
    assert [part.name for part in parts] == [f"{index:04d}.txt" for index in range(len(parts))]
    assert len(parts) >= 2
    assert word_error_rate(" ".join(part.read_text() for part in parts), runs.text(run, "long")) <= 0.05
