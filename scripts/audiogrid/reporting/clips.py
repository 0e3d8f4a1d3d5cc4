"""Cuts the doubtful passages of a run out of its recordings: short files to listen to, or to label."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from audiogrid.core.errors import InputError
from audiogrid.core.timebase import to_samples
from audiogrid.core.tsv import read_table, write_table
from audiogrid.export.packs import read_transcript
from audiogrid.media.demux import MediaError
from audiogrid.media.pcm_stream import stream_pcm
from audiogrid.media.short_audio import samples_of, sound_of, write_audio
from audiogrid.merging.document import speaker_name
from audiogrid.merging.doubtful_passages import worst_passages
from audiogrid.merging.merge_bundle import MergedBundle
from audiogrid.records.plan import Recording
from audiogrid.records.plan_files.reader import open_plan
from audiogrid.records.run_folder import RunFolder
from audiogrid.remote.address import is_remote

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audiogrid.media.file_parts import MediaFile

Kind = Literal["wav", "mp3", "ogg"]
#: Kinds of files: container, codec and kbit/s.
KINDS: dict[str, tuple[str, str, float]] = {
    "wav": ("wav", "pcm_s16le", 0),
    "mp3": ("mp3", "libmp3lame", 64),
    "ogg": ("ogg", "libopus", 32),
}
TABLE = "clips.tsv"
#: The last column is for the person who listens.
COLUMNS = ("clip", "recording", "path", "start_s", "end_s", "speaker", "probability", "flags", "text", "correct_text")
_TYPED = COLUMNS[-1]

# Loudness of a clip, what it is raised by at most, and the distance of its peaks from the limit (dB).
_LEVEL_DBFS, _MOST_GAIN_DB, _HEADROOM_DB = -20.0, 30.0, 1.0
_FADE_MS = 20


@dataclass(frozen=True)
class Clips:
    """What was written. ``clips``: names of the files, as in the table; ``problems``: recording -> why not."""

    clips: list[str]
    problems: dict[str, str]


@dataclass(frozen=True)
class _Passage:
    """A passage to cut out: its recording and what ``worst_passages`` says of it."""

    recording: Recording
    facts: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of its file without the suffix: recording, channel and start in milliseconds."""
        channel = self.channel
        middle = "" if channel is None else f".c{channel}"
        return f"{self.recording.recording}{middle}.{round(self.facts['start'] * 1000):09d}"

    @property
    def channel(self) -> int | None:
        """The channel it is on, from 0; ``None`` for the mix."""
        if "channel" in self.facts:
            return int(self.facts["channel"])
        # Noted by an earlier version, which named channels as speakers only.
        named = {speaker_name(channel, "Channel {}"): channel for channel in self.recording.tracks}
        return named.get(self.facts.get("speaker"))


def local_file(recording: Recording) -> MediaFile:
    """Returns the file of a recording; raises ``InputError`` for one in object storage or on the web."""
    if is_remote(recording.path):
        raise InputError(f"{recording.path} is not on this machine: copy it here to cut clips out of it")
    return Path(recording.path)


def write_clips(
    run: RunFolder,
    out: Path,
    *,
    kind: Kind = "wav",
    count: int = 50,
    per_recording: int = 5,
    padding: float = 0.5,
    open_file: Callable[[Recording], MediaFile] = local_file,
) -> Clips:
    """Write the ``count`` most doubtful passages of a run as files into ``out``, and a table of them (``clips.tsv``).

    ``per_recording``: most passages of one recording; ``padding``: seconds before and after a passage. Clips are
    brought to one loudness. A recording that cannot be read becomes a problem, and the others go on. What a person
    typed into the table stays in it, also for passages that are not cut any more. Raises ``InputError`` where the run
    has no transcripts, for an unknown kind of file, or when the table that is there cannot be read.
    """
    if kind not in KINDS:
        raise InputError(f"{kind!r} is not a kind of clip; choose from {', '.join(KINDS)}")
    passages = _doubtful(run, per_recording, count)
    columns, typed = _typed_rows(out / TABLE)
    out.mkdir(parents=True, exist_ok=True)
    written: set[str] = set()
    problems: dict[str, str] = {}
    for name in dict.fromkeys(passage.recording.recording for passage in passages):
        mine = [passage for passage in passages if passage.recording.recording == name]
        try:
            for passage, pcm in _cut(open_file(mine[0].recording), mine, padding):
                _write(pcm, out / f"{passage.name}.{kind}", kind)
                written.add(passage.name)
        except (MediaError, InputError, OSError, ValueError) as error:
            problems[name] = f"{mine[0].recording.path}: {error}"
    cut = [passage for passage in passages if passage.name in written]
    rows = [{**typed.pop(passage.name, {}), **_row(passage, kind)} for passage in cut]
    clips = [str(row["clip"]) for row in rows]
    write_table(out / TABLE, columns, [[row.get(column) for column in columns] for row in [*rows, *typed.values()]])
    return Clips(clips, problems)


