"""Facts about media files and their sound, whole or broken, in every format that PyAV can write here."""

from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np
import pytest

import bad_media
from audiogrid.media.demux import MediaError
from audiogrid.media.downmix import Downmix, channel_weights
from audiogrid.media.pcm_stream import stream_pcm
from audiogrid.probing.media_facts import probe_media
from bad_media import RATE, bursts, encode, tone, write_wav

# name -> encoder, encoder options, further arguments of ``encode``
FORMATS = {
    "mono.wav": ("pcm_s16le", {}),
    "u8.wav": ("pcm_u8", {}),
    "s24.wav": ("pcm_s24le", {}),
    "s32.wav": ("pcm_s32le", {}),
    "f32.wav": ("pcm_f32le", {}),
    "f64.wav": ("pcm_f64le", {}),
    "alaw.wav": ("pcm_alaw", {"rate": 8_000}),
    "cbr.mp3": ("libmp3lame", {"bit_rate": 64_000}),
    "vbr.mp3": ("libmp3lame", {"options": {"q": "6"}}),
    "bare.mp3": ("libmp3lame", {"options": {"q": "6"}, "container_options": {"write_xing": "0", "id3v2_version": "0"}}),
    "a.m4a": ("aac", {}),
    "lossless.m4a": ("alac", {}),
    "a.aac": ("aac", {}),
    "a.flac": ("flac", {}),
    "vorbis.ogg": ("vorbis", {"options": {"strict": "-2"}}),
    "a.opus": ("libopus", {"rate": 48_000}),
    "a.webm": ("libopus", {"rate": 48_000}),
    "live.webm": ("libopus", {"rate": 48_000, "container_options": {"live": "1"}}),
    "a.mp4": ("aac", {"picture": True}),
    "a.mov": ("pcm_s16le", {"picture": True}),
    "a.mkv": ("ac3", {"rate": 48_000, "picture": True}),
    "a.avi": ("libmp3lame", {"picture": True}),
    "a.ts": ("aac", {"picture": True}),
    "a.wma": ("wmav2", {"bit_rate": 128_000}),
    "a.amr": ("libopencore_amrnb", {"rate": 8_000, "bit_rate": 12_200}),
}


def _encode(path: Path, pcm: np.ndarray, codec: str, **settings: object) -> Path:
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV has no encoder {codec}")
    channels = 1 if codec.endswith("amrnb") or pcm.ndim == 1 else pcm.shape[1]
    return encode(path, pcm if channels > 1 else pcm.reshape(len(pcm), -1)[:, 0], codec, **settings)


def _listen(path: Path, channels: str = "mix", block_seconds: float = 30) -> tuple[np.ndarray, str | None]:
    stream = stream_pcm(path, channels=channels, block_seconds=block_seconds)
    pcm = np.concatenate(list(stream), axis=1)
    assert pcm.dtype == np.int16
    assert pcm.shape[1] == stream.samples
    return pcm, stream.note


