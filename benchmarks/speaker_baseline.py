"""The baseline of ``speakers.py``: resemblyzer's network and spectral clustering, without PyTorch.

    pip download --no-deps resemblyzer==0.1.4
    pip install spectralcluster

The weights (a long short-term memory of three layers, MIT and Apache-2.0) are read out of the wheel and run by NumPy;
nothing of the wheel is run. Speech is found by the same Silero detector as ours, since resemblyzer's own needs a
compiled package. Windows of 1.6 s every 0.75 s; spectral clustering with refinement as published (Wang et al., 2018).
"""

from __future__ import annotations

import hashlib
import io
import pickle
import zipfile
from collections import OrderedDict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from audiogrid.embedding.voices import Turn, turns_of
from audiogrid.media.vad import VoiceOptions, speech_probabilities, speech_spans
from audiogrid.records.voices import Tracklet

RATE = 16_000
STEP, WIDTH, WINDOW, BINS, HIDDEN = 160, 400, 160, 40, 256
HOP = 75
SHA256 = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"


def mel_filters() -> np.ndarray:
    """Triangular filters ``(40, 201)`` on Slaney's scale, each of area 1, as librosa makes them by default."""

    def hertz(mel: np.ndarray) -> np.ndarray:
        return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))

    highest = 15 + 27 * np.log(RATE / 2 / 1000) / np.log(6.4)
    edges = hertz(np.linspace(0, highest, BINS + 2))
    bins = np.arange(WIDTH // 2 + 1) * RATE / WIDTH
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))[:, None]


def mel_spectrogram(samples: np.ndarray) -> np.ndarray:
    """Power in 40 bins, ``(frames, 40)``, a frame each 10 ms, of samples in ±1 raised to -30 dBFS."""
    level = np.sqrt((samples**2).mean()) + 1e-12
    samples = samples * max(1.0, 10 ** (-30 / 20) / level)
    padded = np.pad(samples, WIDTH // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WIDTH)[::STEP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WIDTH) / WIDTH)
    found = [np.abs(np.fft.rfft(part * window)) ** 2 @ mel_filters().T for part in np.array_split(frames, 20)]
    return np.concatenate(found).astype(np.float32)


class _Tensors(pickle.Unpickler):
    """Reads nothing but tensors, from PyTorch's format before 1.6: pickles, then the storages one after another."""

    def __init__(self, file: io.BytesIO, storages: dict[str, np.ndarray]) -> None:
        super().__init__(file)
        self._storages = storages

    def find_class(self, module: str, name: str) -> Any:
        known = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): lambda storage, offset, shape, *_: storage[
                offset : offset + int(np.prod(shape))
            ].reshape(shape),
            ("torch", "FloatStorage"): "float32",
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in these weights")
        return known[module, name]

    def persistent_load(self, pid: Any) -> np.ndarray:
        _, _, key, _, size, _ = pid
        return self._storages.setdefault(key, np.zeros(size, dtype=np.float32))


def tensors(data: bytes) -> dict[str, np.ndarray]:
    """The tensors of the checkpoint."""
    file = io.BytesIO(data)
    storages: dict[str, np.ndarray] = {}
    for _ in range(3):
        _Tensors(file, storages).load()
    # The tensors are views of the storages, which are filled below.
    found = _Tensors(file, storages).load()["model_state"]
    for key in _Tensors(file, storages).load():
        size = int(np.frombuffer(file.read(8), dtype="<i8")[0])
        storages[key][:] = np.frombuffer(file.read(4 * size), dtype="<f4")
    return dict(found)


class Baseline:
    """resemblyzer from ``wheel``; ``turns`` says who talks when."""

    def __init__(self, wheel: Path) -> None:
        import spectralcluster  # noqa: F401 - missing packages are told before anything is measured

        with zipfile.ZipFile(wheel) as archive:
            data = archive.read("resemblyzer/pretrained.pt")
        if hashlib.sha256(data).hexdigest() != SHA256:
            raise SystemExit(f"{wheel} does not hold the weights of resemblyzer 0.1.4")
        self._weights = tensors(data)

    def _embedded(self, windows: np.ndarray) -> np.ndarray:
        """Unit vectors ``(n, 256)`` of windows ``(n, 160, 40)``."""
        values = windows.transpose(1, 0, 2)
        for layer in range(3):
            weights = [
                self._weights[f"lstm.{kind}_l{layer}"] for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            ]
            given = values @ weights[0].T + weights[2] + weights[3]
            hidden = cell = np.zeros((windows.shape[0], HIDDEN), dtype=np.float32)
            out = np.empty((len(values), len(windows), HIDDEN), dtype=np.float32)
            for index, one in enumerate(given):
                gates = one + hidden @ weights[1].T
                enter, forget, new, leave = np.split(gates, 4, axis=1)
                cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(new)
                hidden = out[index] = sigmoid(leave) * np.tanh(cell)
            values = out
        raw = np.maximum(0, values[-1] @ self._weights["linear.weight"].T + self._weights["linear.bias"])
        return raw / (np.linalg.norm(raw, axis=1, keepdims=True) + 1e-12)

    def turns(self, pcm: np.ndarray) -> tuple[list[Turn], int]:
        """Turns in ``pcm`` (int16) and the number of voices."""
        spans = speech_spans(speech_probabilities(pcm), len(pcm), VoiceOptions(min_silence_ms=100, pad_ms=30))
        mels = mel_spectrogram(pcm.astype(np.float32) / 32768)
        mels = np.pad(mels, ((0, WINDOW), (0, 0)))
        parts: list[tuple[int, int]] = []
        for start, end in spans:
            edges = [*range(start, max(start + 1, end - HOP * STEP // 2), HOP * STEP), end]
            parts += list(pairwise(edges))
        if len(parts) < 2:
            return [Turn(start, end, 0) for start, end in parts], len(parts)
        firsts = [max(0, ((start + end) // 2 - WINDOW * STEP // 2) // STEP) for start, end in parts]
        vectors = np.concatenate(
            [
                self._embedded(np.stack([mels[first : first + WINDOW] for first in firsts[begin : begin + 256]]))
                for begin in range(0, len(firsts), 256)
            ]
        )
        labels = clustered(vectors)
        made = [Tracklet(start, end, end - start, 0.0, b"") for start, end in parts]
        return turns_of(made, labels), max(labels) + 1


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(values / 2))


def clustered(vectors: np.ndarray) -> list[int]:
    """Labels from 0 on, by spectral clustering as resemblyzer's demonstration sets it, with up to 40 voices."""
    from spectralcluster import RefinementName, RefinementOptions, SpectralClusterer, ThresholdType

    steps = "CropDiagonal GaussianBlur RowWiseThreshold Symmetrize Diffuse RowWiseNormalize".split()
    refinement = RefinementOptions(
        gaussian_blur_sigma=1,
        p_percentile=0.9,
        thresholding_soft_multiplier=0.01,
        thresholding_type=ThresholdType.RowMax,
        refinement_sequence=[RefinementName[name] for name in steps],
    )
    found = SpectralClusterer(min_clusters=1, max_clusters=40, refinement_options=refinement).predict(
        vectors.astype(float)
    )
    order = {label: number for number, label in enumerate(dict.fromkeys(found.tolist()))}
    return [order[label] for label in found.tolist()]
