"""Where speech is in the tracks of a recording, and which chunk holds a span of one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from audiogrid.aligning.heard_words import Piece

Span = tuple[int, int]


class TrackSpeech:
    """The voice activity of a recording by channel, in samples of its tracks. Chunks are named by their numbers."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces
        self._of_channel: dict[int | None, list[int]] = {}
        self._spans: dict[int | None, list[Span]] = {}
        for number, (chunk, result) in enumerate(pieces):
            self._of_channel.setdefault(chunk.channel, []).append(number)
            spans = self._spans.setdefault(chunk.channel, [])
            for start, end in result.speech:
                low = max(start + chunk.context_start, chunk.start)
                high = min(end + chunk.context_start, chunk.end)
                if low < high:
                    spans.append((low, high))
        for spans in self._spans.values():
            spans.sort()
        self._ends = {channel: [end for _, end in spans] for channel, spans in self._spans.items()}

    def end_of(self, channel: int | None) -> int:
        """Returns the end of a track."""
        return max(self._pieces[number][0].end for number in self._of_channel[channel])

    def inside(self, channel: int | None, start: int, end: int) -> list[Span]:
        """Returns the speech in ``[start, end)``."""
        found = []
        for low, high in self._spans.get(channel, [])[bisect_right(self._ends.get(channel, []), start) :]:
            if low >= end:
                break
            found.append((max(low, start), min(high, end)))
        return found

    def owner(self, channel: int | None, span: Span) -> int | None:
        """Returns the number of the chunk that owns most of a span; ``None`` where none does."""

        def common(number: int) -> int:
            chunk = self._pieces[number][0]
            return min(span[1], chunk.end) - max(span[0], chunk.start)

        best = max(self._of_channel[channel], key=common)
        return best if common(best) >= 0 else None
