"""Clocks that jump, pauses that are real, and tags that are no damage."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from audiogrid.media.demux import AudioInput, open_audio
from audiogrid.media.file_parts import find_parts
from audiogrid.media.pcm_stream import stream_pcm
from audiogrid.media.timeline import Timeline
from audiogrid.probing.media_facts import probe_media
from bad_media import RATE, bursts, encode

JUMPS = "its timestamps jump: its audio is taken as it follows in the file"


def _both(path: Path) -> tuple[float, float, list[str], str | None]:
    """Seconds by packets and decoded, remarks, and what could not be read."""
    facts = probe_media(path)
    stream = stream_pcm(path)
    decoded = sum(block.shape[1] for block in stream)
    return facts.duration / RATE, decoded / RATE, facts.remarks, facts.note or stream.note


def _joined(path: Path, *parts: Path) -> Path:
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


@pytest.mark.parametrize("picture", [False, True])
@pytest.mark.parametrize("ahead", [20, 1_000, 40_000])
def test_a_transport_stream_whose_clock_jumps_is_as_long_as_its_audio(
    tmp_path: Path, ahead: int, picture: bool
) -> None:
    first = encode(tmp_path / "1.ts", bursts(6), "aac")
    offset = {"output_ts_offset": str(ahead)}
    second = encode(tmp_path / "2.ts", bursts(4), "aac", container_options=offset)
    if picture:
        first, second = encode(tmp_path / "1.ts", bursts(6), "aac", picture=True), _ahead(second, tmp_path, ahead)

    found = _both(_joined(tmp_path / "news.ts", first, second))
    backwards = _both(_joined(tmp_path / "back.ts", second, first))

    for packets, decoded, remarks, note in (found, backwards):
        assert packets == pytest.approx(10, abs=0.3) and decoded == pytest.approx(10, abs=0.3)
        assert remarks == [JUMPS] and note is None


def _ahead(path: Path, folder: Path, ahead: int) -> Path:
    return encode(folder / "2p.ts", bursts(4), "aac", picture=True, container_options={"output_ts_offset": str(ahead)})


def test_a_pause_of_some_seconds_in_a_transport_stream_stays_one(tmp_path: Path) -> None:
    path = encode(tmp_path / "pause.ts", bursts(12), "aac", hole=(3.5, 9.5))

    packets, decoded, remarks, _ = _both(path)

    assert packets == pytest.approx(12, abs=0.3) and decoded == pytest.approx(12, abs=0.3)
    assert remarks == []


def test_a_long_pause_that_pictures_fill_is_believed(tmp_path: Path) -> None:
    path = _film(tmp_path / "film.ts", 40, range(4, 36))

    packets, decoded, remarks, _ = _both(path)

    assert packets == pytest.approx(40, abs=0.3) and decoded == pytest.approx(40, abs=0.3)
    assert remarks == []


def _film(path: Path, seconds: int, silent: range) -> Path:
    """Pictures for all of ``seconds``, and sound for those that are not ``silent``, written as they come."""
    import av

    with av.open(str(path), "w", format="mpegts") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("mp2", rate=48_000, layout="mono")
        audio.bit_rate = 64_000
        audio.codec_context.open()
        pictures, shades = 0, np.random.default_rng(1)
        frame_size = audio.codec_context.frame_size
        for number in range(seconds * 48_000 // frame_size):
            at = number * frame_size / 48_000
            if at * 10 >= pictures:
                picture = av.VideoFrame.from_ndarray(shades.integers(0, 255, (48, 64, 3), np.uint8))
                picture.pts = pictures
                pictures += 1
                container.mux(video.encode(picture))
            if int(at) not in silent:
                frame = av.AudioFrame.from_ndarray(np.full((1, frame_size), 99, np.int16), format="s16", layout="mono")
                frame.rate, frame.pts, frame.time_base = 48_000, number * frame_size, Fraction(1, 48_000)
                container.mux(audio.encode(frame))
        container.mux([*video.encode(None), *audio.encode(None)])
    return path


def test_eleven_hours_that_only_timestamps_of_a_film_claim_are_none(tmp_path: Path) -> None:
    path = _late_packets(tmp_path / "rtp.mkv")

    packets, decoded, remarks, _ = _both(path)

    assert packets == pytest.approx(8, abs=0.3) and decoded == pytest.approx(8, abs=0.3)
    assert remarks == [JUMPS]


def _late_packets(path: Path) -> Path:
    """A Matroska file of 8 s whose clock is 11 hours ahead from the 5th second on."""
    import av

    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for second in range(8):
            frame = av.AudioFrame.from_ndarray(bursts(1.0)[None] + np.int16(second), format="s16", layout="mono")
            frame.rate, frame.time_base = RATE, Fraction(1, RATE)
            frame.pts = (second + (40_000 if second >= 5 else 0)) * RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@dataclass(frozen=True)
class _Packet:
    """Stand-in for a packet of 200 bytes and 25 ms."""

    pos: int
    pts: int
    size: int = 200
    duration: int = 25
    dts: int | None = None

    def __bytes__(self) -> bytes:
        return bytes(self.size)


def _apev2() -> bytes:
    item = struct.pack("<II", 4, 0) + b"Title\0part"
    header, footer = (
        b"APETAGEX" + struct.pack("<IIII", 2_000, 32 + len(item), 1, flags) + bytes(8)
        for flags in (0xA0000000, 0x80000000)
    )
    return header + item + footer


def _id3v2(size: int) -> bytes:
    body = b"PRIV" + struct.pack(">I", size - 10) + bytes(2 + size - 10)
    return b"ID3\x04\0\0" + bytes([0, 0, len(body) >> 7, len(body) & 127]) + body


TAGS = {
    "id3v1": b"TAG" + b"a title".ljust(125, b"\0"),
    "id3v2": _id3v2(300),
    "large id3v2": _id3v2(9_000),
    "ape": _apev2(),
    "lyrics3": b"LYRICSBEGIN" + b"a song" * 30 + b"LYRICS200",
}


@pytest.mark.parametrize("suffix", ["mp3", "aac"])
@pytest.mark.parametrize("kind", TAGS)
def test_tags_inside_a_podcast_are_no_damage(tmp_path: Path, kind: str, suffix: str) -> None:
    codec = "libmp3lame" if suffix == "mp3" else "aac"
    part = encode(tmp_path / f"1.{suffix}", bursts(4), codec, bit_rate=64_000)
    path = tmp_path / f"podcast.{suffix}"
    path.write_bytes(part.read_bytes() + TAGS[kind] + part.read_bytes() + TAGS[kind] + part.read_bytes())

    packets, decoded, _, note = _both(path)

    assert note is None
    assert packets == pytest.approx(12, abs=0.3) and decoded == pytest.approx(12, abs=0.3)


@pytest.mark.parametrize("suffix", ["mp3", "aac"])
def test_pictures_in_tags_are_no_sound(tmp_path: Path, suffix: str) -> None:
    """Their bytes may look like frames, and several tags may follow each other."""
    codec = "libmp3lame" if suffix == "mp3" else "aac"
    part = encode(tmp_path / f"1.{suffix}", bursts(4), codec, bit_rate=64_000).read_bytes()
    frame = part[part.find(b"\xff", 200) :][:300]
    picture = bytearray(_id3v2(16_000))
    picture[40:-1_000] = (frame * 60)[: len(picture) - 1_040]
    path = tmp_path / f"podcast.{suffix}"
    path.write_bytes(part + TAGS["ape"] + TAGS["lyrics3"] + TAGS["id3v1"] + bytes(picture) + part)

    packets, decoded, _, note = _both(path)

    assert note is None
    assert packets == pytest.approx(8, abs=0.3) and decoded == pytest.approx(8, abs=0.3)


@pytest.mark.parametrize("between", [TAGS["large id3v2"], bytes(9_010)])
@pytest.mark.parametrize("offset", [0, 5_000])
def test_bytes_that_a_demuxer_passes_over_are_looked_at_where_they_lie(
    tmp_path: Path, offset: int, between: bytes
) -> None:
    """``offset``: where the MP3 begins in a file of several. 40 frames of 25 ms and 200 bytes surround the bytes."""
    frames = bytes(20 * 200)
    path = tmp_path / "joined.mp3"
    is_tag = between[:3] == b"ID3"
    # The file in front of the MP3 holds the other kind of bytes at the same place.
    other = bytes(len(frames)) + (bytes(1_000) if is_tag else b"ID3".ljust(1_000))
    path.write_bytes(other[:offset] + frames + between + frames)
    container = SimpleNamespace(format=SimpleNamespace(name="mp3", flags=0))
    timeline = Timeline(AudioInput(container, None, path, 0.0, 0.001, None, False, 1, offset))

    for number in range(40):
        position = number * 200 + (len(between) if number >= 20 else 0)
        timeline.account(_Packet(position, number * 25))

    lost = 0.0 if is_tag else len(between) / 200 * 0.025
    assert timeline.place(1_000) == pytest.approx(1.0 + lost)


def test_the_parts_of_a_joined_file_know_where_they_begin(tmp_path: Path) -> None:
    first = encode(tmp_path / "1.m4a", bursts(1), "aac")
    second = encode(tmp_path / "2.mp3", bursts(1), "libmp3lame")
    path = _joined(tmp_path / "joined.m4a", first, second)
    offsets = []
    for part in find_parts(path).parts:
        with open_audio(path, part=part) as source:
            offsets.append(source.offset)
    assert offsets == [0, first.stat().st_size]
    with open_audio(first) as source:
        assert source.offset == 0


@pytest.mark.parametrize("suffix", ["aac", "mp3", "ac3"])
def test_joined_files_with_another_rate_keep_their_speed(tmp_path: Path, suffix: str) -> None:
    codec = {"mp3": "libmp3lame"}.get(suffix, suffix)
    slow, fast = (32_000, 48_000) if suffix == "ac3" else (22_050, 48_000)
    first = encode(tmp_path / f"1.{suffix}", bursts(6), codec, rate=slow)
    second = encode(tmp_path / f"2.{suffix}", np.stack([bursts(4)] * 2, axis=1), codec, rate=fast)

    for order in ((first, second), (second, first)):
        packets, decoded, _, note = _both(_joined(tmp_path / f"all.{suffix}", *order))
        assert packets == pytest.approx(10, abs=0.3) and decoded == pytest.approx(10, abs=0.3)
        assert note is None


def test_a_clock_that_stands_still_does_not_make_a_file_too_short(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.flv", bursts(6), "libmp3lame")
    data, place = bytearray(path.read_bytes()), 13
    while place + 11 < len(data):
        if data[place] == 8:
            data[place + 4 : place + 8] = bytes(4)
        place += 11 + int.from_bytes(data[place + 1 : place + 4], "big") + 4
    path.write_bytes(data)

    packets, decoded, remarks, note = _both(path)

    assert packets == pytest.approx(6, abs=0.2) and decoded == pytest.approx(6, abs=0.2)
    assert remarks == ["its timestamps stand still: its audio is taken as it follows in the file"] and note is None


def test_a_recording_of_a_running_stream_is_not_short_of_the_hours_before_it(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.opus", bursts(6), "libopus", rate=48_000, start=39_600.0)

    packets, decoded, remarks, note = _both(path)

    assert packets == pytest.approx(6, abs=0.2) and decoded == pytest.approx(6, abs=0.2)
    assert remarks == [] and note is None
