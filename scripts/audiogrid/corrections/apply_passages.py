"""Puts the passages that a person corrected into the document of a recording.

Passages are applied in the order in which they were made. One that does not fit, or that contradicts another one, is
told and left out; the file keeps it, because a later run may fit again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from audiogrid.core.timebase import SAMPLE_RATE, clock
from audiogrid.corrections.combining import PlaceIndex
from audiogrid.corrections.entries import ParagraphStart, Passage
from audiogrid.corrections.locating import Place, PlacedWord, Track, form, locate
from audiogrid.export.line_breaking import can_break, separator
from audiogrid.records.chunks import channel_of_chunk

# A word of another run is the one that a paragraph begins with if it starts so near, in seconds.
_NEAR = 0.5


@dataclass
class AppliedPassages:
    """What became of the passages. ``unfit``: sentences on those that were not applied."""

    document: dict[str, Any]
    applied: list[Passage] = field(default_factory=list)
    unfit: list[tuple[Passage | ParagraphStart, str]] = field(default_factory=list)

    @property
    def sentences(self) -> list[str]:
        """Returns a sentence on each that was not applied."""
        return [_sentence(entry, why) for entry, why in self.unfit]


def _sentence(entry: Passage | ParagraphStart, why: str) -> str:
    if isinstance(entry, ParagraphStart):
        return f"the paragraph at {clock(round(entry.at * SAMPLE_RATE))} ({entry.word[:40]!r}) {why}"
    what = f"{entry.was[:40]!r}" if entry.is_confirmation else f"{entry.was[:40]!r} to {entry.text[:40]!r}"
    return f"the correction at {clock(round(entry.start * SAMPLE_RATE))} of {what} {why}"


def apply_passages(
    document: Mapping[str, Any], passages: Sequence[Passage], paragraphs: Sequence[ParagraphStart] = ()
) -> AppliedPassages:
    """Returns the document with corrected passages, and what does not fit. The given document stays as it is."""
    result = AppliedPassages(dict(document))
    if not passages and not paragraphs:
        return result
    tracks = _tracks(document)
    kept, replaced = _without_contradictions(passages)
    result.unfit += replaced
    for passage in sorted(kept, key=lambda one: (one.when, one.start, one.end)):
        found = _track_of(document, tracks, passage)
        track, place = (Track([]), found) if isinstance(found, str) else (found, _allowed(found, passage))
        if isinstance(place, str):
            result.unfit.append((passage, place))
        else:
            _put(document, track, passage, place)
            result.applied.append(passage)
    for start in paragraphs:
        word = _word_at(tracks.get(start.channel, Track([])), start)
        if word is None:
            result.unfit.append((start, "fits no word that begins there now"))
        else:
            word.fields["paragraph"] = start.begins
    result.document = _rebuilt(document, tracks)
    return result


def _tracks(document: Mapping[str, Any]) -> dict[int, Track]:
    """Returns the words by channel, from 1; 0 where channels are not apart."""
    words: dict[int, list[PlacedWord]] = {}
    for number, segment in enumerate(document["segments"]):
        channel = channel_of_chunk(document["recording"], segment["chunk"])
        own = words.setdefault(0 if channel is None else channel + 1, [])
        own += [
            PlacedWord(word["start"], word["end"], word["word"], number, None, dict(word)) for word in segment["words"]
        ]
    return {channel: Track(sorted(found, key=lambda word: word.start)) for channel, found in words.items()}


def _track_of(document: Mapping[str, Any], tracks: dict[int, Track], passage: Passage) -> Track | str:
    """Returns the words that a passage belongs to, or a sentence that says why it belongs to none.

    Channels may have been transcribed apart in one run and together in another one.
    """
    if passage.start >= document["duration"]:
        return "does not fit: the recording ends before it"
    if passage.channel in tracks:
        return tracks[passage.channel]
    if 0 in tracks:
        return tracks[0]
    if passage.channel == 0 and tracks:
        fitting = [track for track in tracks.values() if not isinstance(locate(track, passage), str)]
        if len(fitting) != 1 or not passage.was:
            return "does not fit: it names no channel, and channels are apart now"
        return fitting[0]
    known = {channel_of_chunk(document["recording"], one["chunk"]) for one in document["provenance"].get("chunks", [])}
    if known and (passage.channel - 1 if passage.channel else None) not in known:
        return f"does not fit: there is no channel {passage.channel}"
    return tracks.setdefault(passage.channel, Track([]))


def _without_contradictions(
    passages: Sequence[Passage],
) -> tuple[list[Passage], list[tuple[Passage | ParagraphStart, str]]]:
    """Returns the passages without those that somebody changed in another way later, and these with the reason."""
    kept = PlaceIndex[Passage]()
    left: dict[int, Passage] = {}
    replaced: list[tuple[Passage | ParagraphStart, str]] = []
    for passage in sorted(passages, key=lambda one: one.when):
        for earlier in kept.near(passage):
            if not (earlier.is_same_place(passage) and earlier.was == passage.was):
                continue
            kept.remove(earlier, earlier)
            left.pop(id(earlier), None)
            if earlier.text != passage.text:
                replaced.append(
                    (earlier, f"contradicts {passage.text[:40]!r}{_of(passage)}, which is later and counts")
                )
        kept.add(passage, passage)
        left[id(passage)] = passage
    return list(left.values()), replaced


def _of(passage: Passage) -> str:
    return f" by {passage.by}" if passage.by else ""


def _allowed(track: Track, passage: Passage) -> Place | str:
    """Returns the place of a passage, unless another passage put there what it does not go on from."""
    place = locate(track, passage)
    if isinstance(place, str):
        return place
    others = {id(word.by): word.by for word in track.words[place.first : place.last] if word.by is not None}
    for other in others.values():
        if other.text != passage.text and form(track.text(place.first, place.last)) != form(passage.was):
            return f"contradicts the one of {other.was[:40]!r} to {other.text[:40]!r}{_of(other)}"
    return place


def _put(document: Mapping[str, Any], track: Track, passage: Passage, place: Place) -> None:
    """Replace the words of a place by those of a passage."""
    old = track.words[place.first : place.last]
    texts = split_words(passage.text)
    own = "".join(word.fields.get("own", word.text) for word in old)
    if not texts:
        _give_own(track, place, own)
    if not old:
        track.words[place.first : place.first] = _inserted(document, track, passage, place.first, texts)
        return
    prefix = old[0].text[: len(old[0].text) - len(old[0].text.lstrip())]
    if texts:
        texts[0] = prefix + texts[0].lstrip()
    track.words[place.first : place.last] = [
        PlacedWord(
            start,
            end,
            text,
            word.segment,
            passage,
            {**word.fields, "start": start, "end": end, "word": text, "confirmed": True},
        )
        for text, start, end, word in timed(texts, old)
    ]
    for number, word in enumerate(track.words[place.first : place.first + len(texts)]):
        word.fields.pop("own", None)
        if own != "".join(texts):
            word.fields["own"] = "" if number else own


def _give_own(track: Track, place: Place, own: str) -> None:
    """Note at the word before a place, or at the one after it, that the model said more than is left there."""
    if not own:
        return
    if place.first > 0:
        word = track.words[place.first - 1]
        word.fields["own"] = word.fields.get("own", word.text) + own
    elif place.last < len(track.words):
        word = track.words[place.last]
        word.fields["own"] = own + word.fields.get("own", word.text)


def _inserted(
    document: Mapping[str, Any], track: Track, passage: Passage, place: int, texts: list[str]
) -> list[PlacedWord]:
    """Returns words for a place where none stood. They belong to the segment before or after, whichever is nearer."""
    if not texts:
        return []
    beside = [track.words[n] for n in (place - 1, place) if 0 <= n < len(track.words)]
    segment = -1
    start, end = passage.start, passage.end
    if beside:
        nearest = min(beside, key=lambda word: max(word.start - end, start - word.end))
        if max(nearest.start - end, start - nearest.end) < 1.0:
            segment = nearest.segment
        for word in beside:
            start = max(start, word.end) if word.middle <= start else start
            end = min(end, word.start) if word.middle >= end else end
    end = min(end, document["duration"])
    whole = PlacedWord(start, max(end, start), "", segment)
    near = track.words[place - 1 : place] or track.words[place : place + 1]
    beside_text = near[0].text.strip() if near else "a"
    texts[0] = separator(beside_text or "a", texts[0]) + texts[0]
    fields = {"probability": 1.0, "confirmed": True, "own": ""}
    return [
        PlacedWord(at, to, text, segment, passage, {"start": at, "end": to, "word": text, **fields})
        for text, at, to, _ in timed(texts, [whole])
    ]


def split_words(text: str) -> list[str]:
    """Returns a text as words, each but the first with its space; where a language writes none, in small pieces."""
    found: list[str] = []
    for number, token in enumerate(text.split()):
        piece = " " if number else ""
        for place, char in enumerate(token):
            if place and separator(token[place - 1], char) == "" and can_break(token[:place][-4:], token[place:][:2]):
                found.append(piece)
                piece = ""
            piece += char
        found.append(piece)
    return found


def timed(texts: Sequence[str], old: Sequence[PlacedWord]) -> Iterable[tuple[str, float, float, PlacedWord]]:
    """Yields each text with its start, its end, and the word whose place it takes.

    Words that stay keep their times. Others share the time of those that they replace, by their length.
    """
    return _with_lengths(list(_timed(texts, old)))


def _with_lengths(
    found: list[tuple[str, float, float, PlacedWord]],
) -> Iterable[tuple[str, float, float, PlacedWord]]:
    """Yields words of which those without a length share the time of the one before, or else of the one after."""
    at = 0
    while at < len(found):
        last = at + 1
        while last < len(found) and found[last][2] <= found[last][1]:
            last += 1
        if found[at][2] <= found[at][1] and last < len(found):
            # Only at the beginning: all others are behind a word with a length.
            last += 1
        part = found[at:last]
        start, end = part[0][1], part[-1][2] if part[0][2] <= part[0][1] else part[0][2]
        if len(part) == 1 or end <= start:
            yield from part
        else:
            lengths = [max(1, len(text.strip())) for text, *_ in part]
            ends = [round(start + (end - start) * sum(lengths[: n + 1]) / sum(lengths), 3) for n in range(len(part))]
            ends[-1] = end
            for n, (text, _, _, word) in enumerate(part):
                yield text, ends[n - 1] if n else start, ends[n], word
        at = last


def _timed(texts: Sequence[str], old: Sequence[PlacedWord]) -> Iterable[tuple[str, float, float, PlacedWord]]:
    matcher = SequenceMatcher(None, [form(word.text) for word in old], [form(text) for text in texts], autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal" or (kind == "replace" and b - a == d - c):
            for text, word in zip(texts[c:d], old[a:b], strict=True):
                yield text, word.start, word.end, word
        elif d > c:
            yield from _shared(texts[c:d], old, a, b)


def _shared(
    texts: Sequence[str], old: Sequence[PlacedWord], a: int, b: int
) -> Iterable[tuple[str, float, float, PlacedWord]]:
    if a == b:
        # Between two words that stay: the gap between them, however short.
        start = old[a - 1].end if a else old[0].start
        end = max(start, old[a].start if a < len(old) else old[-1].end)
        words = [old[max(0, a - 1)]]
    else:
        start, end, words = old[a].start, old[b - 1].end, list(old[a:b])
    lengths = [max(1, len(text.strip())) for text in texts]
    at, step = start, (end - start) / sum(lengths)
    for text, length in zip(texts, lengths, strict=True):
        to = at + step * length
        word = min(words, key=lambda one: abs(one.middle - (at + to) / 2))
        yield text, round(at, 3), round(to, 3), word
        at = to


def _word_at(track: Track, start: ParagraphStart) -> PlacedWord | None:
    low, high = track.near(start.at - _NEAR, start.at + _NEAR)
    near = [word for word in track.words[low:high] if abs(word.start - start.at) <= _NEAR]
    alike = [word for word in near if form(word.text) == form(start.word)]
    close = [word for word in near if abs(word.start - start.at) <= _NEAR / 2]
    return min(alike or close, key=lambda word: abs(word.start - start.at), default=None)


def _rebuilt(document: Mapping[str, Any], tracks: Mapping[int, Track]) -> dict[str, Any]:
    """Returns the document with the words of the tracks; segments without words are left out."""
    by_segment: dict[int, list[PlacedWord]] = {}
    new: list[dict[str, Any]] = []
    for channel, track in tracks.items():
        for word in track.words:
            if word.segment >= 0:
                by_segment.setdefault(word.segment, []).append(word)
            else:
                _add_segment(document, new, channel, word)
    segments = []
    for number, segment in enumerate(document["segments"]):
        words = by_segment.get(number, [])
        if words and (len(words) != len(segment["words"]) or any(word.by is not None for word in words)):
            segments.append(_segment(segment, [word.fields for word in words]))
        elif words:
            segments.append({**segment, "words": [word.fields for word in words]})
    for segment in new:
        del segment["by"]
        segments.append(_segment(segment, segment["words"]))
    # Corrected words may be at the edge of their segment.
    ordered = sorted(segments, key=lambda segment: segment["start"])
    return {**document, "segments": [{**segment, "id": number} for number, segment in enumerate(ordered)]}


def _segment(segment: Mapping[str, Any], words: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    start = min(segment["start"], words[0]["start"])
    end = max(segment["end"], words[-1]["end"])
    text = " ".join("".join(word["word"] for word in words).split())
    return {**segment, "start": start, "end": end, "text": text, "words": list(words)}


def _add_segment(document: Mapping[str, Any], new: list[dict[str, Any]], channel: int, word: PlacedWord) -> None:
    """Add a word to a segment that a person made: where no word is near."""
    if new and new[-1]["by"] is word.by:
        new[-1]["words"].append(word.fields)
        return
    chunks = [
        chunk
        for chunk in document["provenance"].get("chunks", [])
        if (channel_of_chunk(document["recording"], chunk["chunk"]) or 0) == max(0, channel - 1)
    ]
    holder = next((chunk["chunk"] for chunk in chunks if chunk["start"] <= word.middle < chunk["end"]), "")
    speaker = next(
        (one["speaker"] for one in document["segments"] if one["chunk"] == holder and "speaker" in one), None
    )
    new.append(
        {
            "id": 0,
            "start": word.start,
            "end": word.end,
            "text": "",
            "language": document.get("language") or "",
            **({"speaker": speaker} if speaker is not None and channel else {}),
            "avg_logprob": 0.0,
            "compression_ratio": 1.0,
            "no_speech_prob": 0.0,
            "temperature": 0.0,
            "chunk": holder,
            "words": [word.fields],
            "by": word.by,
        }
    )
