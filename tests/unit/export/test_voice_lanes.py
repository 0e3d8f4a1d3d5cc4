"""Lanes of speakers: what they show, and colours that everybody can tell apart."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiogrid.export.template import asset
from audiogrid.export.voice_lanes import KINDS, STEPS, identifying_spans, lane_path, lanes_of

# How colours look to people without one kind of cones: Machado, Oliveira and Fernandes 2009, severity 1, linear RGB.
SIGHTS = {
    "usual": np.eye(3),
    "without red": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "without green": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "without blue": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def linear(colour: str) -> np.ndarray:
    """``#rrggbb`` as linear RGB."""
    value = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def oklab(rgb: np.ndarray) -> np.ndarray:
    """Linear RGB in a space in which equal distances look alike (Ottosson 2020)."""
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    axes = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return np.asarray(axes @ np.cbrt(cones @ np.clip(rgb, 0, 1)))


def schemes() -> dict[str, dict[str, str]]:
    """The colours of the style by scheme."""
    light, dark = asset("style.css").split("@media (prefers-color-scheme: dark)", 1)
    return {name: dict(re.findall(r"--([\w-]+): (#\w{6});", text)) for name, text in (("light", light), ("dark", dark))}


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_voices_can_be_told_apart_by_everybody(scheme: str, sight: str) -> None:
    colours = schemes()[scheme]
    seen = [SIGHTS[sight] @ linear(colours[f"v{n}"]) for n in range(KINDS)]
    near = min(float(np.linalg.norm(oklab(one) - oklab(other))) for one, other in itertools.combinations(seen, 2))
    # Two grey levels that are 15 % of the way from black to white apart differ by as much.
    assert near > 0.14


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_voices_stand_out_from_the_paper(scheme: str) -> None:
    colours = schemes()[scheme]

    def luminance(colour: str) -> float:
        return float(linear(colour) @ np.array([0.2126, 0.7152, 0.0722]))

    paper = luminance(colours["paper"])
    for number in range(KINDS):
        ink = luminance(colours[f"v{number}"])
        # WCAG 2.1, 1.4.11: graphical objects.
        assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) >= 3.0


@given(st.lists(st.tuples(st.floats(0, 3600), st.floats(0.01, 60)), max_size=60))
def test_a_lane_covers_what_is_said(pairs: list[tuple[float, float]]) -> None:
    duration = 3660.0
    spans = [(start, start + length) for start, length in pairs]
    drawn = [(int(x), int(x) + int(w)) for x, w in re.findall(r"M(\d+) 0h(\d+)v20", lane_path(spans, duration))]
    assert all(0 <= first < last <= STEPS for first, last in drawn)
    assert all(left[1] < right[0] for left, right in itertools.pairwise(drawn))
    for start, end in spans:
        middle = (start + end) / 2 / duration * STEPS
        assert any(first - 1 <= middle <= last + 1 for first, last in drawn)


def test_a_voice_is_told_by_its_longest_turns() -> None:
    spans = [(float(n), n + 0.1 * (n % 10 + 1)) for n in range(0, 60, 2)]
    found = identifying_spans([*spans, (70.0, 70.0)])
    assert found == tuple(sorted(found))
    assert len(found) == 8
    assert min(end - start for start, end in found) >= 0.6


def document(**more: Any) -> dict[str, Any]:
    return {"duration": 10.0, "segments": [], "gaps": [], **more}


def test_channels_are_in_the_order_of_their_numbers() -> None:
    segments = [{"start": n, "end": n + 1, "speaker": f"Channel {10 - n}"} for n in range(10)]
    lanes = lanes_of(document(segments=segments, gaps=[{"speaker": "Channel 11", "start": 0, "end": 1}]))
    assert [lane.name for lane in lanes] == [f"Channel {n}" for n in range(1, 12)]
    assert len({lane.kind for lane in lanes}) == 11
    assert lanes[0].share == pytest.approx(0.1)
    assert (lanes[10].seconds, lanes[10].turns, lanes[10].path) == (0, 0, "")
    assert lanes_of(document()) == []
    assert lanes_of(document(duration=0.0, segments=segments[:1]))[0].name == "Channel 10"
