"""Music, hums, ringing and noise, all synthesised, and what the detector says of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import speech
from audiogrid.records.ledger import NO_SPEECH, REASONS, Sound
from audiogrid.splitting.music import STEP
from audiogrid.splitting.sound_levels import SoundLevels
from require import require

RATE = 16_000
SCALE = (0, 2, 4, 5, 7, 9, 11, 12)


def seconds(count: float) -> np.ndarray:
    return np.arange(round(count * RATE)) / RATE


def noise(count: float, fall: float, level: float = 1000, seed: int = 1) -> np.ndarray:
    """Noise whose amplitude falls with frequency: 0 is white, 0.5 pink, 1 brown."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=round(count * RATE)))
    made = np.fft.irfft(spectrum * np.maximum(np.arange(len(spectrum)), 1.0) ** -fall, round(count * RATE))
    return np.asarray(level * made / made.std())


def hum(count: float, hertz: float = 50, harmonics: int = 20, level: float = 1000) -> np.ndarray:
    at = seconds(count)
    return np.asarray(level * sum(np.sin(2 * np.pi * hertz * n * at + n * n) / n for n in range(1, harmonics + 1)))


def ringing(count: float, on: float, off: float, *hertz: float) -> np.ndarray:
    at = seconds(count)
    return np.asarray(8000 / len(hertz) * (at % (on + off) < on) * sum(np.sin(2 * np.pi * h * at) for h in hertz))


def tune(count: float, beat: float, *, chords: bool, decay: float = 1.5, seed: int = 2) -> np.ndarray:
    """Notes of a scale, each two seconds long, with six harmonics; with a triad below each where ``chords``."""
    random = np.random.default_rng(seed)
    made = np.zeros(round((count + 3) * RATE))
    at = seconds(2)
    envelope = np.exp(-decay * at) * np.minimum(1, 100 * at)
    for beat_number in range(int(count / beat)):
        root, above = (SCALE[n] for n in random.integers(len(SCALE), size=2))
        for tone in (root - 12, root - 8, root - 5, above) if chords else (root,):
            hertz = 262 * 2 ** (tone / 12)
            start = int(beat_number * beat * RATE)
            made[start : start + len(at)] += envelope * sum(np.sin(2 * np.pi * hertz * n * at) / n for n in range(1, 7))
    made = made[: round(count * RATE)]
    return np.asarray(9000 * made / np.abs(made).max())


def heard(*parts: np.ndarray) -> list[Sound]:
    levels = SoundLevels()
    levels.feed(np.clip(np.rint(np.concatenate(parts)), -32768, 32767).astype("<i2"))
    return levels.sounds()


def share(found: list[Sound], kind: str) -> float:
    return sum(one.end - one.start for one in found if one.kind == kind) / found[-1].end


@pytest.mark.parametrize(
    "make",
    [
        lambda: tune(24, 0.4, chords=False),
        lambda: tune(24, 0.4, chords=False) + noise(24, 0.5, 200),
        lambda: tune(24, 1.0, chords=True),
        lambda: tune(24, 0.3, chords=True) + noise(24, 0.5, 100),
        lambda: tune(24, 2.0, chords=True, decay=0.1) + noise(24, 0.5, 50),
    ],
    ids=["melody", "melody in noise", "chords", "fast chords", "organ"],
)
def test_tunes_are_music(make: Callable[[], np.ndarray]) -> None:
    assert share(heard(make()), "music") > 0.95


@pytest.mark.parametrize(
    "make",
    [
        lambda: noise(24, 0),
        lambda: noise(24, 0.5),
        lambda: noise(24, 1),
        lambda: hum(24),
        lambda: hum(24) + noise(24, 0.5, 200),
        lambda: hum(24, 83, 30) * (1 + 0.3 * np.sin(2 * np.pi * 0.3 * seconds(24))) + noise(24, 1, 800),
        lambda: ringing(24, 2, 4, 440, 480) + noise(24, 0.5, 300),
        lambda: ringing(24, 0.04, 0.04, 1250, 1450, 2900) + noise(24, 0.5, 100),
        lambda: ringing(24, 1, 0, 350, 440),
    ],
    ids=["white", "pink", "brown", "hum", "hum in noise", "motor", "telephone in a room", "bell", "dial tone"],
)
def test_noise_hums_and_ringing_are_noise(make: Callable[[], np.ndarray]) -> None:
    found = heard(make())
    assert share(found, "noise") > 0.9
    assert share(found, "music") == 0


def test_a_telephone_rings_in_silence_without_music() -> None:
    for made in (ringing(24, 2, 4, 440, 480), ringing(24, 1, 4, 425), ringing(24, 0.5, 0.5, 480, 620)):
        assert share(heard(made), "music") == 0


def test_a_hum_that_is_switched_on_and_off_is_no_music() -> None:
    room = noise(40, 0.5, 200)
    on = (seconds(40) % 13 > 5).astype(float)
    assert share(heard(hum(40) * on + room), "music") == 0


def test_music_between_noise_and_silence_has_its_place() -> None:
    tones = tune(20, 0.4, chords=True)
    found = heard(noise(20, 0.5), tones, np.zeros(10 * RATE), noise(20, 0.5))
    assert [one.kind for one in found] == ["noise", "music", "silence", "noise"]
    for one, until in zip(found, (20, 40, 50, 70), strict=True):
        assert abs(one.end - until * RATE) <= STEP + 0.1 * RATE
    assert all((NO_SPEECH, one.kind) in REASONS for one in found)


@pytest.mark.parametrize("made", [tune(3.5, 0.4, chords=True), noise(3.5, 0.5)], ids=["music", "noise"])
def test_what_is_too_short_is_not_judged(made: np.ndarray) -> None:
    assert {one.kind for one in heard(made)} <= {"sound", "silence"}
    assert {one.kind for one in heard(np.zeros(9 * RATE), made, np.zeros(9 * RATE))} == {"sound", "silence"}


@pytest.mark.parametrize("samples", [1, 4095, 8191, 8193, STEP - 1, STEP, STEP + 1, 5 * STEP + 8191])
@pytest.mark.parametrize("level", [0, 32_767, -32_768])
def test_odd_lengths_and_extreme_levels(samples: int, level: int) -> None:
    found = heard(np.full(samples, level))
    assert found[0].start == 0 and found[-1].end == samples
    assert {one.kind for one in found} <= {"silence", "sound", "noise"}


def test_recorded_music_is_told_from_human_speech() -> None:
    tune = speech.music(40)
    require("music", len(tune), "apt-get install asterisk-moh-opsound-wav")
    require("prompts", speech.prompts("en"), "apt-get install asterisk-core-sounds-en-wav asterisk-core-sounds-en")
    assert share(heard(tune), "music") > 0.75
    said = speech.human_speech("en", 8).pcm
    assert share(heard(said), "music") == share(heard(said + noise(len(said) / RATE, 0.5, 60)), "music") == 0


def test_blocks_make_no_difference() -> None:
    pcm = np.rint(np.concatenate([tune(9, 0.4, chords=True), noise(9.3, 0.5, 300)])).astype("<i2")
    whole = heard(pcm)
    for block in (1, 7_777, STEP, 400_000):
        levels = SoundLevels()
        for start in range(0, len(pcm), block) if block > 1 else range(2_000):
            levels.feed(pcm[start : start + block])
        if block == 1:
            levels.feed(pcm[2_000:])
        assert levels.sounds() == whole
    assert {one.kind for one in whole} == {"music", "noise"}
