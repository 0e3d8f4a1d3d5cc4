"""Applies the mel filters of Whisper's input without a linear-algebra library.

faster-whisper multiplies filters and spectrum with NumPy's BLAS, which picks its kernel by processor (or by
``OPENBLAS_CORETYPE``), and each kernel rounds its sums in its own way, so that the same audio under the same store key
gave different text. Here every sum is made in one fixed order of elementwise operations, which IEEE 754 defines to the
bit. The order and the rounding are those of the kernel for AVX-512 (one fused multiply-add
after the other), so that results made on such machines stay the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class MelFilters:
    """Replaces the filter matrix (float32, shape ``(mels, bins)``) where it is multiplied with a spectrum.

    A filter is a triangle over a few neighbouring bins; only those are used.
    """

    def __init__(self, matrix: np.ndarray) -> None:
        self.shape = matrix.shape
        filled = matrix != 0
        first = filled.argmax(axis=1)
        width = matrix.shape[1] - filled[:, ::-1].argmax(axis=1) - first
        width[~filled.any(axis=1)] = 0
        self._steps: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for step in range(int(width.max(initial=0))):
            rows = np.flatnonzero(width > step)
            bins = first[rows] + step
            self._steps.append((rows, bins, matrix[rows, bins].astype(np.float64)[:, None]))

    def __matmul__(self, spectrum: np.ndarray) -> np.ndarray:
        """Returns the mel spectrum, float32, shape ``(mels, frames)``, of a power spectrum ``(bins, frames)``."""
        exact = spectrum.astype(np.float64)
        total = np.zeros((self.shape[0], spectrum.shape[1]))
        for rows, bins, weights in self._steps:
            # A product of two float32 is exact in float64, so there is one rounding per step: a fused multiply-add.
            total[rows] = (total[rows] + weights * exact[bins]).astype(np.float32)
        return total.astype(np.float32)


def without_blas(extractor: Any) -> Any:
    """Returns faster-whisper's feature extractor with its filters replaced by ``MelFilters``."""
    extractor.mel_filters = MelFilters(extractor.mel_filters)
    return extractor
