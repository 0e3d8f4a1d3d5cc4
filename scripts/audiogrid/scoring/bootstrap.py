"""Confidence intervals of error rates by the paired bootstrap.

Units (recordings, or passages of them) are drawn with replacement, the same draw for every variant,
and the rates computed anew. Source: M. Bisani and H. Ney, "Bootstrap estimates for confidence
intervals in ASR performance evaluation", ICASSP 2004. The seed is fixed: the same results give the
same intervals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLES = 2000
SEED = 1
CONFIDENCE = 0.95
# With fewer units the bounds of an interval would be guesses, so there is none.
FEWEST_UNITS = 5
# Most draws held in memory at once (units times resamples).
_AT_ONCE = 5_000_000


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % confidence bounds (``None``: too few units)."""

    value: float
    low: float | None = None
    high: float | None = None


def resampled(errors: NDArray[np.float64], weights: NDArray[np.float64], seed: int = SEED) -> NDArray[np.float64]:
    """Returns the rates of every variant in every resample, shape ``(RESAMPLES, variants)``.

    ``errors``: shape ``(variants, units)``; ``weights``: tokens per unit, shape ``(units,)``. Draws without any token
    are left out.
    """
    units = len(weights)
    rng = np.random.default_rng(seed)
    chances = np.full(units, 1 / units)
    step = max(1, _AT_ONCE // units)
    parts = []
    for start in range(0, RESAMPLES, step):
        draws = rng.multinomial(units, chances, size=min(step, RESAMPLES - start)).astype(np.float64)
        total = draws @ weights
        parts.append((draws @ errors.T)[total > 0] / total[total > 0, None])
    return np.concatenate(parts)


def _bounds(values: NDArray[np.float64]) -> tuple[float, float]:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


@dataclass(frozen=True)
class BootstrapRates:
    """Rates of several variants over the same units, with their bootstrap draws.

    ``units``: how many were drawn from; ``draws``: shape ``(resamples, variants)``, ``None`` where there
    are too few units for intervals.
    """

    rates: NDArray[np.float64]
    units: int
    draws: NDArray[np.float64] | None

    def rate(self, variant: int) -> Interval:
        """Returns the rate of a variant (errors per token)."""
        value = float(self.rates[variant])
        return Interval(value) if self.draws is None else Interval(value, *_bounds(self.draws[:, variant]))

    def difference(self, variant: int, baseline: int) -> Interval:
        """Returns the rate of ``variant`` minus that of ``baseline``, on the same draws: below 0 is better."""
        value = float(self.rates[variant] - self.rates[baseline])
        if self.draws is None:
            return Interval(value)
        return Interval(value, *_bounds(self.draws[:, variant] - self.draws[:, baseline]))

    def chance_of_better(self, variant: int, baseline: int) -> float | None:
        """Returns the share of resamples in which ``variant`` makes fewer errors; equal counts are worth half."""
        if self.draws is None:
            return None
        gain = self.draws[:, baseline] - self.draws[:, variant]
        return float(np.mean(gain > 0) + np.mean(gain == 0) / 2)


def bootstrap_rates(errors: NDArray[np.float64], weights: NDArray[np.float64], seed: int = SEED) -> BootstrapRates:
    """Returns the rates over all units, shapes as in ``resampled``; with no token at all a rate is ``nan``."""
    total = float(weights.sum())
    overall = errors.sum(axis=1) / total if total else np.full(len(errors), np.nan)
    enough = total > 0 and len(weights) >= FEWEST_UNITS
    return BootstrapRates(overall, len(weights), resampled(errors, weights, seed) if enough else None)
