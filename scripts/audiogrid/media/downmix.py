"""Mixes many channels into one, without clipping and without cancelling them against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# In films speech is in the centre channel, elsewhere mostly in the front pair. No channel is left out, because
# microphones are recorded under any channel name.
_WEIGHTS = {"FC": 1.41, "FL": 1.0, "FR": 1.0, "DL": 1.0, "DR": 1.0}
_OTHER_WEIGHT = 0.71
# The mix must keep this share of the power that unrelated channels would have; less means that they cancel.
_CANCELS_BELOW = 0.1
# Channels summed as they are count as fine again above this share.
_FINE_ABOVE = 1.0
_FADE = 512
_PROBE_POINTS = 8_192


def channel_weights(names: list[str] | None, channels: int) -> NDArray[np.float32]:
    """Returns weights by channel name (``FL`` ...), shape ``(channels,)``, that add up to 1; equal without names."""
    if names is None or len(names) != channels or channels <= 2:
        return np.full(channels, 1 / channels, np.float32)
    raw = np.array([_WEIGHTS.get(name, _OTHER_WEIGHT) for name in names])
    weights: NDArray[np.float32] = (raw / raw.sum()).astype(np.float32)
    return weights


class Downmix:
    """Weighted sum of channels, block after block.

    Channels of opposite polarity would cancel. Where the sum has lost nearly all power, such channels are inverted.
    The choice is made per block and kept until a block clearly contradicts it, with a short fade between two choices.
    """

    def __init__(self, weights: NDArray[np.float32]) -> None:
        self._weights = weights
        self._signs = np.ones(len(weights), np.float32)

    def __call__(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mix ``(channels, n)`` down to ``(n,)``; within [-1, 1] if the input is."""
        if len(self._weights) == 1:
            only: NDArray[np.float32] = block[0]
            return only
        before, self._signs = self._signs, self._choose(block)
        mixed = _sum(self._weights * self._signs, block)
        if not np.array_equal(before, self._signs):
            count = min(_FADE, block.shape[1])
            fade = np.linspace(0, 1, count, dtype=np.float32)
            old = _sum(self._weights * before, block[:, :count])
            mixed[:count] = old * (1 - fade) + mixed[:count] * fade
        return mixed

    def _choose(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        points = block[:, :: max(1, block.shape[1] // _PROBE_POINTS)].astype(np.float64) * self._weights[:, None]
        covariance = points @ points.T
        power = np.diag(covariance)
        total = float(power.sum())
        if total <= 0:
            return self._signs
        plain = float(covariance.sum()) / total
        kept = float(self._signs @ covariance @ self._signs) / total
        if plain > _FINE_ABOVE:
            return np.ones_like(self._signs)
        if kept >= _CANCELS_BELOW:
            return self._signs
        reference = int(np.argmax(power))
        signs = np.where(covariance[reference] < -0.5 * np.sqrt(power * power[reference]), -1, 1).astype(np.float32)
        gained = float(signs @ covariance @ signs) / total
        return signs if gained > 2 * kept else self._signs


def _sum(weights: NDArray[np.float32], block: NDArray[np.float32]) -> NDArray[np.float32]:
    mixed = block[0] * weights[0]
    for weight, channel in zip(weights[1:], block[1:], strict=True):
        mixed += weight * channel
    return np.asarray(mixed, np.float32)
