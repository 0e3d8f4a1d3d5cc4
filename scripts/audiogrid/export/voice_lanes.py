"""What the page of a recording shows of each speaker: when they talk, how long, and what tells their voice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Span = tuple[float, float]
#: A lane is drawn in so many steps: enough for a wide screen, and few enough for a recording of ten hours.
STEPS = 1500
#: Colours and shapes of speakers in ``transcript.css``; a further one has a colour again with another shape.
KINDS = 6
#: A voice is told by so many of its longest turns.
_TURNS = 8


def identifying_spans(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Returns the longest spans of a voice in seconds, in the order of time: what a name given to it is tied to."""
    whole = [span for span in spans if span[1] > span[0]]
    return tuple(sorted(sorted(whole, key=lambda span: (span[0] - span[1], span[0]))[:_TURNS]))


def voices_of(document: Mapping[str, Any]) -> dict[str, list[Span]]:
    """Returns when each speaker or channel talks, in seconds, by what the document calls it."""
    found: dict[str, list[Span]] = {}
    for entry in document.get("turns") or document["segments"]:
        if entry.get("speaker"):
            found.setdefault(entry["speaker"], []).append((entry["start"], entry["end"]))
    return found


@dataclass(frozen=True)
class Lane:
    """A speaker. ``labels``: what the voices were called before they had a name; ``path``: of SVG, ``STEPS`` wide.

    ``seconds``: talk time, and its ``share`` of that of all; ``at``: spans that tell the voice.
    """

    name: str
    labels: tuple[str, ...]
    seconds: float
    share: float
    turns: int
    path: str
    at: tuple[Span, ...]
    number: int

    @property
    def kind(self) -> str:
        """Returns its classes in CSS: a colour and a shape, together different for 36 speakers."""
        return f"s{self.number % KINDS} h{(self.number + self.number // KINDS) % KINDS}"


def lane_path(spans: Iterable[Span], duration: float) -> str:
    """Returns spans as rectangles of an SVG path, ``STEPS`` wide and 20 high; what is short is one step wide."""
    steps: list[list[int]] = []
    for start, end in sorted(spans):
        first = min(STEPS - 1, int(start / duration * STEPS)) if duration else 0
        last = max(first + 1, min(STEPS, round(end / duration * STEPS))) if duration else 1
        if steps and first <= steps[-1][1]:
            steps[-1][1] = max(steps[-1][1], last)
        else:
            steps.append([first, last])
    return "".join(f"M{first} 0h{last - first}v20h-{last - first}z" for first, last in steps)


def lanes_of(document: Mapping[str, Any]) -> list[Lane]:
    """Returns the speakers of a document: by first appearance, channels by number. Empty where nobody has a label."""
    spans = voices_of(document)
    labels = {name: tuple(document.get("names", {}).get(name, [name])) for name in spans}
    known = {voice["speaker"]: voice for voice in document.get("speakers", [])}
    others = sorted(spans.keys() - known.keys(), key=lambda name: (len(labels[name][0]), labels[name][0]))
    gaps = {gap["speaker"] for gap in document["gaps"] if gap.get("speaker")}
    others += sorted(gaps - known.keys() - spans.keys(), key=lambda name: (len(name), name))
    seconds = {
        name: float(known[name]["seconds"]) if name in known else sum(end - start for start, end in spans.get(name, []))
        for name in [*known, *others]
    }
    whole = sum(seconds.values())
    return [
        Lane(
            name,
            labels.get(name, (name,)),
            seconds[name],
            seconds[name] / whole if whole else 0.0,
            known[name]["turns"] if name in known else len(spans.get(name, [])),
            lane_path(spans.get(name, []), document["duration"]),
            identifying_spans(spans.get(name, [])),
            number,
        )
        for number, name in enumerate(seconds)
    ]
