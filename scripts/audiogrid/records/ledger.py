"""The account of a recording's every second: which kinds of spans there are, and why."""

from __future__ import annotations

from typing import Any, NamedTuple

WORDS, NO_WORDS, NO_SPEECH, UNREADABLE = "speech_with_words", "speech_without_words", "no_speech", "unreadable"
#: Kinds of spans and their meaning. docs/results.md lists them (``make docs``).
KINDS = {
    WORDS: "somebody speaks, and the transcript has the words; pauses below 0.8 s between them count as well",
    NO_WORDS: "speech that the transcript lacks",
    NO_SPEECH: "voice detection found no speech",
    UNREADABLE: "the file should hold audio here, but it cannot be read",
}
WITHHELD, FAILED, DAMAGED, NOTHING = "withheld", "failed_chunk", "damaged_audio", "no_words"
CUT_OFF, NOT_READ = "cut_off", "not_read"
MUSIC = "music"
#: Reasons by kind, and their meaning. Where channels differ, the first one of a kind is told. docs/results.md lists
#: them (``make docs``).
REASONS = {
    (NO_WORDS, WITHHELD): "the model wrote words that it most likely invented, or a loop; they were left out",
    (NO_WORDS, FAILED): "its chunk was not decoded, or another one of the recording failed, so that there is no "
    "transcript; where the chunk itself failed, nobody knows whether it holds speech",
    (NO_WORDS, DAMAGED): "within a second of audio that cannot be read",
    (NO_WORDS, NOTHING): "the model found no words in it",
    (NO_SPEECH, MUSIC): "louder than silence, with tones that come and go",
    (NO_SPEECH, "noise"): "louder than silence, without music: hiss, steps, a hum, a telephone that rings",
    (NO_SPEECH, "sound"): "louder than silence, and neither clearly music nor clearly noise; also what is too short "
    "to tell (about 4 s), and all that was cut by a version that did not tell them apart",
    (NO_SPEECH, "silence"): "below -50 dBFS",
    (NO_SPEECH, "no_audio"): "the file has no audio for this time, as where a call was muted",
    (NO_SPEECH, ""): "what it holds was not examined",
    (UNREADABLE, DAMAGED): "the audio is damaged",
    (UNREADABLE, CUT_OFF): "the file ends before its header or its packets say; this is beyond `duration`",
    (UNREADABLE, NOT_READ): "nothing of the recording could be read; its length is that of the plan",
}


class Sound(NamedTuple):
    """A span ``[start, end)`` of a track in samples, and what it holds apart from any speech.

    ``kind``: a reason for ``no_speech``, or, where the file lacks audio, one for ``unreadable``.
    """

    start: int
    end: int
    kind: str


class LedgerSpan(NamedTuple):
    """What became of the samples ``[start, end)``. ``channels``: those it holds for, from 1; none in a mix."""

    start: int
    end: int
    kind: str
    reason: str = ""
    channels: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Returns it as in the document of a recording."""
        made: dict[str, Any] = {"start": self.start, "end": self.end, "kind": self.kind}
        if self.reason:
            made["reason"] = self.reason
        if self.channels:
            made["channels"] = list(self.channels)
        return made
