"""Computes the layout of plots as plain numbers; ``templates/plots.html`` draws them as inline SVG.

Positions are in per cent of the plot's width and labels are outside of the SVG. A plot therefore fits a phone
without smaller letters, follows the light or dark colours of the page, and its bars are links with a tooltip.
A plotting library would fix colours and sizes in advance and would be the largest dependency.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

#: Small marks of one lane that are closer than this, in per cent of the width, are drawn as one; more so where there
#: are many lanes, which then are thin.
FINEST, FINEST_PER_LANE = 0.1, 0.01
_TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)


@dataclass(frozen=True)
class Tick:
    """A labelled position on an axis. ``at``: in per cent."""

    at: float
    label: str


@dataclass(frozen=True)
class Mark:
    """A bar from ``start`` over ``width``, both in per cent. ``kind``: its CSS class; ``shape``: bar, line or dot."""

    start: float
    width: float
    title: str
    kind: str = "bar"
    href: str = ""
    shape: str = "bar"


@dataclass(frozen=True)
class Lane:
    """A row of a plot. ``text``: shown to the right of it; ``href``: target of the link on its name."""

    name: str
    marks: list[Mark]
    text: str = ""
    href: str = ""


@dataclass(frozen=True)
class Lanes:
    """Rows of marks over one axis. ``legend``: kind of mark -> its meaning."""

    lanes: list[Lane]
    ticks: list[Tick] = field(default_factory=list)
    legend: dict[str, str] = field(default_factory=dict)
    axis: str = ""


@dataclass(frozen=True)
class HistogramBar:
    """A bar of a histogram: position, width and height in per cent."""

    start: float
    width: float
    height: float
    title: str
    kind: str = "bar"


@dataclass(frozen=True)
class Histogram:
    """A histogram."""

    columns: list[HistogramBar]
    ticks: list[Tick]
    top: str = ""
    axis: str = ""


def nice_step(width: float, count: int = 5) -> float:
    """Returns 1, 2 or 5 times a power of ten that divides ``width`` into about ``count`` parts."""
    if width <= 0:
        return 1.0
    raw = width / max(1, count)
    power = 10.0 ** math.floor(math.log10(raw))
    return next((step * power for step in (1, 2, 5) if step * power >= raw * 0.999), 10 * power)


def ticks(low: float, high: float, label: Callable[[float], str], count: int = 5) -> list[Tick]:
    """Returns ticks at round values between ``low`` and ``high``."""
    step = nice_step(high - low, count)
    return _ticks(low, high, step, label)


def time_ticks(seconds: float, label: Callable[[float], str], count: int = 6) -> list[Tick]:
    """Returns ticks at round times from 0 to ``seconds``."""
    step = next((step for step in _TIME_STEPS if seconds / step <= count), None)
    return _ticks(0.0, seconds, float(step or nice_step(seconds / 86400, count) * 86400), label)


def _ticks(low: float, high: float, step: float, label: Callable[[float], str]) -> list[Tick]:
    if high <= low:
        return []
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [Tick(round(100 * (n * step - low) / (high - low), 3), label(n * step)) for n in range(first, last + 1)]


@dataclass(frozen=True)
class Span:
    """An activity in a lane, from ``start`` to ``end`` in seconds."""

    lane: str
    start: float
    end: float
    kind: str = "bar"
    title: str = ""
    href: str = ""


def timeline(
    spans: Iterable[Span], seconds: float, label: Callable[[float], str], texts: dict[str, str] | None = None
) -> Lanes:
    """Returns spans over an axis of ``seconds``, a lane per name in the order given.

    Neighbours too narrow to be told apart become one mark, so that the page of a long run stays small.
    """
    scale = 100 / max(seconds, 1e-9)
    spans = list(spans)
    rows: dict[str, list[Mark]] = {one.lane: [] for one in spans}
    counts: dict[str, int] = {}
    finest = max(FINEST, FINEST_PER_LANE * len({one.lane for one in spans}))
    for one in sorted(spans, key=lambda one: one.start):
        marks = rows[one.lane]
        start, end = one.start * scale, one.end * scale
        last = marks[-1] if marks else None
        if (
            last
            and last.kind == one.kind
            and start - (last.start + last.width) < finest
            and _is_tiny(last, end - start, 4 * finest)
        ):
            counts[one.lane] = counts.get(one.lane, 1) + 1
            width = round(max(last.width, end - last.start), 3)
            marks[-1] = Mark(last.start, width, f"{counts[one.lane]} tasks", one.kind, last.href)
        else:
            counts.pop(one.lane, None)
            marks.append(Mark(round(start, 3), round(max(end - start, 0.05), 3), one.title, one.kind, one.href))
    lanes = [Lane(name, marks, (texts or {}).get(name, "")) for name, marks in rows.items()]
    return Lanes(lanes, time_ticks(seconds, label))


def _is_tiny(last: Mark, width: float, limit: float) -> bool:
    return width < limit and (last.width < limit or "tasks" in last.title)


def bars(
    rows: Sequence[tuple[str, float, str]], *, kinds: Sequence[str] = (), hrefs: Sequence[str] = (), top: float = 0.0
) -> Lanes:
    """Returns horizontal bars from zero. ``rows``: name, value, value as text; ``top``: least end of the axis."""
    top = max([top, *(value for _, value, _ in rows)], default=0.0) or 1.0
    return Lanes(
        [
            Lane(
                name,
                [Mark(0.0, round(100 * value / top, 3), f"{name}: {text}", kinds[n] if kinds else "bar")],
                text,
                hrefs[n] if hrefs else "",
            )
            for n, (name, value, text) in enumerate(rows)
        ]
    )


def intervals(
    rows: Sequence[tuple[str, float, float, float, str]],
    label: Callable[[float], str],
    *,
    kinds: Sequence[str] = (),
    low: float | None = None,
    high: float | None = None,
) -> Lanes:
    """Returns values with confidence intervals. ``rows``: name, lower end, value, upper end, text."""
    values = [value for _, *three, _ in rows for value in three]
    low = min(values, default=0.0) if low is None else low
    high = max(values, default=1.0) if high is None else high
    width = (high - low) or 1.0

    def at(value: float) -> float:
        return round(100 * (value - low) / width, 3)

    lanes = []
    for n, (name, lower, value, upper, text) in enumerate(rows):
        kind = kinds[n] if kinds else "bar"
        line = Mark(at(lower), max(0.2, at(upper) - at(lower)), f"{name}: {text}", kind, shape="line")
        lanes.append(Lane(name, [line, Mark(at(value), 0.0, f"{name}: {text}", kind, shape="dot")], text))
    return Lanes(lanes, ticks(low, low + width, label))


def histogram(
    values: Sequence[tuple[float, int]],
    low: float,
    high: float,
    bins: int,
    label: Callable[[float], str],
    what: str = "recordings",
) -> Histogram:
    """Returns how many values fall into each of ``bins`` steps. Values outside count in the first or last step.

    ``values``: each with how often it occurs.
    """
    width = (high - low) / bins
    counts = [0] * bins
    for value, count in values:
        counts[min(bins - 1, max(0, int((value - low) / width)))] += count
    top = max(counts, default=0)
    columns = [
        HistogramBar(
            round(100 * n / bins, 3),
            round(100 / bins, 3),
            round(100 * count / top, 3),
            f"{label(low + n * width)} to {label(low + (n + 1) * width)}: {count:,} {what}",
        )
        for n, count in enumerate(counts)
        if count
    ]
    return Histogram(columns, ticks(low, high, label), f"{top:,}")
