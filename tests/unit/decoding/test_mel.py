"""The model's input does not depend on which linear-algebra kernel a machine has."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from audiogrid.decoding.whisper.mel import MelFilters
from places import SCRIPTS

FEATURES = """
import hashlib
from faster_whisper.feature_extractor import FeatureExtractor
from audiogrid.hardware.known_clip import read_clip
from audiogrid.decoding.whisper.mel import without_blas
pcm = read_clip().astype("float32") / 32768
for mels in (80, 128):
    extractor = FeatureExtractor(feature_size=mels)
    library = hashlib.sha256(extractor(pcm).tobytes()).hexdigest()
    print(library, hashlib.sha256(without_blas(extractor)(pcm).tobytes()).hexdigest())
"""


def test_features_are_the_same_whatever_kernel_blas_has():
    ours, library = set(), set()
    for kernel in (None, "Haswell", "Nehalem", "Prescott"):
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(SCRIPTS)}
        environment.pop("OPENBLAS_CORETYPE", None)
        if kernel:
            environment["OPENBLAS_CORETYPE"] = kernel
        done = subprocess.run([sys.executable, "-c", FEATURES], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        pairs = [line.split() for line in done.stdout.splitlines()]
        library.add(tuple(first for first, _ in pairs))
        ours.add(tuple(second for _, second in pairs))
    assert len(ours) == 1
    if len(library) == 1:
        pytest.skip("this NumPy's BLAS does not heed OPENBLAS_CORETYPE, so nothing was shown")


def fused(weights: np.ndarray, values: np.ndarray) -> np.float32:
    """One fused multiply-add after the other, with exact arithmetic in between."""
    total = np.float32(0)
    for weight, value in zip(weights, values, strict=True):
        exact = Fraction(float(weight)) * Fraction(float(value)) + Fraction(float(total))
        total = np.float32(float(exact))
    return total


@pytest.mark.parametrize("mels", [80, 128])
def test_filters_are_those_of_the_library_summed_in_order(mels: int):
    from faster_whisper.feature_extractor import FeatureExtractor

    matrix = FeatureExtractor(feature_size=mels).mel_filters
    rng = np.random.default_rng(mels)
    spectrum = (rng.random((matrix.shape[1], 7)) ** 8).astype(np.float32)
    mel = MelFilters(matrix) @ spectrum
    assert mel.dtype == np.float32 and mel.shape == (mels, 7)
    np.testing.assert_allclose(mel, matrix @ spectrum, rtol=1e-6)
    for row in range(0, mels, 9):
        assert mel[row, 3] == fused(matrix[row], spectrum[:, 3])


def test_gaps_and_empty_filters_are_allowed():
    matrix = np.array([[0, 0, 0, 0], [1, 0, 2, 0], [0, 3, 0, 0]], np.float32)
    spectrum = np.arange(8, dtype=np.float32).reshape(4, 2)
    assert np.array_equal(MelFilters(matrix) @ spectrum, matrix @ spectrum)
