"""Prices of computing time, as the configuration gives them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Prices:
    """What an hour costs; 0: no cost is shown. ``currency`` is only printed."""

    core_hour: float = 0.0
    gpu_hour: float = 0.0
    currency: str = ""
