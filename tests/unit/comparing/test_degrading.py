"""Conditions made on purpose: their names, their bytes, and what they do to the sound."""

from __future__ import annotations

import numpy as np
import pytest

from audiogrid.comparing.degrading import degrade, speech_level, suffix
from audiogrid.config.conditions import parse_condition, parse_conditions
from audiogrid.core.errors import InputError, RetryableError
from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.media.demux import MediaError
from audiogrid.media.pcm_stream import stream_pcm
from audiogrid.probing.media_facts import probe_media
from media import write_wav


def tone(hertz, seconds=2.0, level=8000.0):
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)).astype(np.int16)


def strength(pcm, hertz):
    """Amplitude of a sine in a signal."""
    wave = np.exp(-2j * np.pi * hertz * np.arange(len(pcm)) / SAMPLE_RATE)
    return 2 * abs(np.mean(pcm * wave))


def made(source, tmp_path, condition, channels="mix"):
    parsed = parse_condition(condition)
    target = tmp_path / f"made{suffix(parsed)}"
    degrade(source, target, parsed, channels)
    return np.concatenate(list(stream_pcm(target, channels=channels)), axis=1), target


@pytest.mark.parametrize(
    "given, name",
    [
        ("mp3 32", "mp3-32k"),
        ("MP3 32 kbit/s", "mp3-32k"),
        ("opus 12k", "opus-12k"),
        ("telephone", "telephone"),
        ("noise 10 dB", "noise-10dB"),
        ("noise -5", "noise--5dB"),
        ("speed 1.25x", "speed-1.25x"),
        ("telephone + noise 5", "telephone_noise-5dB"),
    ],
)
def test_names(given, name):
    assert parse_condition(given).name == name


@pytest.mark.parametrize(
    "given, words",
    [
        ("aac 32", ["'aac 32'", "mp3 32", "telephone"]),
        ("mp3", ["'mp3'", "number"]),
        ("mp3 320", ["'mp3 320'", "160"]),
        ("noise 10 kg", ["noise 10 kg", "dB"]),
        ("", ["mp3 32"]),
        ("telephone + fog", ["fog", "telephone"]),
    ],
)
def test_a_condition_that_is_none(given, words):
    with pytest.raises(InputError) as caught:
        parse_condition(given)
    for word in words:
        assert word in str(caught.value)


def test_the_same_condition_counts_once():
    assert len(parse_conditions(["mp3 32", "mp3 32k", "telephone"])) == 2


@pytest.mark.parametrize("condition", ["mp3 32", "opus 12", "telephone + noise 5", "speed 1.25"])
def test_the_same_sound_gives_the_same_bytes_and_keeps_its_channels(tmp_path, condition):
    pair = np.stack([tone(500, 5), tone(900, 5)], axis=1)
    source = write_wav(tmp_path / "pair.wav", pair)
    pcm, target = made(source, tmp_path, condition, "split")
    once = target.read_bytes()
    made(source, tmp_path, condition, "split")
    assert target.read_bytes() == once
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["pair.wav", target.name])
    assert probe_media(target).channels == 2
    assert pcm.shape[1] == pytest.approx(5 * SAMPLE_RATE / (1.25 if "speed" in condition else 1), abs=800)
    wanted = (500, 900)
    for number, row in enumerate(pcm):
        assert strength(row, wanted[number]) > 2000
        assert strength(row, wanted[number]) > 10 * strength(row, wanted[1 - number])


def test_a_telephone_passes_its_band_only(tmp_path):
    source = write_wav(tmp_path / "s.wav", tone(80) + tone(1000) + tone(6000))
    pcm, target = made(source, tmp_path, "telephone")
    assert probe_media(target).sample_rate == 8000
    assert strength(pcm[0], 1000) > 7000
    assert strength(pcm[0], 80) < 800
    assert strength(pcm[0], 6000) < 200


def test_noise_is_as_loud_as_asked_against_speech_without_its_pauses(tmp_path):
    signal = np.concatenate([tone(500, 5), np.zeros(15 * SAMPLE_RATE, np.int16)])
    source = write_wav(tmp_path / "s.wav", signal)
    pcm, _ = made(source, tmp_path, "noise 20")
    noise = pcm[0].astype(float) - signal
    level = speech_level([signal[None]])
    assert level == pytest.approx(8000 / np.sqrt(2), rel=0.02)
    assert 20 * np.log10(level / noise.std()) == pytest.approx(20, abs=0.2)


def test_silence_stays_silent(tmp_path):
    source = write_wav(tmp_path / "s.wav", np.zeros(2 * SAMPLE_RATE, np.int16))
    pcm, _ = made(source, tmp_path, "noise 10")
    assert not pcm.any()


def test_blocks_of_a_long_recording_join_without_a_seam(tmp_path):
    source = write_wav(tmp_path / "long.wav", tone(440, 65))
    pcm, _ = made(source, tmp_path, "speed 0.8")
    steps = np.abs(np.diff(pcm[0].astype(int)))
    assert steps.max() < 1.3 * 8000 * 2 * np.pi * 440 / SAMPLE_RATE


def test_what_cannot_be_read_or_written_leaves_nothing_behind(tmp_path):
    broken = tmp_path / "broken.mp3"
    broken.write_bytes(b"no sound" * 100)
    with pytest.raises(MediaError):
        degrade(broken, tmp_path / "out" / "x.mp3", parse_condition("mp3 32"), "mix")
    assert not list((tmp_path / "out").iterdir())
    (tmp_path / "file").write_text("in the way")
    with pytest.raises((RetryableError, OSError)):
        degrade(write_wav(tmp_path / "s.wav", tone(440)), tmp_path / "file" / "x.mp3", parse_condition("mp3 32"), "mix")


def test_more_channels_than_a_codec_has(tmp_path):
    four = np.stack([tone(300 + 200 * number) for number in range(4)], axis=1)
    source = write_wav(tmp_path / "four.wav", four)
    with pytest.raises(MediaError, match="two channels"):
        made(source, tmp_path, "mp3 32", "split")
    for condition in ("opus 24", "telephone", "speed 1.25"):
        assert made(source, tmp_path, condition, "split")[0].shape[0] == 4