def _row(passage: _Passage, kind: Kind) -> dict[str, object]:
    """Returns the columns of a passage that are not for the person who listens."""
    facts, recording = passage.facts, passage.recording
    about = (f"{passage.name}.{kind}", recording.recording, recording.path, facts["start"], facts["end"])
    said = (facts.get("speaker", ""), facts["probability"], ", ".join(facts["flags"]), facts["text"])
    return dict(zip(COLUMNS, (*about, *said), strict=False))


def _typed_rows(table: Path) -> tuple[list[str], dict[str, Mapping[str, object]]]:
    """Returns the columns of a table and the rows into which a person has typed, by the name of the clip's file.

    Names are without suffix, so that another kind of file keeps the text. Columns that a person added count, too.
    Raises ``InputError`` when a table is there and cannot be read.
    """
    if not table.exists():
        return list(COLUMNS), {}
    try:
        columns, rows = read_table(table)
    except (OSError, ValueError) as error:
        raise InputError(f"{table} cannot be read ({error}): save it as UTF-8 text with tabs, or move it") from None
    if not {"clip", _TYPED} <= set(columns):
        raise InputError(f"{table} has no columns clip and {_TYPED} any more: save it as text with tabs, or move it")
    added = [column for column in dict.fromkeys(columns) if column and column not in COLUMNS]
    typed: dict[str, Mapping[str, object]] = {}
    for row in rows:
        if any(row[column].strip() for column in (_TYPED, *added)):
            typed[Path(row["clip"]).stem] = row
    return [*COLUMNS, *added], typed


def _doubtful(run: RunFolder, per_recording: int, count: int) -> list[_Passage]:
    """Returns the ``count`` most doubtful passages of all recordings of a run, the most doubtful one first."""
    if not run.plan.is_file():
        raise InputError(f"{run.root} has no plan yet: clips can be cut when a run has transcripts")
    plan = open_plan(run.plan)
    found: list[_Passage] = []
    merged_any = False
    for bundle in plan.bundles:
        try:
            merged = MergedBundle.read(run.merged / f"{bundle.bundle}.json")
        except (OSError, ValueError, KeyError):
            continue
        merged_any = True
        recordings = {one.recording: one for one in plan.recordings_of(bundle.bundle)}
        for name, files in merged.files.items():
            if name in recordings:
                passages = _passages(run, merged, name, files, per_recording)
                found += [_Passage(recordings[name], passage) for passage in passages]
        found = sorted(found, key=lambda passage: (passage.facts["probability"], passage.name))[:count]
    if not merged_any:
        raise InputError(f"{run.root} has no transcripts yet: run it first")
    return found


def _passages(
    run: RunFolder, merged: MergedBundle, name: str, files: dict[str, dict[str, str]], count: int
) -> list[dict[str, Any]]:
    """Returns the doubtful passages of a recording, from its JSON; without one those that ``merge`` has noted."""
    try:
        return worst_passages(read_transcript(run.root, files["json"]), count)
    except (OSError, ValueError, KeyError):
        return merged.worst.get(name, [])[:count]


def _cut(file: MediaFile, passages: Sequence[_Passage], padding: float) -> Iterator[tuple[_Passage, NDArray[np.int16]]]:
    """Yields the samples of each passage, shape ``(1, n)``; reads the file once, up to the last passage.

    Reading from the start is exact in every container, which seeking is not.
    """
    recording = passages[0].recording
    waiting = sorted(
        (to_samples(max(0.0, one.facts["start"] - padding)), to_samples(one.facts["end"] + padding), number)
        for number, one in enumerate(passages)
    )
    parts: dict[int, list[NDArray[np.int16]]] = {number: [] for _, _, number in waiting}
    signals = recording.channels if recording.channels_mode == "split" else None
    channels: Literal["mix", "split"] = "mix" if signals is None else "split"
    at = 0
    for block in stream_pcm(file, channels=channels, tracks=recording.audio_tracks, signals=signals):
        end = at + block.shape[1]
        for first, last, number in list(waiting):
            channel = passages[number].channel or 0
            if first < end and last > at:
                parts[number].append(block[channel : channel + 1, max(0, first - at) : last - at])
            if last <= end:
                waiting.remove((first, last, number))
                yield passages[number], np.concatenate(parts.pop(number), axis=1)
        at = end
        if not waiting:
            return
    for _, _, number in waiting:
        if parts[number]:
            yield passages[number], np.concatenate(parts[number], axis=1)


def _write(pcm: NDArray[np.int16], path: Path, kind: Kind) -> None:
    """Write a clip at an even loudness, faded in and out."""
    sound = sound_of(pcm)
    if sound.rms:
        gain = min(_LEVEL_DBFS - sound.dBFS, _MOST_GAIN_DB, -_HEADROOM_DB - sound.max_dBFS)
        sound = sound.apply_gain(gain)
    sound = sound.fade_in(_FADE_MS).fade_out(_FADE_MS)
    container, codec, kbits = KINDS[kind]
    temporary = path.with_name(f".tmp-{path.name}")
    write_audio([samples_of(sound)], temporary, container, codec, kbits=kbits)
    temporary.replace(path)
