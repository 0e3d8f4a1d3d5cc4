"""Files that hold more audio than their first header says: read to their end, or the rest is named."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest

from audiogrid.media import flac_files, frame_streams
from audiogrid.media.chunk_formats import find_payload
from audiogrid.media.file_parts import find_parts
from audiogrid.media.flac_files import flac_starts
from audiogrid.media.ogg_links import may_be_chained
from audiogrid.media.pcm_stream import stream_pcm
from audiogrid.probing.media_facts import MediaFacts, probe_media
from audiogrid.remote.reader import RemoteFile
from bad_media import RATE, bursts, encode, write_wav

SIX, FOUR = bursts(6), bursts(4)


def _heard(path: Path, **settings: object) -> tuple[MediaFacts, np.ndarray, str | None]:
    facts = probe_media(path)
    stream = stream_pcm(path, **settings)  # type: ignore[arg-type]
    pcm = np.concatenate(list(stream), axis=1)
    assert facts.duration == pytest.approx(pcm.shape[1], abs=0.15 * RATE)
    return facts, pcm, stream.note


def _bursts(pcm: np.ndarray) -> int:
    loud = np.flatnonzero(np.abs(pcm.astype(int)) > 8_000)
    return int(np.count_nonzero(np.diff(loud, prepend=-RATE) > RATE // 4))


def _set(path: Path, mark: bytes, offset: int, value: bytes) -> Path:
    """Overwrite bytes at ``offset`` from the first ``mark``."""
    data = bytearray(path.read_bytes())
    place = data.find(mark) + offset
    data[place : place + len(value)] = value
    path.write_bytes(data)
    return path


def _short_wav(folder: Path) -> Path:
    return write_wav(folder / "a.wav", SIX, data_size=2 * RATE * 2)


def _short_rf64(folder: Path) -> Path:
    path = encode(folder / "a.wav", SIX, "pcm_s16le", rate=RATE, container_options={"rf64": "always"})
    return _set(path, b"ds64", 16, struct.pack("<Q", 4 * RATE))


def _unfinished_rf64(folder: Path) -> Path:
    path = encode(folder / "a.wav", SIX, "pcm_s16le", rate=RATE, container_options={"rf64": "always"})
    return _set(path, b"ds64", 16, struct.pack("<Q", 0))


def _short_w64(folder: Path) -> Path:
    return _set(encode(folder / "a.w64", SIX, "pcm_s16le", rate=RATE), b"data", 16, struct.pack("<Q", 4 * RATE + 24))


def _short_aiff(folder: Path) -> Path:
    path = encode(folder / "a.aiff", SIX, "pcm_s16be", rate=RATE)
    _set(path, b"COMM", 10, struct.pack(">I", 2 * RATE))
    return _set(path, b"SSND", 4, struct.pack(">I", 4 * RATE + 8))


def _short_caf(folder: Path) -> Path:
    return _set(encode(folder / "a.caf", SIX, "pcm_s16le", rate=RATE), b"data", 4, struct.pack(">q", 4 * RATE + 4))


@pytest.mark.parametrize(
    "make", [_short_wav, _short_rf64, _unfinished_rf64, _short_w64, _short_aiff, _short_caf], ids=lambda f: f.__name__
)
def test_a_header_that_covers_a_third_does_not_hide_the_rest(tmp_path: Path, make) -> None:
    path = make(tmp_path)

    facts, pcm, note = _heard(path)

    assert facts.duration == len(SIX) and np.array_equal(pcm[0], SIX)
    assert facts.note is None and note is None
    if make is not _unfinished_rf64:
        assert facts.remarks == ["its header covers only 0:00:02; the 0:00:04 after that are read, too"]


INFO = b"LIST" + struct.pack("<I", 16) + b"INFOISFT" + struct.pack("<I", 4) + b"rec\0"


@pytest.mark.parametrize(
    "after",
    [INFO, b"\0" + INFO, INFO + INFO, b"", b"\0", bytes(50_000)],
    ids=["list", "odd", "two", "none", "pad", "zeros"],
)
def test_what_follows_the_audio_and_is_no_audio_is_not_read(tmp_path: Path, after: bytes) -> None:
    path = write_wav(tmp_path / "tagged.wav", SIX)
    path.write_bytes(path.read_bytes() + after)

    facts, pcm, note = _heard(path)

    assert np.array_equal(pcm[0], SIX)
    assert (facts.note, facts.remarks, note) == (None, [], None)


def test_space_that_was_reserved_and_never_used_is_not_shown_to_ffmpeg(tmp_path: Path) -> None:
    # It would look for a chunk at every eighth byte, twice: minutes for a gigabyte.
    path = write_wav(tmp_path / "reserved.wav", SIX)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size + 300_000_000)

    facts, pcm, note = _heard(path)

    assert np.array_equal(pcm[0], SIX)
    assert (facts.note, facts.remarks, note) == (None, [], None)
    (part,) = find_parts(path).parts
    assert (part.start, part.end) == (0, size)
    with path.open("rb") as file:
        payload = find_payload(lambda place, count: os.pread(file.fileno(), count, place), 0, size + 300_000_000)
    assert payload is not None and payload.end == size


def test_chunks_and_then_zeros_and_another_file_behind_them(tmp_path: Path) -> None:
    """A recorder that reserved space, wrote its notes behind the audio, and then began its next file."""
    parts = [write_wav(tmp_path / f"{number}.wav", sound) for number, sound in enumerate((SIX, FOUR))]
    path = tmp_path / "card.wav"

    path.write_bytes(parts[0].read_bytes() + INFO + bytes(5_000_000))
    assert _heard(path)[1].shape[1] == len(SIX)
    (part,) = find_parts(path).parts
    assert part.end == parts[0].stat().st_size + len(INFO)

    path.write_bytes(parts[0].read_bytes() + INFO + bytes(5_000_001) + parts[1].read_bytes())
    facts, pcm, note = _heard(path)
    assert np.array_equal(pcm[0], np.concatenate([SIX, FOUR]))
    assert (facts.note, facts.remarks, note) == (None, ["2 files joined into one; all of them are read"], None)


@pytest.mark.parametrize("zeros", [4, 30_001, 3_000_000])
def test_space_behind_an_mp4_and_another_one_behind_it(tmp_path: Path, zeros: int) -> None:
    parts = [encode(tmp_path / f"{number}.m4a", sound, "aac", rate=RATE) for number, sound in enumerate((SIX, FOUR))]
    path = tmp_path / "card.m4a"

    path.write_bytes(parts[0].read_bytes() + bytes(zeros))
    facts, pcm, note = _heard(path)
    assert _bursts(pcm[0]) == 6 and (facts.note, facts.remarks, note) == (None, [], None)

    path.write_bytes(parts[0].read_bytes() + bytes(zeros) + parts[1].read_bytes())
    facts, pcm, note = _heard(path)
    assert _bursts(pcm[0]) == 10
    assert (facts.note, facts.remarks, note) == (None, ["2 files joined into one; all of them are read"], None)


@pytest.mark.parametrize(("suffix", "codec"), [("mp3", "mp3"), ("aac", "aac"), ("ac3", "ac3")])
def test_space_behind_frames_is_no_audio_that_is_missing(tmp_path: Path, suffix: str, codec: str) -> None:
    path = encode(tmp_path / f"a.{suffix}", SIX, codec, rate=RATE if suffix != "ac3" else 48_000)
    path.write_bytes(path.read_bytes() + bytes(3_000_000))

    facts = probe_media(path)

    assert facts.duration == pytest.approx(6 * RATE, abs=0.3 * RATE)


@pytest.mark.parametrize("is_remote", [False, True])
def test_somebody_who_speaks_after_a_long_silence_is_not_taken_for_space_that_was_never_used(
    tmp_path: Path, is_remote: bool
) -> None:
    # A header that covers 2 s of 6; then silence, but for what lies between the quarters.
    rest = np.zeros(400 * RATE, np.int16)
    for quarter in range(4):
        place = (100 * quarter + 50) * RATE
        rest[place : place + len(SIX)] = SIX
    path = write_wav(tmp_path / "late.wav", np.concatenate([SIX, rest]), data_size=2 * RATE * 2)

    if is_remote:
        data = path.read_bytes()
        payload = find_payload(lambda place, count: data[place : place + count], 0, len(data), is_remote=True)
        assert payload is not None and payload.end == len(data) and payload.remark
        return
    facts, pcm, note = _heard(path)

    assert pcm.shape[1] == len(SIX) + len(rest) and _bursts(pcm[0]) == 5 * _bursts(SIX)
    assert (facts.note, note) == (None, None) and "covers only 0:00:02" in facts.remarks[0]


@pytest.mark.parametrize("kind", ["random", "text"])
def test_bytes_that_cannot_be_audio_are_named_with_place_and_amount(tmp_path: Path, kind: str) -> None:
    path = write_wav(tmp_path / "odd.wav", SIX)
    after = (
        np.random.default_rng(1).bytes(320_000) if kind == "random" else b"<transcript>not audio</transcript>\n" * 9_400
    )
    path.write_bytes(path.read_bytes() + after[:319_000])

    facts, pcm, note = _heard(path)

    assert np.array_equal(pcm[0], SIX)
    assert facts.note == note
    assert "319000 bytes after 0:00:06 are not covered by its header" in (note or "")


@pytest.mark.parametrize("turns", [1, 2])
@pytest.mark.parametrize("after", [b"", INFO])
def test_a_length_that_wrapped_at_4_gb_is_the_whole_one(tmp_path: Path, turns: int, after: bytes) -> None:
    size = turns * 2**32 + 4_000
    path = write_wav(tmp_path / "long.wav", np.zeros(0, np.int16), data_size=4_000)
    with path.open("r+b") as file:
        # A sparse file: nothing of it lies on the disk.
        file.seek(44 + size)
        file.write(after)
        file.truncate(44 + size + len(after))

    found = find_parts(path)

    assert [(part.start, part.end) for part in found.parts] == [(0, 44 + size)]
    assert found.remarks == ("its header cannot count beyond 4 GB; all of its audio is read",)


def _joined(path: Path, *parts: Path) -> Path:
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


@pytest.mark.parametrize(
    ("suffix", "codec", "rates"),
    [
        ("wav", "pcm_s16le", (16_000, 8_000)),
        ("aiff", "pcm_s16be", (16_000, 44_100)),
        ("m4a", "aac", (44_100, 22_050)),
        ("flac", "flac", (16_000, 44_100)),
        ("ogg", "flac", (16_000, 44_100)),
        ("opus", "libopus", (48_000, 24_000)),
        ("aac", "aac", (44_100, 22_050)),
        ("mp3", "libmp3lame", (44_100, 22_050)),
    ],
)
def test_files_joined_into_one_are_all_heard(tmp_path: Path, suffix: str, codec: str, rates: tuple[int, int]) -> None:
    first = encode(tmp_path / f"1.{suffix}", SIX, codec, rate=rates[0])
    second = encode(tmp_path / f"2.{suffix}", np.stack([FOUR, FOUR], axis=1), codec, rate=rates[1])
    path = _joined(tmp_path / f"both.{suffix}", first, second, first)

    facts, pcm, note = _heard(path)

    assert facts.duration == pytest.approx(16 * RATE, abs=0.3 * RATE)
    assert _bursts(pcm[0]) == 16
    assert facts.note is None and note is None


def test_an_ogg_link_with_other_channels_keeps_the_planned_number_of_signals(tmp_path: Path) -> None:
    mono = encode(tmp_path / "1.ogg", SIX, "flac", rate=RATE)
    stereo = encode(tmp_path / "2.ogg", np.stack([FOUR, FOUR // 2], axis=1), "flac", rate=RATE)
    path = _joined(tmp_path / "chain.ogg", mono, stereo)

    facts, pcm, _ = _heard(path, channels="split", signals=2)
    _, one, _ = _heard(path, channels="split", signals=1)

    assert facts.channels == 2 and pcm.shape[0] == 2 and one.shape[0] == 1
    assert np.array_equal(pcm[0], np.concatenate([SIX, FOUR])) and not pcm[1, : len(SIX)].any()
    assert np.array_equal(pcm[1, len(SIX) :], FOUR // 2)


def test_a_part_that_cannot_be_read_is_named_and_the_others_are_heard(tmp_path: Path) -> None:
    first = encode(tmp_path / "1.flac", SIX, "flac", rate=RATE)
    path = _joined(tmp_path / "broken.flac", first)
    path.write_bytes(path.read_bytes() + b"fLaC\0\0\0\x22" + bytes(5_000))

    facts, pcm, note = _heard(path)

    assert np.array_equal(pcm[0, : len(SIX)], SIX)
    assert "part 2 of the file, at 0:00:06, cannot be read" in (facts.note or "")
    assert "part 2 of the file" in (note or "")


@pytest.mark.parametrize(
    "names",
    ["1.mp3 2.flac", "1.mp3 2.wav", "1.mp3 2.m4a", "1.aac 2.mp3", "1.mp3 2.ogg 3.mp3", "1.aac 2.wav 3.flac",
     "1.m4a 2.aac", "1.wav 2.aac", "1.ac3 2.aac", "1.flac 2.mp3", "1.flac 2.wav", "1.mkv 2.mp3", "1.wma 2.wav"],
)  # fmt: skip
def test_files_of_different_formats_joined_into_one_are_all_heard(tmp_path: Path, names: str) -> None:
    codecs = {"mp3": "libmp3lame", "wav": "pcm_s16le", "m4a": "aac", "ogg": "flac", "mkv": "aac", "wma": "wmav2"}
    parts = [
        encode(
            tmp_path / name,
            FOUR,
            codecs.get(name[2:], name[2:]),
            rate=(44_100, 48_000, 32_000)[number],
            bit_rate=96_000,
        )
        for number, name in enumerate(names.split())
    ]
    path = _joined(tmp_path / f"all{parts[0].suffix}", *parts)

    facts, pcm, note = _heard(path)

    assert _bursts(pcm[0]) == 4 * len(parts)
    assert facts.remarks == [f"{len(parts)} files joined into one; all of them are read"]
    assert facts.note is None and note is None


@pytest.mark.parametrize("lengths", [(40,), (40, 40), (40, 3), (3, 40), (20, 20, 20)])
def test_a_remote_flac_is_read_whole_only_where_its_samples_do_not_count_through(tmp_path: Path, lengths) -> None:
    noise = np.random.default_rng(1).integers(-20_000, 20_000, 40 * RATE).astype(np.int16)
    parts = [
        encode(tmp_path / f"{number}.flac", noise[: seconds * RATE], "flac", rate=RATE)
        for number, seconds in enumerate(lengths)
    ]
    data = _joined(tmp_path / "all.flac", *parts).read_bytes()
    fetched = 0

    def read(offset: int, count: int) -> bytes:
        nonlocal fetched
        fetched += len(data[offset : offset + count])
        return data[offset : offset + count]

    starts = flac_starts(read, len(data), is_remote=True, most=9)

    sizes = [part.stat().st_size for part in parts]
    assert starts == [sum(sizes[:number]) for number in range(len(sizes))]
    assert len(lengths) > 1 or fetched < 450_000 < len(data) / 2


@pytest.mark.parametrize("block", range(996, 1_013))
def test_a_flac_that_begins_where_two_blocks_meet_is_found(tmp_path: Path, monkeypatch, block: int) -> None:
    one = encode(tmp_path / "1.flac", FOUR, "flac", rate=RATE).read_bytes()[:1_000]
    data = one + encode(tmp_path / "2.flac", FOUR, "flac", rate=RATE).read_bytes()[:3_000]
    monkeypatch.setattr(flac_files, "_BLOCK", block)
    assert flac_starts(lambda at, count: data[at : at + count], len(data), is_remote=False, most=9) == [0, 1_000]


def test_a_link_that_was_cut_off_does_not_hide_the_next_one(tmp_path: Path) -> None:
    first = encode(tmp_path / "1.ogg", SIX, "flac", rate=RATE)
    first.write_bytes(first.read_bytes()[:-700])
    path = _joined(tmp_path / "chain.ogg", first, encode(tmp_path / "2.ogg", FOUR, "flac", rate=44_100))
    assert find_parts(path).parts[1].start == first.stat().st_size


@pytest.mark.parametrize(
    ("suffix", "codec", "mark", "offset", "value"),
    [
        ("au", "pcm_s16be", b".snd", 8, bytes(4)),
        ("au", "pcm_s16be", b".snd", 8, b"\xff" * 4),
        ("w64", "pcm_s16le", b"data", 16, bytes(8)),
        ("caf", "pcm_s16le", b"data", 4, b"\xff" * 8),
        ("wav", "pcm_s16le", b"data", 4, bytes(4)),
        ("wav", "pcm_s16le", b"data", 4, b"\xff" * 4),
    ],
)
def test_a_length_that_was_never_filled_in_is_no_damage(tmp_path: Path, suffix, codec, mark, offset, value) -> None:
    path = _set(encode(tmp_path / f"a.{suffix}", SIX, codec, rate=RATE), mark, offset, value)

    facts, pcm, note = _heard(path)

    assert np.array_equal(pcm[0], SIX)
    assert facts.note is None and note is None


def test_media_data_that_an_mp4_does_not_mention_are_named(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.m4a", SIX, "aac", bit_rate=64_000)
    whole = path.read_bytes()
    assert find_parts(path).notes == ()
    path.write_bytes(whole + struct.pack(">I", 60_008) + b"mdat" + bytes(60_000))
    assert "of its media data (60000 bytes) are not in its index" in find_parts(path).notes[0]
    path.write_bytes(whole + np.random.default_rng(1).bytes(50_000))
    assert find_parts(path).notes == ("50000 bytes at its end belong to no part of the file and are not read",)
    path.write_bytes(whole + b"TAG" + bytes(125))
    assert find_parts(path).notes == ()


@pytest.mark.parametrize(
    ("first", "second"),
    [(("1.ts", "aac"), ("2.ts", "mp2")), (("1.ts", "mp2"), ("2.ts", "ac3"))],
)
def test_a_stream_that_goes_on_in_another_codec_is_heard_to_its_end(tmp_path: Path, first, second) -> None:
    parts = [
        encode(tmp_path / name, pcm, codec, rate=48_000, start=start)
        for (name, codec), pcm, start in ((first, SIX, 0), (second, FOUR, 6))
    ]
    path = _joined(tmp_path / f"both{parts[0].suffix}", *parts)

    stream = stream_pcm(path)
    pcm = np.concatenate(list(stream), axis=1)

    assert _bursts(pcm[0]) == 10 and stream.note is None


@pytest.mark.parametrize("between", [b"", b"JUNK" + struct.pack("<I", 4) + bytes(4)])
def test_all_data_chunks_of_a_wav_are_heard(tmp_path: Path, between: bytes) -> None:
    path = write_wav(tmp_path / "a.wav", SIX)
    more = b"data" + struct.pack("<I", 2 * len(FOUR)) + FOUR.tobytes()
    path.write_bytes(path.read_bytes() + between + more + INFO)

    facts, pcm, note = _heard(path)

    assert np.array_equal(pcm[0], np.concatenate([SIX, FOUR]))
    assert facts.remarks == ["its audio is in 2 pieces; all of them are read"]
    assert facts.note is None and note is None


def test_all_data_chunks_of_a_wav_behind_a_tag_are_heard(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", SIX)
    more = b"data" + struct.pack("<I", 2 * len(FOUR)) + FOUR.tobytes()
    path.write_bytes(b"ID3\x03\0\0\0\0\0\x10" + bytes(16) + path.read_bytes() + more)

    assert np.array_equal(_heard(path)[1][0], np.concatenate([SIX, FOUR]))


def test_two_headers_that_chance_made_at_the_end_of_a_flac_are_no_frames(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.flac", SIX, "flac", rate=RATE)
    data = path.read_bytes()
    frame = b"\xff\xfb\x90\x00"
    length = 417
    # As random bytes of the last frame can be: two headers, the second of which reaches the end.
    path.write_bytes(data[: -2 * length] + (frame + data[-length + 4 :]) * 2)

    assert find_parts(path).parts == ()


@pytest.mark.parametrize("mark", [b"ftyp", b"\x1a\x45\xdf\xa3"], ids=["mp4", "matroska"])
def test_four_bytes_in_the_samples_of_a_flac_begin_no_other_file(tmp_path: Path, mark: bytes) -> None:
    # Noise as loud as this is stored as it is.
    noise = np.random.default_rng(1).integers(-32_768, 32_768, 3 * RATE).astype(np.int16)
    noise[RATE : RATE + len(mark) // 2] = np.frombuffer(mark, ">i2")
    path = encode(tmp_path / "noise.flac", noise, "flac", rate=RATE)
    assert mark in path.read_bytes()

    facts, pcm, note = _heard(path)

    assert np.array_equal(pcm[0], noise)
    assert (facts.note, facts.remarks, note) == (None, [], None)


def test_what_is_kept_of_many_pieces_grows_with_their_number_only(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", SIX)
    path.write_bytes(path.read_bytes() + (b"data" + struct.pack("<I", 20) + bytes(20)) * 500)

    parts = find_parts(path).parts

    assert len(parts) == 501
    assert all(len(part.cuts) <= 1 for part in parts)


def test_a_thousand_files_of_alternating_formats_are_all_found(tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "a.wav", SIX[:16]).read_bytes()
    flac = b"fLaC" + bytes([0x80, 0, 0, 34]) + bytes(34)
    path = tmp_path / "many.wav"
    path.write_bytes((wav + flac) * 1_000)

    assert len(find_parts(path).parts) == 2_000


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("code", "samples"), [(0x11, 505), (0x02, 500)])
@pytest.mark.parametrize("claimed", [0, 5_400])
def test_the_rest_of_an_adpcm_file_is_told_by_its_blocks(code: int, samples: int, channels: int, claimed: int) -> None:
    """The rate that the header of such a file names is often wrong, or 0."""
    block = 256 * channels
    blocks = np.random.default_rng(0).integers(0, 200, block * (12 * RATE // samples), dtype=np.uint8).tobytes()
    form = b"fmt " + struct.pack("<IHHIIHH", 16, code, channels, RATE, claimed, block, 4)
    data = b"RIFF" + bytes(4) + b"WAVE" + form + b"data" + struct.pack("<I", len(blocks) // 2) + blocks

    payload = find_payload(lambda at, count: data[at : at + count], 0, len(data))

    assert payload is not None
    assert payload.remark in (
        f"its header covers only 0:00:0{first}; the 0:00:0{rest} after that are read, too"
        for first in (5, 6)
        for rest in (5, 6)
    )


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [("w64", "pcm_s16le"), ("tta", "tta"), ("wv", "wavpack"), ("voc", "pcm_u8")],
)
def test_joined_files_of_rarer_formats_are_heard(tmp_path: Path, suffix: str, codec: str) -> None:
    parts = [encode(tmp_path / f"{number}.{suffix}", SIX, codec, rate=RATE) for number in (1, 2)]

    facts, pcm, note = _heard(_joined(tmp_path / f"all.{suffix}", *parts))

    assert _bursts(pcm[0]) == 12
    assert facts.remarks == ["2 files joined into one; all of them are read"]
    assert facts.note is None and note is None


def test_a_tag_in_front_of_a_chained_ogg_does_not_hide_its_second_link(tmp_path: Path) -> None:
    links = [encode(tmp_path / f"{rate}.ogg", SIX, "flac", rate=rate) for rate in (RATE, 44_100)]
    path = _joined(tmp_path / "all.ogg", *links)
    path.write_bytes(b"ID3\x03\0\0\0\0\0\x10" + bytes(16) + path.read_bytes())

    facts, pcm, note = _heard(path)

    assert _bursts(pcm[0]) == 12 and facts.note is None and note is None


def test_mpeg_audio_behind_the_length_of_a_wav_belongs_to_it(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.wav", SIX, "libmp3lame", bit_rate=64_000)
    data = path.read_bytes()
    path = _set(path, b"data", 4, struct.pack("<I", (len(data) - data.find(b"data")) // 3))

    facts, pcm, note = _heard(path)

    assert _bursts(pcm[0]) == 6 and facts.note is None and note is None


def test_audio_that_an_edit_list_leaves_out_is_named(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.m4a", SIX, "aac")
    assert probe_media(path).note is None
    length = int.from_bytes(path.read_bytes().partition(b"elst")[2][8:12], "big")

    facts, _, note = _heard(_set(path, b"elst", 12, struct.pack(">I", length // 3)))

    assert facts.note == note and "its edit list leaves out 0:00:0" in (note or "")


def _numbered(path: Path, serial: int) -> bytes:
    """An Ogg file with another serial number; what looks for links does not check the sums of pages."""
    data = bytearray(path.read_bytes())
    place = 0
    while place < len(data):
        data[place + 14 : place + 18] = struct.pack("<I", serial)
        segments = data[place + 26]
        place += 27 + segments + sum(data[place + 27 : place + 27 + segments])
    return bytes(data)


@pytest.mark.parametrize("lengths", [(40,), (40, 40), (40, 3), (3, 40), (20, 20, 20)])
def test_a_remote_chain_is_found_where_all_links_have_one_serial_number(tmp_path: Path, lengths) -> None:
    noise = np.random.default_rng(1).integers(-20_000, 20_000, 40 * RATE).astype(np.int16)
    parts = [
        _numbered(encode(tmp_path / f"{number}.ogg", noise[: seconds * RATE], "flac", rate=RATE), 5)
        for number, seconds in enumerate(lengths)
    ]
    data = b"".join(parts)

    assert may_be_chained(lambda at, count: data[at : at + count], len(data)) == (len(parts) > 1)


@pytest.mark.parametrize("names", ["mp3", "aac", "mp3 wav", "aac ogg", "ac3 m4a", "mp3 wav mp3", "aac flac aac"])
def test_a_remote_file_of_frames_that_goes_on_in_another_format_is_taken_apart(
    tmp_path: Path, monkeypatch, names: str
) -> None:
    monkeypatch.setattr(frame_streams, "_WINDOW", 1 << 13)
    codecs = {"mp3": "libmp3lame", "wav": "pcm_s16le", "m4a": "aac", "ogg": "flac"}
    parts = [
        encode(tmp_path / f"{number}.{name}", bursts(30), codecs.get(name, name), rate=48_000, bit_rate=96_000)
        for number, name in enumerate(names.split())
    ]
    path = _joined(tmp_path / "all", *parts)

    class Remote(RemoteFile):
        def __init__(self) -> None:
            pass

        def stat(self):
            return path.stat()

        def open(self, mode: str = "rb"):
            return path.open(mode)

    found = find_parts(Remote())

    assert [part.start for part in found.parts] == [part.start for part in find_parts(path).parts]
    assert len(found.parts) == (len(parts) if len(parts) > 1 else 0)


def test_mxf_files_are_parted_where_a_header_begins(tmp_path: Path) -> None:
    # The set of keys of partitions (SMPTE ST 377-1): header, body and footer.
    header, body, footer = (bytes.fromhex(f"060e2b34020501010d010201010{kind}0400") for kind in (2, 3, 4))
    one = header + bytes(5_000) + body + bytes(9_000) + footer + bytes(100)
    (tmp_path / "two.mxf").write_bytes(one + one)

    assert [part.start for part in find_parts(tmp_path / "two.mxf").parts] == [0, len(one)]
