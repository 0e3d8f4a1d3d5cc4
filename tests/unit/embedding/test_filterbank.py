"""Features as Kaldi computes them; the band of a recording is seen in them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiogrid.embedding.filterbank import STEP, filterbank, frame_count, high_band_level
from places import SCRIPTS
from speech import resample

CLIP = SCRIPTS / "audiogrid" / "hardware" / "clip" / "known_clip.wav"
EXPECTED = json.loads((Path(__file__).parent / "expected_vectors.json").read_text())


@pytest.fixture(scope="module")
def pcm() -> np.ndarray:
    return np.asarray(soundfile.read(CLIP, dtype="int16")[0])


def test_features_are_those_of_kaldi(pcm: np.ndarray) -> None:
    found = filterbank(pcm.astype(np.float32) / 32768)
    assert found.shape == (frame_count(len(pcm)), 80)
    for frame, values in EXPECTED["features"].items():
        np.testing.assert_allclose(found[int(frame)], values, atol=2e-3)


def test_a_part_of_a_signal_has_the_features_of_the_whole(pcm: np.ndarray) -> None:
    samples = pcm.astype(np.float32) / 32768
    whole, part = filterbank(samples), filterbank(samples[100 * STEP : 60_000])
    np.testing.assert_allclose(part, whole[100 : 100 + len(part)], atol=1e-4)


@pytest.mark.parametrize("samples", [0, 1, 399, 400, 560])
def test_short_signals(samples: int) -> None:
    assert filterbank(np.zeros(samples, dtype=np.float32)).shape == (frame_count(samples), 80)


def test_a_telephone_is_told_from_wide_band(pcm: np.ndarray) -> None:
    wide = high_band_level(filterbank(pcm.astype(np.float32) / 32768))
    line = resample(resample(pcm, 16_000, 8_000), 8_000, 16_000)
    narrow = high_band_level(filterbank(line.astype(np.float32) / 32768))
    assert narrow < -6.5 < wide
