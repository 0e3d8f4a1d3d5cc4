"""Recordings into chunks: every recording of a bundle is decoded once and cut while it is decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from audiogrid.core.timebase import SAMPLE_RATE, clock
from audiogrid.media.demux import MediaError
from audiogrid.media.pcm_stream import PcmStream, stream_pcm
from audiogrid.records.chunks import BundleManifest, Chunk, Track
from audiogrid.remote.service_protocol import RemoteError
from audiogrid.splitting.bundle_writer import BundleWriter
from audiogrid.splitting.channel_statistics import ChannelStatistics
from audiogrid.splitting.crosstalk import Crosstalk, attenuated, find_crosstalk
from audiogrid.splitting.opening import Patience, UnusableRecordingError, check_unchanged, open_recording
from audiogrid.splitting.sound_levels import SoundLevels, promised_samples, with_sounds
from audiogrid.splitting.track_cutter import TrackCutter

# A difference of more than this many chunks between planned and decoded duration is noted.
_NOTABLE_CHUNKS = 1.5
# So is one of more than this many seconds where less could be decoded.
_NOTABLE_SECONDS = 1


@dataclass(frozen=True)
class SplitJob:
    """One recording as it was probed. ``duration`` in samples at 16 kHz, ``chunks`` per track.

    ``address_table``: the table that holds the whole address of a remote recording, where ``path`` does not.
    ``channels``: how many the plan has with ``channels_mode`` split (``None``: those of the first audio).
    ``audio_tracks``: numbers from 1 of the audio tracks to decode; none stands for the main one.
    """

    recording: str
    path: str
    size: int
    mtime_ns: int
    channels_mode: Literal["mix", "split"]
    duration: int
    chunks: int
    address_table: str | None = None
    channels: int | None = None
    audio_tracks: Sequence[int] = ()


def _length_note(job: SplitJob, samples: int) -> str | None:
    """A sentence where a recording has another length than its packets said, else ``None``."""
    chunk = job.duration / job.chunks
    lengths = f"holds {clock(samples)} of audio where {clock(job.duration)} were expected"
    if samples > job.duration + _NOTABLE_CHUNKS * chunk:
        return f"{lengths}: its last chunk is longer than usual"
    if samples < job.duration - _NOTABLE_CHUNKS * chunk:
        return f"{lengths}: its last chunks are empty"
    if samples < job.duration - _NOTABLE_SECONDS * SAMPLE_RATE:
        return f"{lengths} by its packets"
    return None


def _decoded(job: SplitJob, stream: PcmStream) -> Iterator[np.ndarray]:
    """The blocks of ``stream``. Every error of the decoder becomes ``UnusableRecordingError``."""
    try:
        yield from stream
    except (MediaError, RemoteError) as error:
        raise UnusableRecordingError(f"{job.path}: {error}") from error
    except (OSError, ValueError) as error:
        check_unchanged(job)
        raise UnusableRecordingError(f"{job.path} cannot be read ({error}): copy it anew and run again") from error


@dataclass(frozen=True)
class _SplitRecording:
    """The tracks and chunks of a recording. ``note``: what is odd about it; ``remarks``: what else is worth knowing.

    ``audio``: SHA-256 of its audio as it is encoded.
    """

    tracks: list[Track]
    chunks: list[Chunk]
    note: str | None
    remarks: list[str]
    audio: str


def _split_recording(job: SplitJob, folder: BundleWriter, patience: Patience) -> _SplitRecording:
    cutters: list[TrackCutter] = []
    levels: list[SoundLevels] = []
    statistics: ChannelStatistics | None = None
    # As many signals as planned, whatever the file turns out to hold: later steps look for each of them.
    source = open_recording(job, patience)
    stream = stream_pcm(source, channels=job.channels_mode, tracks=job.audio_tracks, signals=job.channels)
    for block in _decoded(job, stream):
        if not cutters:
            channels: list[int | None] = [None] if job.channels_mode == "mix" else list(range(len(block)))
            cutters = [TrackCutter(job.recording, channel, job.duration, job.chunks) for channel in channels]
            levels = [SoundLevels() for _ in cutters]
            statistics = ChannelStatistics(len(block)) if len(block) > 1 else None
        for cutter, level, row in zip(cutters, levels, block, strict=True):
            cutter.feed(row)
            level.feed(row)
        if statistics is not None:
            statistics.feed(block)
        folder.append(block)
    check_unchanged(job)
    samples = cutters[0].samples if cutters else 0
    if not samples:
        raise UnusableRecordingError(f"{job.path} holds no audio that can be decoded")
    offsets = folder.end_recording(samples, tracks=len(cutters))
    remarks: list[str] = []
    if statistics is not None:
        statistics.finish()
        crosstalk = find_crosstalk(statistics)
        cutters = [
            _cut_again(job, cutter, crosstalk, folder, offset) for cutter, offset in zip(cutters, offsets, strict=True)
        ]
        remarks = crosstalk.remarks()
    tracks = [
        Track(job.recording, cutter.channel, cutter.samples, offset)
        for cutter, offset in zip(cutters, offsets, strict=True)
    ]
    notes = [note for note in (stream.note, _length_note(job, samples)) if note]
    promised = promised_samples(job.duration, stream.claimed, samples)
    chunks = [
        chunk
        for cutter, level in zip(cutters, levels, strict=True)
        for chunk in with_sounds(cutter.finish(), level.sounds(), stream.missing, promised)
    ]
    return _SplitRecording(tracks, chunks, "; ".join(notes) or None, remarks, stream.audio_hash)


def _cut_again(
    job: SplitJob, cutter: TrackCutter, crosstalk: Crosstalk, folder: BundleWriter, offset: int
) -> TrackCutter:
    """Returns the cutter of a channel without what it shares with another one; nothing is read from the file again.

    A channel that is a copy has empty chunks only. Without crosstalk the cutter is returned as it is.
    """
    assert cutter.channel is not None
    anew = TrackCutter(job.recording, cutter.channel, job.duration, job.chunks)
    if cutter.channel in crosstalk.copies:
        return anew
    if cutter.channel not in crosstalk.gains:
        return cutter
    gains = crosstalk.gains[cutter.channel]
    for block in folder.rewrite(offset, cutter.samples, lambda pcm, start: attenuated(pcm, gains, start)):
        anew.feed(block)
    return anew


def split_bundle(jobs: list[SplitJob], folder: Path, bundle: str, patience: Patience | None = None) -> BundleManifest:
    """Decode and cut the recordings of a bundle into ``folder``. Returns the manifest, which is written there last.

    ``patience``: for recordings that this node does not see yet as they were probed; none without it.

    A recording that has changed since it was probed, is missing or cannot be decoded is left out: the manifest's
    ``problems`` holds the reason, and the other recordings are split. Raises ``RetryableError`` when the folder
    cannot be written (because the disk is full, say), and then leaves nothing in it.
    """
    files = BundleWriter(folder)
    manifest = BundleManifest(bundle, [], [])
    patience = patience or Patience(0)
    try:
        for job in jobs:
            try:
                done = _split_recording(job, files, patience)
            except UnusableRecordingError as problem:
                files.abandon_recording()
                manifest.problems[job.recording] = str(problem)
                continue
            manifest.tracks.extend(done.tracks)
            manifest.chunks.extend(done.chunks)
            manifest.audio[job.recording] = done.audio
            if done.note:
                manifest.notes[job.recording] = done.note
            if done.remarks:
                manifest.remarks[job.recording] = done.remarks
        files.complete(manifest)
    except BaseException:
        files.discard()
        raise
    return manifest
