"""Which audio tracks of a file are transcribed, and how several of them become one recording."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from audiogrid.media.audio_tracks import AudioTrack, _seconds, choose_tracks, parse_tracks
from audiogrid.media.demux import MediaError
from audiogrid.media.pcm_stream import stream_pcm
from audiogrid.media.transport_programmes import programmes
from audiogrid.probing.media_facts import probe_media
from bad_media import RATE, encode_tracks, tone
from speech import say


def track(number: int, sound: str, channels: int = 2, language: str = "", **flags: bool) -> AudioTrack:
    return AudioTrack(number, "aac", channels, language, sound=sound, **flags)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "wish"),
    [
        ("auto", ("auto",)),
        ("", ("auto",)),
        ("ALL", ("all",)),
        (2, (2,)),
        ("2", (2,)),
        ("eng", ("en",)),
        ("pt-BR", ("pt",)),
        ([1, "es"], (1, "es")),
        ("1, 3", (1, 3)),
        ("[1,3]", (1, 3)),
    ],
)
def test_wishes_are_understood_as_people_write_them(value: object, wish: tuple[object, ...]) -> None:
    assert parse_tracks(value) == wish


@pytest.mark.parametrize("value", ["none", 0, -1, "0", True, 1.5, ["auto", 1], "jp", {"a": 1}, [[1]]])
def test_other_values_are_refused_with_what_is_possible(value: object) -> None:
    with pytest.raises(ValueError, match=r"tracks is .*auto"):
        parse_tracks(value)


@pytest.mark.parametrize(
    ("tracks", "language", "chosen"),
    [
        # A silent or undecodable track never goes before one with speech, whatever its flags.
        ([track(1, "silence", is_default=True), track(2, "speech")], None, (2,)),
        ([track(1, "undecodable", is_default=True), track(2, "speech")], None, (2,)),
        ([track(1, "sound", is_default=True), track(2, "speech", channels=1)], None, (2,)),
        ([track(1, "silence"), track(2, "silence")], None, (1,)),
        ([track(1, "silence"), track(2, "sound")], None, (2,)),
        # Mono tracks in one language are microphones of one recording; one without speech (timecode) is none.
        ([track(1, "speech", 1), track(2, "speech", 1)], None, (1, 2)),
        ([track(1, "speech", 1), track(2, "sound", 1), track(3, "speech", 1)], None, (1, 3)),
        ([track(1, "speech", 1, "en"), track(2, "speech", 1, "es")], None, (1,)),
        # Among equals: the recording's language, the default flag, then what players take.
        ([track(1, "speech", 2, "en", is_default=True), track(2, "speech", 2, "es")], "es", (2,)),
        ([track(1, "speech", 2, "en"), track(2, "speech", 2, "es", is_default=True)], None, (2,)),
        ([track(1, "speech", is_extra=True), track(2, "speech")], None, (2,)),
        ([track(1, "speech"), track(2, "speech")], None, (1,)),
    ],
)
def test_auto_takes_speech_first_and_flags_only_among_equals(tracks, language, chosen) -> None:
    choice = choose_tracks(tracks, ("auto",), 1, language)

    assert choice.tracks == chosen
    left = [one for one in tracks if one.number not in chosen]
    assert ("is left out" in (choice.note or "")) == any(one.sound in ("speech", "undecodable") for one in left)
    for one in left:
        assert one.name in f"{choice.note} {choice.remark}"


def test_a_wish_that_cannot_be_met_is_an_error_that_lists_what_there_is() -> None:
    tracks = [track(1, "speech", 2, "en"), track(2, "undecodable", 2, "es")]

    assert choose_tracks(tracks, (1,), 1).tracks == (1,)
    assert choose_tracks(tracks, ("en",), 1).tracks == (1,)
    assert choose_tracks(tracks, ("all",), 1).tracks == (1,)
    assert "2 (es) cannot be decoded" in (choose_tracks(tracks, ("all",), 1).note or "")
    for wish, message in [((3,), r"no audio track 3, only 1 \(en\), 2 \(es\)"), (("fr",), "No audio track is in 'fr'"),
                          ((2,), "cannot be decoded")]:  # fmt: skip
        with pytest.raises(MediaError, match=message):
            choose_tracks(tracks, wish, 1)


@pytest.fixture(scope="module")
def spoken() -> np.ndarray:
    return say("The library opens at nine in the morning.")


@pytest.fixture(scope="module")
def other() -> np.ndarray:
    return say("Please bring your old books and a small bag.", seed=2)


@pytest.mark.parametrize("name", ["screen.mkv", "screen.mov"])
def test_the_microphone_is_heard_and_not_the_silent_desktop(tmp_path: Path, name: str, spoken: np.ndarray) -> None:
    desktop = np.zeros((len(spoken), 2), np.int16)
    path = encode_tracks(tmp_path / name, [desktop, spoken], default=0)

    facts = probe_media(path)
    pcm = np.concatenate(list(stream_pcm(path, tracks=facts.tracks)), axis=1)

    assert (facts.tracks, facts.channels, facts.note) == ([2], 1, None)
    assert "there is no speech on 1" in facts.remarks[0]
    assert np.array_equal(pcm[0], spoken)


def test_speech_that_begins_late_on_a_quiet_track_is_found(tmp_path: Path, spoken: np.ndarray) -> None:
    late = np.concatenate([np.zeros(70 * RATE, np.int16), (spoken / 100).astype(np.int16)])
    music = np.stack([tone(75, hertz=330), tone(75, hertz=494)], axis=1)

    assert probe_media(encode_tracks(tmp_path / "late.mkv", [music, late], default=0)).tracks == [2]


def test_mono_tracks_are_channels_mixed_or_split(tmp_path: Path, spoken: np.ndarray, other: np.ndarray) -> None:
    path = encode_tracks(tmp_path / "camera.mov", [spoken, np.zeros(RATE, np.int16), other])

    facts = probe_media(path)
    mixed = np.concatenate(list(stream_pcm(path, tracks=facts.tracks, block_seconds=1)), axis=1)
    split = np.concatenate(list(stream_pcm(path, channels="split", tracks=facts.tracks, signals=2)), axis=1)

    assert (facts.tracks, facts.channels) == ([1, 3], 2)
    assert facts.duration == max(len(spoken), len(other)) == split.shape[1] == mixed.shape[1]
    # The shorter one is silent at its end.
    assert np.array_equal(split[0, : len(spoken)], spoken) and not split[0, len(spoken) :].any()
    assert np.array_equal(split[1, : len(other)], other)
    assert np.abs(mixed[0] - split.mean(axis=0)).max() <= 1


def test_a_track_nobody_can_decode_does_not_stand_in_the_way(tmp_path: Path, spoken: np.ndarray) -> None:
    path = encode_tracks(tmp_path / "odd.mkv", [np.stack([spoken, spoken], axis=1), spoken], default=0)
    data = path.read_bytes()
    place = data.find(b"A_PCM/INT/LIT")
    path.write_bytes(data[:place] + b"A_ZZZ/INT/LIT" + data[place + 13 :])

    facts = probe_media(path)

    assert facts.tracks in ([], [2]) and facts.channels == 1
    assert "audio track 1 cannot be decoded" in (facts.note or "")
    with pytest.raises(MediaError, match="track 1 cannot be decoded"):
        probe_media(path, (1,))


def test_languages_of_tracks_decide_between_equal_ones(tmp_path: Path, spoken: np.ndarray, other: np.ndarray) -> None:
    path = encode_tracks(tmp_path / "film.mkv", [spoken, other], languages=["eng", "spa"], default=0)

    assert probe_media(path).tracks == []
    assert "speech on audio track 2 (es) is left out" in (probe_media(path).note or "")
    assert probe_media(path, language="es").tracks == [2]
    assert probe_media(path, ("es",)).tracks == [2]
    assert probe_media(path, ("all",)).tracks == [1, 2]
    assert probe_media(path, (2,)).note is None
    with pytest.raises(MediaError, match=r"No audio track is in 'fr', only 1 \(en\), 2 \(es\)"):
        probe_media(path, ("fr",))


def _packet(pid: int, section: bytes) -> bytes:
    return (bytes([0x47, 0x40 | pid >> 8, pid & 255, 0x10, 0]) + section).ljust(188, b"\xff")


def _table(kind: int, body: bytes) -> bytes:
    length = 5 + len(body) + 4
    return bytes([kind, 0xB0 | length >> 8, length & 255, 0, 1, 0xC1, 0, 0]) + body + bytes(4)


def test_mono_tracks_of_two_broadcasts_are_not_channels_of_one(tmp_path: Path) -> None:
    # Programme 1 (map in PID 0x1000) has streams 0x100 and 0x101 with a descriptor, programme 2 has 0x200.
    first = b"\xe1\x00\xf0\x00" + b"\x0f\xe1\x00\xf0\x06\x0a\x04eng\x00" + b"\x0f\xe1\x01\xf0\x00"
    second = b"\xe2\x00\xf0\x00" + b"\x0f\xe2\x00\xf0\x00"
    data = _packet(0, _table(0, b"\0\1\xf0\0" + b"\0\2\xf0\1")) + _packet(0x1000, _table(2, first))
    data += _packet(0x1001, _table(2, second)) + _packet(0x1FFF, b"") * 3
    timed = b"".join(b"\0\0\0\0" + data[at : at + 188] for at in range(0, len(data), 188))

    assert programmes(data) == programmes(timed) == {0x100: 1, 0x101: 1, 0x200: 2}
    tracks = [AudioTrack(n, "aac", 1, sound="speech", programme=p) for n, p in ((1, 1), (2, 1), (3, 2))]
    choice = choose_tracks(tracks, ("auto",), 1)
    assert choice.tracks == (1, 2) and "speech on audio track 3 is left out" in (choice.note or "")


@pytest.mark.parametrize("seconds", [(2.0, 600.0), (2.0, 0.0), (600.0, 2.0)])
def test_a_jingle_is_not_the_equal_of_a_talk(seconds: tuple[float, float]) -> None:
    tracks = [
        AudioTrack(number, "aac", 2, sound="speech", is_default=number == 1, seconds=length)
        for number, length in enumerate(seconds, start=1)
    ]

    # A track whose length is not known is taken for a long one: then the flag decides.
    assert choose_tracks(tracks, ("auto",), 1).tracks == ((2,) if seconds[1] == 600 else (1,))


def test_a_length_that_a_writer_noted_is_read_only_where_it_can_be_one() -> None:
    def stream(text: str) -> SimpleNamespace:
        return SimpleNamespace(duration=None, metadata={"DURATION": text})

    assert _seconds(stream("01:02:03.500000000")) == 3723.5
    assert _seconds(stream("9" * 5_000 + ":00:00")) == 0.0
    assert _seconds(stream("soon")) == 0.0
