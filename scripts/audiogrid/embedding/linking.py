"""Which voices of different recordings are of one person: by the similarity of their centroids."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audiogrid.core.timebase import to_seconds
from audiogrid.embedding.clustering import unit
from audiogrid.embedding.voices import Speakers
from audiogrid.records.linked_voices import Heard, LinkedVoice, LinkedVoices

if TYPE_CHECKING:
    import numpy as np

#: To be raised when equal vectors would give other voices of a recording than before.
LINKING_REVISION = 1
#: Cosine of two centroids from which on they are of one person.
SAME_PERSON = 0.6
# A voice of hours must not drown what other recordings (another microphone, say) tell of it.
_MOST_SECONDS = 300.0


@dataclass(frozen=True)
class NewVoice:
    """A voice of a recording that is to be linked. ``centroid``: unit vector, 1-D."""

    channel: int | None
    number: int
    seconds: float
    centroid: np.ndarray


def vector_text(centroid: Sequence[float] | np.ndarray) -> str:
    """A centroid as the file has it."""
    import numpy as np

    return base64.b64encode(np.asarray(centroid).astype("<f2").tobytes()).decode("ascii")


def new_voices(tracks: Mapping[int | None, Speakers]) -> list[NewVoice]:
    """All voices of a recording, track after track."""
    import numpy as np

    return [
        NewVoice(channel, number, to_seconds(voice.samples), np.array(voice.centroid))
        for channel, speakers in tracks.items()
        for number, voice in enumerate(speakers.voices)
    ]


class Linker:
    """Gives every voice an id: that of the person it is most like, else a new one.

    Two voices of one recording are never made one: how many it has is decided there. Recordings are linked one after
    another, and an id once given stays, whatever comes later.
    """

    def __init__(self, known: LinkedVoices) -> None:
        import numpy as np

        self._following = known.following
        self._networks = known.networks
        self._names = known.names()
        # By run and recording, with the ids.
        self._heard: dict[tuple[str, str], list[tuple[int, Heard]]] = {}
        self._rows: dict[int, int] = {}
        self._sums = np.zeros((64, 0))
        for voice in known.voices:
            for one in voice.heard:
                self._add(voice.voice, one)

    def ids_of(self, run: str, recording: str, state: str) -> dict[str, list[int]] | None:
        """Ids of a recording that was linked in the same state before; ``None`` where it was not, or not wholly."""
        heard = self._heard.get((run, recording), [])
        found: dict[str, dict[int, int]] = {}
        for identity, one in heard:
            found.setdefault(channel_text(one.channel), {})[one.number] = identity
        whole = all(sorted(ids) == list(range(len(ids))) for ids in found.values())
        if not heard or not whole or any(one.state != state for _, one in heard):
            return None
        return {channel: [ids[number] for number in sorted(ids)] for channel, ids in found.items()}

    def link(
        self,
        run: str,
        recording: str,
        state: str,
        voices: Sequence[NewVoice],
        before: Mapping[str, Sequence[int]] | None = None,
    ) -> dict[str, list[int]]:
        """Ids of the voices of a recording, by channel and number.

        ``before``: ids that the same voices had, where the file no longer knows them.
        """
        given = _as_before(voices, before or {}) or self._matched(voices)
        for identity, one in self._heard.pop((run, recording), []):
            self._sums[self._rows[identity]] -= _weighted(one)
        ids: dict[str, list[int]] = {}
        for index, voice in enumerate(voices):
            identity = given.get(index, self._following)
            seconds, vector = round(voice.seconds, 2), vector_text(voice.centroid)
            self._add(identity, Heard(run, recording, voice.channel, voice.number, seconds, state, vector))
            ids.setdefault(channel_text(voice.channel), []).append(identity)
        return ids

    def result(self, networks: str) -> LinkedVoices:
        """What is known now, to be written: voices that were heard anywhere, by id."""
        voices: dict[int, LinkedVoice] = {}
        for _, heard in sorted(self._heard.items()):
            for identity, one in heard:
                entry = voices.setdefault(identity, LinkedVoice(identity, self._names.get(identity, "")))
                entry.heard.append(one)
        return LinkedVoices(networks, self._following, [voices[identity] for identity in sorted(voices)])

    def _add(self, identity: int, heard: Heard) -> None:
        import numpy as np

        vector = _weighted(heard)
        if not self._sums.shape[1]:
            self._sums = np.zeros((len(self._sums), len(vector)))
        row = self._rows.setdefault(identity, len(self._rows))
        if row == len(self._sums):
            self._sums = np.concatenate([self._sums, np.zeros_like(self._sums)])
        self._sums[row] += vector
        self._heard.setdefault((heard.run, heard.recording), []).append((identity, heard))
        self._following = max(self._following, identity + 1)

    def _matched(self, voices: Sequence[NewVoice]) -> dict[int, int]:
        """Index of a voice -> id, the most similar pairs first."""
        import numpy as np

        if not self._rows or not voices:
            return {}
        identities = list(self._rows)
        known = unit(self._sums[: len(identities)])
        similarity = np.stack([voice.centroid for voice in voices]) @ known.T
        pairs = np.argwhere(similarity >= SAME_PERSON).tolist()
        found: dict[int, int] = {}
        taken: set[int] = set()
        for row, column in sorted(pairs, key=lambda pair: (-similarity[pair[0], pair[1]], *pair)):
            if row not in found and column not in taken:
                found[row] = identities[column]
                taken.add(column)
        return found


def _as_before(voices: Sequence[NewVoice], before: Mapping[str, Sequence[int]]) -> dict[int, int]:
    """Index of a voice -> the id it had; empty where these are not the same voices."""
    ids = {
        (int(channel) if channel else None, number): identity
        for channel, identities in before.items()
        for number, identity in enumerate(identities)
    }
    given = {index: ids.get((voice.channel, voice.number)) for index, voice in enumerate(voices)}
    known = {index: identity for index, identity in given.items() if identity is not None}
    return known if len(known) == len(voices) == len(ids) else {}


def _weighted(heard: Heard) -> np.ndarray:
    import numpy as np

    vector = np.frombuffer(base64.b64decode(heard.vector), dtype="<f2").astype(np.float64)
    return np.asarray(vector * min(heard.seconds, _MOST_SECONDS))


def channel_text(channel: int | None) -> str:
    """A channel as JSON has it as a key."""
    return "" if channel is None else str(channel)