def _onsets(signal: np.ndarray) -> np.ndarray:
    """Seconds at which loud stretches begin."""
    loud = np.abs(signal.astype(float)) > 0.3 * np.abs(signal.astype(float)).max()
    places = np.flatnonzero(loud)
    return places[np.flatnonzero(np.diff(places, prepend=-RATE) > RATE // 4)] / RATE


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_its_length_and_its_sound_in_place(tmp_path: Path, name: str) -> None:
    codec, settings = FORMATS[name]
    path = _encode(tmp_path / name, np.stack([bursts(6), bursts(6)], axis=1), codec, **settings)

    facts = probe_media(path)
    pcm, note = _listen(path)

    assert facts.note is None and note is None
    assert facts.channels == (1 if name.endswith("amr") else 2)
    assert facts.size == path.stat().st_size and facts.mtime_ns == path.stat().st_mtime_ns
    assert facts.duration == pytest.approx(6 * RATE, abs=0.1 * RATE)
    assert pcm.shape == (1, pytest.approx(facts.duration, abs=0.1 * RATE))
    # FFmpeg counts the first block of WMA, which it cannot decode, twice.
    assert _onsets(pcm[0]) == pytest.approx(np.arange(6), abs=0.1 if name.endswith("wma") else 0.06)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_resampling_keeps_length_to_the_sample(tmp_path: Path, rate: int) -> None:
    path = encode(tmp_path / "a.wav", tone(3.21), "pcm_s16le", rate=rate)
    with av.open(str(path)) as container:
        decoded = sum(frame.samples for frame in container.decode(audio=0))

    pcm, _ = _listen(path)

    assert abs(pcm.shape[1] - decoded * RATE / rate) <= 1
    assert probe_media(path).sample_rate == rate


def test_16_khz_samples_come_through_untouched(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(-32768, 32768, 5 * RATE).astype(np.int16)

    pcm, _ = _listen(write_wav(tmp_path / "a.wav", noise))

    assert np.array_equal(pcm[0], noise)


def test_blocks_have_the_size_asked_for(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp3", tone(14), "libmp3lame")

    sizes = [block.shape for block in stream_pcm(path, block_seconds=4)]

    assert sizes[:3] == [(1, 4 * RATE)] * 3
    assert sum(size for _, size in sizes) == pytest.approx(14 * RATE, abs=1)


@pytest.mark.parametrize("channels", [2, 6, 8])
def test_split_gives_each_channel_its_own_track(tmp_path: Path, channels: int) -> None:
    pitches = [300 + 200 * index for index in range(channels)]
    path = encode(tmp_path / "a.wav", np.stack([tone(2, hertz=h) for h in pitches], axis=1), "pcm_s24le")

    pcm, _ = _listen(path, "split")

    assert probe_media(path).channels == channels
    assert pcm.shape == (channels, 2 * RATE)
    found = np.abs(np.fft.rfft(pcm.astype(float), axis=1)).argmax(axis=1) / 2
    assert list(found) == pitches


@pytest.mark.parametrize("channels", [2, 6, 8])
def test_mix_holds_every_channel_and_never_clips(tmp_path: Path, channels: int) -> None:
    pitches = [300 + 200 * index for index in range(channels)]
    path = encode(tmp_path / "a.flac", np.stack([tone(2, hertz=h, level=1) for h in pitches], axis=1), "flac")

    pcm, _ = _listen(path)
    spectrum = np.abs(np.fft.rfft(pcm[0].astype(float)))
    full = np.stack([tone(2, level=1)] * channels, axis=1)
    loudest, _ = _listen(encode(tmp_path / "full.flac", full, "flac"))

    assert all(spectrum[2 * hertz] > 0.02 * len(pcm[0]) * 32767 / 2 for hertz in pitches)
    assert np.abs(np.diff(loudest[0].astype(int))).max() < 7_000
    assert np.abs(loudest[0].astype(int)).max() == pytest.approx(32767, rel=0.02)


def test_channels_of_opposite_polarity_do_not_cancel(tmp_path: Path) -> None:
    voice = bursts(12)
    path = write_wav(tmp_path / "a.wav", np.stack([voice, -voice], axis=1))

    pcm, _ = _listen(path)

    assert np.abs(pcm[0].astype(int)).max() > 20_000
    assert _onsets(pcm[0]) == pytest.approx(np.arange(12), abs=0.01)


def test_polarity_is_chosen_again_only_where_a_block_contradicts_it() -> None:
    signal = np.random.default_rng(1).uniform(-0.5, 0.5, 4_000).astype(np.float32)
    mix = Downmix(channel_weights(None, 2))

    together = mix(np.stack([signal, signal]))
    against = mix(np.stack([signal, -signal]))
    silent = mix(np.zeros((2, 4_000), np.float32))
    still_against = mix(np.stack([signal, -0.5 * signal]))
    together_again = mix(np.stack([signal, signal]))

    assert np.allclose(together, signal)
    assert np.allclose(against[512:], signal[512:])
    assert not silent.any()
    assert np.allclose(still_against, 0.75 * signal)
    assert np.allclose(together_again[512:], signal[512:])


def test_weights_prefer_the_centre_and_sum_to_one() -> None:
    weights = channel_weights(["FL", "FR", "FC", "LFE", "BL", "BR"], 6)

    assert weights.sum() == pytest.approx(1)
    assert weights[2] == max(weights) and weights[3] > 0
    assert list(channel_weights(None, 4)) == [0.25] * 4


def test_a_channel_that_falls_silent_or_holds_nan_spoils_nothing(tmp_path: Path) -> None:
    import soundfile

    voice = bursts(3).astype(np.float32) / 32768
    broken = np.stack([voice, voice], axis=1)
    broken[100:200] = np.nan
    broken[300:400] = np.inf
    soundfile.write(tmp_path / "a.wav", broken, RATE, subtype="FLOAT")

    pcm, _ = _listen(tmp_path / "a.wav")

    assert _onsets(pcm[0])[1:] == pytest.approx([1, 2], abs=0.01)


@pytest.mark.parametrize("make", bad_media.REJECTED, ids=lambda make: make.__name__)
def test_unusable_files_are_refused_with_one_sentence(tmp_path: Path, make) -> None:
    path = make(tmp_path)

    with pytest.raises(MediaError, match=bad_media.REJECTED[make]) as caught:
        probe_media(path)

    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence and len(sentence) < 160


def test_missing_folder_and_dangling_link_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="does not exist"):
        probe_media(tmp_path / "gone.wav")
    with pytest.raises(MediaError, match="does not exist"):
        probe_media(bad_media.make_dangling_link(tmp_path))
    with pytest.raises(MediaError, match="folder"):
        probe_media(tmp_path)


def test_no_read_permission_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bad_media.make_unreadable(tmp_path)
    if os.access(path, os.R_OK):  # root reads everything: stand in for another user
        monkeypatch.setattr(os, "access", lambda *_: False)

    with pytest.raises(MediaError, match="No permission to read"):
        probe_media(path)


@pytest.mark.parametrize("make", [bad_media.make_silence, bad_media.make_music], ids=lambda make: make.__name__)
def test_recordings_without_speech_are_fine(tmp_path: Path, make) -> None:
    facts = probe_media(make(tmp_path))

    assert (facts.duration, facts.note) == (10 * RATE, None)


def test_a_fifth_of_a_second_is_fine(tmp_path: Path) -> None:
    path = bad_media.make_short(tmp_path)

    assert probe_media(path).duration == 0.2 * RATE
    assert _listen(path)[0].shape == (1, 0.2 * RATE)


@pytest.mark.parametrize(
    "make",
    [bad_media.make_truncated_mp3, bad_media.make_truncated_wav, bad_media.make_truncated_faststart],
    ids=lambda make: make.__name__,
)
def test_truncated_files_are_read_as_far_as_they_go(tmp_path: Path, make) -> None:
    path = make(tmp_path)

    facts = probe_media(path)
    pcm, _ = _listen(path)

    assert "readable until 0:00:05" in (facts.note or "")
    assert facts.duration == pytest.approx(5.7 * RATE, abs=0.4 * RATE)
    assert pcm.shape[1] == pytest.approx(facts.duration, abs=0.05 * RATE)
    assert _onsets(pcm[0]) == pytest.approx(np.arange(6), abs=0.06)


@pytest.mark.parametrize(
    "make",
    [bad_media.make_lying_wav, bad_media.make_lying_mp3, bad_media.make_lying_flac, bad_media.make_lying_webm],
    ids=lambda make: make.__name__,
)
def test_ten_hours_in_the_header_of_ten_seconds(tmp_path: Path, make) -> None:
    path = make(tmp_path)

    facts = probe_media(path)
    pcm, _ = _listen(path)

    assert facts.duration == pytest.approx(10 * RATE, abs=0.05 * RATE)
    assert facts.duration_source == "packets"
    assert "readable until 0:00:10" in (facts.note or "")
    assert pcm.shape[1] == pytest.approx(10 * RATE, abs=0.05 * RATE)


def test_a_wav_from_a_pipe_is_nothing_odd(tmp_path: Path) -> None:
    facts = probe_media(bad_media.make_streamed_wav(tmp_path))

    assert (facts.duration, facts.note) == (10 * RATE, None)


@pytest.mark.parametrize(
    "make",
    [bad_media.make_damaged_mp3, bad_media.make_damaged_m4a, bad_media.make_damaged_flac],
    ids=lambda make: make.__name__,
)
def test_damage_in_the_middle_is_silence_and_what_follows_stays_in_place(tmp_path: Path, make) -> None:
    path = make(tmp_path)

    facts = probe_media(path)
    pcm, note = _listen(path)

    assert "s of audio are missing in one place" in (note or "")
    assert facts.duration == pytest.approx(20 * RATE, abs=0.1 * RATE)
    assert pcm.shape[1] == pytest.approx(20 * RATE, abs=0.1 * RATE)
    onsets = _onsets(pcm[0])
    assert onsets[:7] == pytest.approx(np.arange(7), abs=0.06)
    assert onsets[-6:] == pytest.approx(np.arange(14, 20), abs=0.1)


def test_damage_in_a_format_without_any_clock_is_skipped_and_noted(tmp_path: Path) -> None:
    path = bad_media.make_damaged_aac(tmp_path)

    pcm, note = _listen(path)

    assert note is not None
    assert pcm.shape[1] > 15 * RATE
    assert probe_media(path).duration == pytest.approx(pcm.shape[1], abs=0.1 * RATE)


def test_late_sound_of_a_film_starts_late(tmp_path: Path) -> None:
    path = bad_media.make_late_audio(tmp_path)

    pcm, note = _listen(path)

    assert note is None
    assert probe_media(path).duration == pytest.approx(13 * RATE, abs=0.05 * RATE)
    assert _onsets(pcm[0]) == pytest.approx(np.arange(3, 13), abs=0.02)


def test_a_pause_in_the_sound_of_a_film_is_silence(tmp_path: Path) -> None:
    path = bad_media.make_paused_audio(tmp_path)

    pcm, note = _listen(path, "split")

    assert "3.0 s of audio are missing in one place (the first at 0:00:03)" in (note or "")
    assert probe_media(path).duration == pytest.approx(12 * RATE, abs=0.05 * RATE)
    assert _onsets(pcm[0]) == pytest.approx([0, 1, 2, 3, 7, 8, 9, 10, 11], abs=0.07)


def test_sound_that_ends_before_the_film_is_no_damage(tmp_path: Path) -> None:
    facts = probe_media(bad_media.make_late_then_short(tmp_path))

    assert facts.duration == pytest.approx(20 * RATE, abs=0.05 * RATE)
    assert facts.note is None


@pytest.mark.parametrize(
    ("name", "codec", "settings"),
    [
        ("a.wav", "pcm_s16le", {}),
        ("a.m4a", "aac", {}),
        ("a.mp4", "aac", {"picture": True}),
        ("a.mkv", "libopus", {"rate": 48_000, "picture": True}),
        ("a.ogg", "libopus", {"rate": 48_000}),
        ("a.flac", "flac", {}),
        ("a.wma", "wmav2", {"bit_rate": 64_000}),
    ],
)
def test_the_end_of_long_files_is_found_by_a_seek(tmp_path: Path, name: str, codec: str, settings: dict) -> None:
    path = _encode(tmp_path / name, tone(90), codec, **settings)

    facts = probe_media(path)

    assert facts.duration_source == "container"
    assert facts.duration == pytest.approx(90 * RATE, abs=0.05 * RATE)
    assert (facts.channels, facts.note) == (1, None)


@pytest.mark.parametrize("name", bad_media.HOSTILE_NAMES)
def test_hostile_names_are_only_names(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_wav(Path(name), tone(0.5))

    assert probe_media(name).duration == 0.5 * RATE
    assert _listen(Path(name))[0].shape == (1, 0.5 * RATE)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("noise", [0.4, 3, 300])
@pytest.mark.parametrize("size", [2.0**15, 2.0**23, 2.0**31])
def test_whole_numbers_stored_as_floats_are_heard_at_their_level(tmp_path: Path, size: float, noise: float) -> None:
    """What a program writes that forgets to divide by 32768; clipped, it would be noise."""
    import soundfile

    rng = np.random.default_rng(1)
    voice = bursts(7) / 32768
    # Six seconds of the noise of a room come first, whose samples may be 1 and -1 only.
    sound = np.concatenate([np.rint(rng.normal(0, noise, 6 * RATE)) / 32768, voice])
    soundfile.write(tmp_path / "a.wav", (sound * size).astype(np.float64), RATE, subtype="DOUBLE")

    stream = stream_pcm(tmp_path / "a.wav")
    pcm = np.concatenate(list(stream), axis=1)[0]

    assert np.abs(pcm.astype(int) - np.clip(np.rint(sound * 32768), -32768, 32767)).max() <= 2
    assert stream.note is None


@pytest.mark.parametrize("click", [1.0, 2.0])
@pytest.mark.parametrize("seconds", [4, 50])
def test_clicks_in_silence_do_not_make_floats_whole_numbers(tmp_path: Path, click: float, seconds: int) -> None:
    import soundfile

    silence = np.zeros(seconds * RATE, np.float32)
    silence[RATE : 2 * RATE : 100] = click
    voice = np.concatenate([silence, bursts(12).astype(np.float32) / 32768])
    soundfile.write(tmp_path / "a.wav", voice, RATE, subtype="FLOAT")

    pcm, _ = _listen(tmp_path / "a.wav")

    assert np.array_equal(pcm[0, len(silence) :], np.clip(np.rint(voice * 32768), -32768, 32767)[len(silence) :])


@pytest.mark.parametrize("spike", [1.5, 4.0, 1e30])
def test_floats_beyond_full_scale_are_cut_off_and_nothing_else_changes(tmp_path: Path, spike: float) -> None:
    import soundfile

    voice = bursts(3).astype(np.float32) / 32768
    voice[1000:1200] = spike
    soundfile.write(tmp_path / "a.wav", voice, RATE, subtype="FLOAT")

    pcm, _ = _listen(tmp_path / "a.wav")

    assert np.array_equal(pcm[0], np.clip(np.rint(voice * 32768), -32768, 32767))


def test_floats_that_are_only_much_too_loud_stay_audible(tmp_path: Path) -> None:
    import soundfile

    loud = np.random.default_rng(1).normal(0, 5, 3 * RATE).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", loud, RATE, subtype="FLOAT")

    assert np.abs(_listen(tmp_path / "a.wav")[0].astype(int)).mean() > 20_000


@pytest.mark.parametrize(("broken", "seconds"), [(np.nan, "1.0"), (-np.inf, "1.0")])
def test_samples_that_are_no_numbers_are_told(tmp_path: Path, broken: float, seconds: str) -> None:
    import soundfile

    voice = np.stack([bursts(4), bursts(4)], axis=1).astype(np.float32) / 32768
    voice[2 * RATE : 3 * RATE, 1] = broken
    soundfile.write(tmp_path / "a.wav", voice, RATE, subtype="FLOAT")

    stream = stream_pcm(tmp_path / "a.wav", channels="split")
    pcm = np.concatenate(list(stream), axis=1)

    assert stream.note is not None and stream.note.startswith(f"{seconds} s of its samples are no numbers")
    assert _onsets(pcm[0]) == pytest.approx([0, 1, 2, 3], abs=0.01)
    assert not pcm[1, 2 * RATE : 3 * RATE].any()


def test_a_rate_that_holds_no_speech_is_a_wrong_header(tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "a.wav", tone(1), 7)
    with pytest.raises(MediaError, match="says 7 samples per second, too few for speech"):
        probe_media(tmp_path / "a.wav")
    soundfile.write(tmp_path / "b.wav", tone(1), 4000)
    assert probe_media(tmp_path / "b.wav").duration == 4 * RATE
