"""Renders a transcript for evaluation tools: CTM (words), STM (segments) and RTTM (who speaks when)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from audiogrid.export.renderers.plain_files import one_line
from audiogrid.export.rendering import Transcript, speaker_of

# A pause of a speaker up to this many seconds does not end a turn.
_TURN_PAUSE = 0.5


def _name(text: str) -> str:
    """Returns a name without spaces, which separate fields. Names never begin with a comment sign."""
    return re.sub(r"\s+", "_", one_line(text)).lstrip(";") or "_"


def render_ctm(transcript: Transcript) -> str:
    """Returns a line per word: recording, channel, start and duration in seconds, word, probability."""
    rows = []
    for segment in transcript.segments:
        channel = transcript.channel_of(speaker_of(segment.get("speaker")))
        for word in segment["words"]:
            # A word with a space inside is several in this format.
            parts = one_line(word["word"]).split()
            length = (word["end"] - word["start"]) / max(1, len(parts))
            for number, part in enumerate(parts):
                start = word["start"] + number * length
                rows.append((start, channel, length, part, word.get("probability", 1.0)))
    name = _name(transcript.name)
    rows.sort(key=lambda row: (row[1], row[0]))
    return "".join(
        f"{name} {channel} {start:.3f} {length:.3f} {word} {p:.3f}\n" for start, channel, length, word, p in rows
    )


def render_stm(transcript: Transcript) -> str:
    """Returns a line per segment: recording, channel, speaker, start, end, text. Gaps are excluded from scoring."""
    rows = []
    for _, is_gap, entry in transcript.entries:
        speaker = speaker_of(entry.get("speaker"))
        text = "IGNORE_TIME_SEGMENT_IN_SCORING" if is_gap else one_line("".join(w["word"] for w in entry["words"]))
        # At the beginning of a text, angle brackets would be a label.
        text = f"‹{text[1:]}" if text.startswith("<") else text
        times = f"{entry['start']:.3f} {entry['end']:.3f}"
        rows.append(f"{_name(transcript.name)} {transcript.channel_of(speaker)} {_name(speaker)} {times} {text}\n")
    return "".join(rows)


def _turns(transcript: Transcript, speaker: str) -> Iterator[tuple[float, float]]:
    """Yields spans in seconds in which a speaker talks without a long pause."""
    first = last = None
    for segment in transcript.segments:
        if speaker_of(segment.get("speaker")) != speaker:
            continue
        for word in segment["words"]:
            if first is None or last is None or word["start"] - last > _TURN_PAUSE:
                if first is not None and last is not None:
                    yield first, last
                first = last = word["start"]
            last = max(last, word["end"])
    if first is not None and last is not None:
        yield first, last


def render_rttm(transcript: Transcript) -> str:
    """Returns a line per turn of a speaker (or channel): start and duration in seconds.

    Turns are those of the document, overlap included, where speakers were asked for; otherwise they follow the words.
    """
    found = transcript.document.get("turns")
    if found is None:
        turns = [(*turn, speaker) for speaker in transcript.speakers for turn in _turns(transcript, speaker)]
    else:
        turns = [(turn["start"], turn["end"], str(turn["speaker"])) for turn in found]
    name = _name(transcript.name)
    return "".join(
        f"SPEAKER {name} {transcript.channel_of(speaker)} {start:.3f} {end - start:.3f} "
        f"<NA> <NA> {_name(speaker)} <NA> <NA>\n"
        for start, end, speaker in sorted(turns)
    )
