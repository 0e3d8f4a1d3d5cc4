"""Make the sample recordings and their reference texts again (about ten seconds, no network).

Run in the clone, after `make test` has installed the speech synthesis:
PYTHONPATH=tests .venv/bin/python samples/make_samples.py

The recordings of the repository came from this script; a run on another machine sounds the same
but need not be the same bytes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from media import write_media
from speech import RATE, Speech, hiss, join, read_aloud

HERE = Path(__file__).resolve().parent
RECORDINGS = HERE / "recordings"
REFERENCES = HERE / "references"
TWO_VOICES = HERE.parent / "scripts" / "audiogrid" / "embedding" / "clip" / "two_voices.ogg"

HARBOUR = [
    "Good morning, and welcome to the harbour walk.",
    "My name is Martin Ellery, and I have been a guide here for eleven years.",
    "We start at the old customs house, which was built in 1784 and rebuilt after the great storm of 1902.",
    "If you look up, you can see two dates above the door, and the mark that the water left between them.",
    "In those days about forty ships a week came in with timber, salt and wool.",
    "The harbour master lived on the top floor, and he counted every ship from his window.",
    "His daughter, Margaret Finch, kept the books, and her handwriting is still in the town archive.",
    "On the 9th of June 1851 she wrote a single line: no ships today, fog as thick as bread.",
    "Please mind the wet steps as we go down to the pier.",
    "The lighthouse on your left is thirty two metres high, and its lamp can be seen from eighteen miles away.",
    "We will stop there for ten minutes before we walk back through the fish market.",
]
FIELD_NOTES = [
    "Field notes, Tuesday the 14th of May, station number seven.",
    "The air temperature at six o'clock was nine degrees, with a light wind from the sea.",
    "We counted twenty six herons on the eastern bank, four more than last week.",
    "The water level has fallen by twelve inches since the first of the month.",
    "One young otter crossed the channel at a quarter past seven and went under the wooden bridge.",
    "Doctor Amelia Hart will collect the water samples on Friday.",
]
MEETING_HIGH = [
    "Let us begin. It is ten o'clock, and all five members of the board are here.",
    "The first point is the new library in Mill Street. Robert, where do we stand?",
    "That is more than we planned. What happened to the second offer?",
    "So we are talking about a difference of sixty thousand dollars.",
    "Then I suggest that we decide at the next meeting, on the 3rd of December.",
    "Thank you. The second point is the school garden, and here I have good news.",
    "A local company will give us two hundred young trees, and the pupils will plant them in March.",
]
MEETING_LOW = [
    "The builders sent their offer last night. They ask for four hundred and twenty thousand dollars.",
    "The second offer was lower, but it leaves out the heating and the glass roof.",
    "Exactly, and the work would take eight months instead of six.",
    "I agree. By then we will also have the report about the ground under the car park.",
    "Wonderful. Please tell them that we are very grateful.",
]
LECTURE = [
    "In this short lecture I want to explain why some bridges sing.",
    "When the wind flows around a cable, it leaves spirals of air behind, first on one side and then on the other.",
    "Each spiral pushes a little, and if the pushes come at the right moment, the cable begins to swing.",
    "Engineers call this resonance, and children on a swing know it very well.",
    "A famous bridge in the state of Washington fell in November 1940, only four months after it was opened.",
    "Nobody was killed, except for a small dog called Tubby, who did not want to leave the car.",
    "Since then every long bridge is tested in a wind tunnel before it is built.",
    "Next time we will talk about tall chimneys, which have the same problem.",
]
WATCH_BEFORE = [
    "This is the night watch at the Hollow Creek observatory, 2 o'clock in the morning.",
    "The sky is clear, and the big telescope is following the comet without any trouble.",
    "I will leave the recorder running and go upstairs to close the window.",
]
WATCH_AFTER = [
    "I am back. Sorry for the long silence.",
    "The comet has moved by half a degree, and its tail is brighter than yesterday.",
    "Professor Nakamura wants the pictures before breakfast, so I will send all ninety of them at five.",
]
# Caller and agent take turns; they sit on the two channels of a telephone recording.
CALL = [
    "Riverside Bicycles, this is Thomas speaking. How can I help you?",
    "Hello, my name is Laura Bennett. I ordered a blue city bicycle two weeks ago, and it has not arrived.",
    "I am sorry to hear that. Can you give me the number of your order, please?",
    "Yes, of course. It is seven four one, nine two eight.",
    "Thank you. I can see it here. The bicycle left our workshop on Monday, and it should be with you tomorrow.",
    "That would be great. Do I have to be at home?",
    "Somebody has to sign for it, but a neighbour can do that too.",
    "Perfect. Then I will ask Mrs. Cooper next door. Thank you very much.",
    "You are welcome. Have a nice day, and enjoy the ride.",
]
LOW_VOICE = 0.8
# Two voices in turns: the clip that `audiogrid doctor` tells speakers apart in.
FERRY = [
    "Good evening. Is the ferry to the island still running tonight?",
    "It is, but the last boat leaves in twenty minutes, so please hurry.",
    "Thank you. Then I will bring my bicycle and wait at the lower pier.",
    "You are welcome. Mind the rails, they are slippery after the rain.",
]


def meeting() -> Speech:
    """Two people at one table: the chairwoman opens and closes, every answer follows her question."""
    turns = [(text, 1.0) for text in MEETING_HIGH]
    for position, text in zip((2, 4, 6, 8, 12), MEETING_LOW, strict=True):
        turns.insert(position, (text, LOW_VOICE))
    return _dialogue(turns, gap=0.6)


def _dialogue(turns: list[tuple[str, float]], gap: float) -> Speech:
    parts, spans, at = [], [], 0
    for number, (text, pitch) in enumerate(turns):
        said = read_aloud([text], gap, seed=40 + number, pitch=pitch, lead=0.0)
        spans.append((at, at + len(said.pcm), text))
        parts.append(said.pcm)
        at += len(said.pcm)
    return Speech(np.concatenate(parts), spans)


def call() -> tuple[np.ndarray, str]:
    """Telephone call, (samples, 2): the agent left, the caller right, each silent while the other speaks."""
    said = _dialogue([(text, LOW_VOICE if number % 2 == 0 else 1.0) for number, text in enumerate(CALL)], gap=0.5)
    channels = np.stack([hiss(said.seconds, 12, seed=1), hiss(said.seconds, 12, seed=2)], axis=1)
    channels = channels[: len(said.pcm)]
    for number, (start, end, _) in enumerate(said.spans):
        channels[start:end, number % 2] += said.pcm[start:end]
    return channels, said.text


def room(pcm: np.ndarray, level: float = 20.0) -> np.ndarray:
    """The same signal in a room that is not perfectly quiet."""
    return np.clip(pcm.astype(np.int32) + hiss(len(pcm) / RATE + 1, level)[: len(pcm)], -32768, 32767).astype(np.int16)


def wide(pcm: np.ndarray) -> np.ndarray:
    """Two channels, the right one a little later and quieter, as from two microphones."""
    return np.stack([pcm, np.roll(pcm, 9) * 7 // 10], axis=1).astype(np.int16)


def main() -> None:
    """Write all recordings and references."""
    RECORDINGS.mkdir(exist_ok=True)
    REFERENCES.mkdir(exist_ok=True)
    harbour, notes, lecture = (
        read_aloud(HARBOUR, seed=10),
        read_aloud(FIELD_NOTES, seed=20),
        read_aloud(LECTURE, seed=30),
    )
    board, (telephone, telephone_text) = meeting(), call()
    before, after = read_aloud(WATCH_BEFORE, seed=60, pitch=0.9), read_aloud(WATCH_AFTER, seed=70, pitch=0.9)
    write_media(RECORDINGS / "harbour_walk.mp3", wide(room(harbour.pcm)), rate=44_100, bit_rate=80_000)
    write_media(RECORDINGS / "field_notes.wav", notes.pcm)
    write_media(RECORDINGS / "board_meeting.m4a", room(board.pcm), rate=44_100, bit_rate=48_000)
    write_media(RECORDINGS / "singing_bridges.mp4", room(lecture.pcm), rate=48_000, bit_rate=56_000, picture=True)
    watch = join(before.pcm, 24.0, after.pcm)
    write_media(RECORDINGS / "night_watch.ogg", room(watch, 8.0), bit_rate=24_000)
    write_media(RECORDINGS / "phone_call.wav", telephone, codec="pcm_mulaw", rate=8_000)
    ferry = _dialogue([(text, 1.0 if number % 2 == 0 else 0.78) for number, text in enumerate(FERRY)], gap=0.3)
    TWO_VOICES.parent.mkdir(exist_ok=True)
    write_media(TWO_VOICES, room(ferry.pcm), bit_rate=24_000)
    references = {
        "harbour_walk": harbour.text,
        "field_notes": notes.text,
        "board_meeting": board.text,
        "singing_bridges": lecture.text,
        "night_watch": f"{before.text} {after.text}",
        "phone_call": telephone_text,
    }
    for name, text in references.items():
        (REFERENCES / f"{name}.txt").write_text(text + "\n")


if __name__ == "__main__":
    main()
