"""Crosstalk: what another channel said is found at every level, what is a channel's own stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.media.vad import FRAME
from audiogrid.records.chunks import BundleManifest, pcm_hash, read_pcm
from audiogrid.splitting.channel_statistics import ChannelStatistics
from audiogrid.splitting.crosstalk import Crosstalk, attenuated, find_crosstalk
from audiogrid.splitting.split_bundle import SplitJob, split_bundle

SECOND = SAMPLE_RATE
#: Who speaks from when to when, in seconds: channel 1 and 2 in turn, both at once from 20 to 22 s.
TURNS = ([(1, 4), (8, 11), (15, 17), (20, 23)], [(4.5, 7.5), (11.5, 14.5), (20, 22), (24, 27)])
LENGTH = 28


def voice(seconds: float, seed: int) -> np.ndarray:
    """Something that rises and falls as syllables do, with a spectrum of its own."""
    rng = np.random.default_rng(seed)
    count = round(seconds * SECOND)
    spectrum = np.fft.rfft(rng.normal(size=count))
    frequencies = np.fft.rfftfreq(count, 1 / SECOND)
    spectrum *= 1 / (1 + (frequencies / (700 + 300 * seed)) ** 2)
    sound = np.fft.irfft(spectrum, count)
    places = np.arange(0, count + 2400, 2400)
    syllables = np.interp(np.arange(count), places, rng.uniform(0.15, 1, len(places)))
    return np.asarray(3000 * syllables * sound / sound.std())


def call(
    quieter_db: float, delay: int = 0, room: float = 0.0, second_db: float = 0.0, noise: float = 8.0
) -> np.ndarray:
    """A call, int16, shape ``(2, samples)``; each party is also on the other channel, ``quieter_db`` quieter.

    ``room``: seconds in which its echo falls by 60 dB; ``second_db``: how much quieter the second party speaks.
    """
    rng = np.random.default_rng(5)
    clean = np.zeros((2, LENGTH * SECOND))
    for channel, turns in enumerate(TURNS):
        for number, (start, end) in enumerate(turns):
            clean[channel, round(start * SECOND) : round(end * SECOND)] = voice(end - start, 1 + channel + 2 * number)
    clean[1] *= 10 ** (-second_db / 20)
    heard = clean.copy()
    for channel in (0, 1):
        leak = np.roll(clean[1 - channel], delay)
        if room:
            times = np.arange(round(room * SECOND)) / SECOND
            echo = rng.normal(size=len(times)) * 10 ** (-3 * times / room) * 0.1
            echo[0] = 1
            echo /= np.sqrt(np.square(echo).sum())
            size = 2 ** int(np.ceil(np.log2(len(leak) + len(echo))))
            leak = np.fft.irfft(np.fft.rfft(leak, size) * np.fft.rfft(echo, size), size)[: len(leak)]
        heard[channel] += leak * 10 ** (-quieter_db / 20)
    return np.clip(np.rint(heard + rng.normal(size=heard.shape) * noise), -32768, 32767).astype(np.int16)


def analyse(pcm: np.ndarray) -> Crosstalk:
    statistics = ChannelStatistics(len(pcm))
    for start in range(0, pcm.shape[1], 7 * SECOND):
        statistics.feed(pcm[:, start : start + 7 * SECOND])
    statistics.finish()
    return find_crosstalk(statistics)


def muted(found: Crosstalk, channel: int, spans: list[tuple[float, float]]) -> float:
    """Share of the frames of some spans that are attenuated."""
    frames = np.concatenate([np.arange(round(a * SECOND / FRAME) + 1, round(b * SECOND / FRAME)) for a, b in spans])
    gains = found.gains.get(channel)
    return 0.0 if gains is None else float(np.mean(gains[frames] < 1))


ALONE = ([(1, 4), (8, 11), (15, 17)], [(4.5, 7.5), (11.5, 14.5), (24, 27)])


@pytest.mark.parametrize(
    ("quieter", "delay", "room", "second"),
    [
        (15, 0, 0, 0),
        (20, 0, 0, 0),
        (30, 0, 0, 0),
        (35, 0, 0, 0),
        (25, 160, 0.3, 0),
        (20, 2400, 0, 0),
        (20, 4800, 0, 0),
        (25, 5600, 0.3, 0),
        (8, 48, 0, 0),
        (30, 320, 0.3, 15),
    ],
)
def test_what_leaked_is_attenuated_and_own_speech_stays(quieter, delay, room, second):
    found = analyse(call(quieter, delay, room, second))
    assert not found.copies
    for channel in (0, 1):
        assert muted(found, channel, TURNS[channel]) == 0
    assert muted(found, 1, ALONE[0]) > 0.9
    # A quiet second party leaks below the noise of the first one's channel, where there is nothing to attenuate.
    assert muted(found, 0, ALONE[1]) > 0.9 or second
    assert found.leaks[1][:2] == (0, pytest.approx(quieter, abs=2.5))
    assert f"channel 2 also holds channel 1, {found.leaks[1][1]:.0f} dB quieter" in " ".join(found.remarks())


@pytest.mark.parametrize("noise", [0, 8, 200])
def test_independent_channels_are_left_alone(noise):
    found = analyse(call(300, noise=noise))
    assert (found.copies, found.gains, found.remarks()) == ({}, {}, [])


def test_speech_below_the_leak_of_its_time_is_the_only_own_speech_at_risk():
    """The second party speaks 25 dB quieter than the first one, whose leak is 15 dB quieter: its turns stay."""
    found = analyse(call(15, second_db=25))
    assert muted(found, 1, [(4.5, 7.5), (11.5, 14.5), (24, 27)]) == 0
    assert muted(found, 1, ALONE[0]) > 0.9


@pytest.mark.parametrize("factor", [1, -1, 0.25])
def test_a_multiple_of_a_channel_is_a_copy(factor):
    one = call(300)[0]
    noise = np.random.default_rng(3).normal(size=len(one)) * 3
    found = analyse(np.stack([one, np.rint(one * factor + noise).astype(np.int16)]))
    assert found.copies == {1: 0}
    assert "channel 2 holds the same sound as channel 1: it is transcribed once" in found.remarks()[0]


@pytest.mark.parametrize(("delay", "factor"), [(30, 1), (480, -0.5)])
def test_a_later_copy_is_a_copy(delay, factor):
    """A tool, or a line, that has made one channel of another: up to 30 ms later."""
    one = call(300)[0]
    noise = np.random.default_rng(3).normal(size=len(one)) * 3
    found = analyse(np.stack([one, np.rint(np.roll(one, delay) * factor + noise).astype(np.int16)]))
    assert found.copies == {1: 0}


def drifting(one: np.ndarray, parts_per_million: float, delay: float) -> np.ndarray:
    """What a recorder has whose clock runs fast by so many millionths, ``delay`` samples late at first."""
    places = np.arange(len(one)) * (1 - parts_per_million / 1e6) - delay
    return np.interp(places, np.arange(len(one)), one, left=0, right=0)


def conversation(minutes: int) -> np.ndarray:
    """Turns of about three seconds with pauses, float."""
    turns = [np.concatenate([voice(3, number % 5), np.zeros(SECOND // 2)]) for number in range(minutes * 17)]
    return np.concatenate(turns)


@pytest.mark.parametrize(("parts_per_million", "delay"), [(20, 0), (60, 300), (-100, 900), (300, 0)])
def test_copies_whose_clocks_run_apart_are_copies(parts_per_million, delay):
    one = conversation(2)
    noise = np.random.default_rng(3).normal(size=(2, len(one))) * 3
    both = np.stack([one, 0.7 * drifting(one, parts_per_million, delay)]) + noise
    assert analyse(np.rint(both).astype(np.int16)).copies == {1: 0}


def test_an_answer_on_a_channel_whose_clock_runs_apart_stays():
    one, answer = conversation(2), voice(1.5, 9)
    both = np.stack([one, 0.7 * drifting(one, 80, 300)])
    place = 60 * SECOND
    both[1, place : place + len(answer)] += answer
    noise = np.random.default_rng(3).normal(size=both.shape) * 3
    found = analyse(np.rint(both + noise).astype(np.int16))
    assert not found.copies
    assert muted(found, 1, [(60, 61.5)]) == 0
    assert muted(found, 1, [(10, 50), (70, 110)]) > 0.7


def test_two_microphones_in_a_room_are_two_channels():
    """Both hear both parties, 4 dB apart, each by its own way through the room."""
    found = analyse(call(4, 40, 0.4))
    assert (found.copies, found.gains) == ({}, {})


@pytest.mark.parametrize("delay", [0, 4])
def test_parties_that_leak_into_each_other_are_no_copies(delay):
    """Nobody speaks at the same time: each second of one channel is a multiple of the other one's."""
    clean = call(300, noise=0)
    clean[1, 20 * SECOND : 22 * SECOND] = 0
    leak = np.roll(clean[::-1], delay, axis=1) * 0.1
    found = analyse(np.rint(clean + leak).astype(np.int16))
    assert found.copies == {}
    assert muted(found, 1, ALONE[0]) > 0.9
    assert muted(found, 1, ALONE[1]) == 0


def test_copies_and_leaks_among_more_channels():
    pcm = call(25)
    found = analyse(np.stack([pcm[0], pcm[1], pcm[0], np.zeros_like(pcm[0])]))
    assert found.copies == {2: 0}
    assert set(found.leaks) == {0, 1}
    # Nobody is on the last one; it is no copy of anything.
    assert 3 not in found.gains


def test_one_sentence_of_its_own_makes_a_channel_no_copy():
    """What is the same is left to the first channel, the sentence stays."""
    pcm = np.stack([call(300)[0]] * 2)
    pcm[1, 24 * SECOND : 27 * SECOND] = voice(3, 9).astype(np.int16)
    found = analyse(pcm)
    assert found.copies == {}
    assert muted(found, 1, [(24, 27)]) == 0
    assert muted(found, 1, TURNS[0]) == 1
    assert 0 not in found.gains
    assert "channel 2 also holds channel 1, word for word" in found.remarks()[0]


def test_one_sentence_of_its_own_makes_a_channel_no_later_copy():
    one = call(300)[0]
    pcm = np.stack([one, np.roll(one, 480)])
    pcm[1, 24 * SECOND : 27 * SECOND] = voice(3, 9).astype(np.int16)
    assert analyse(pcm).copies == {}


#: When short answers begin, in the pauses of ``talker``, and their lengths in seconds.
ANSWERS = [(9.2, 0.9), (19.6, 0.3), (34.8, 0.75)]


def talker() -> np.ndarray:
    """One party for 46 s: sentences of 4 s, each followed by a pause of 1.1 s; float, without noise."""
    return np.concatenate([part for number in range(9) for part in (voice(4, 1 + number % 5), np.zeros(17_600))])


def echo_with_answers(quieter_db: float, delay: int, answer_db: float) -> np.ndarray:
    """``talker`` and its echo with three short answers, ``answer_db`` quieter; int16, shape ``(2, samples)``."""
    one = talker()
    echo = np.roll(one, delay) * 10 ** (-quieter_db / 20)
    for number, (place, seconds) in enumerate(ANSWERS):
        answer = voice(seconds, 11 + number) * 10 ** (-answer_db / 20)
        echo[round(place * SECOND) :][: len(answer)] += answer
    pcm = np.stack([one, echo])
    return np.rint(pcm + np.random.default_rng(3).normal(size=pcm.shape) * 3).astype(np.int16)


ECHOES = [(0, 320), (0, -320), (6, 320), (10, 480), (25, 320)]


@pytest.mark.parametrize("answer", [0, 10])
@pytest.mark.parametrize(("quieter", "delay"), ECHOES)
def test_short_answers_make_a_channel_no_later_copy(quieter, delay, answer):
    """A party who only says "yes" now and then beside the echo of the other one is not left out."""
    found = analyse(echo_with_answers(quieter, delay, answer))
    assert found.copies == {}
    assert muted(found, 1, [(start, start + seconds) for start, seconds in ANSWERS]) == 0


@pytest.mark.parametrize("delay", [160, 320, 480, -320])
@pytest.mark.parametrize("quieter", [0, 3])
def test_an_echo_as_loud_as_its_origin_is_left_to_the_origin_and_answers_stay(quieter, delay):
    """Also an answer that falls into the echo of a sentence, and a sentence."""
    pcm = echo_with_answers(quieter, delay, 0)
    both = (11.0, 12.5)
    pcm[1, round(both[0] * SECOND) : round(both[1] * SECOND)] += voice(1.5, 21).astype(np.int16)
    found = analyse(pcm)
    assert found.copies == {}
    spans = [(start, start + seconds) for start, seconds in ANSWERS]
    echo = 1 if delay > 0 else 0
    assert set(found.gains) == {echo}
    if delay > 0:
        assert muted(found, 1, [*spans, both]) == 0
    sentences = [(5.1 * number + 0.6, 5.1 * number + 3.4) for number in range(9) if number not in (1, 2, 3, 6)]
    assert muted(found, echo, sentences) > 0.8
    assert "word for word" in found.remarks()[0]


@pytest.mark.parametrize(("quieter", "delay"), ECHOES)
def test_the_same_echo_without_answers_is_a_copy(quieter, delay):
    assert analyse(echo_with_answers(quieter, delay, 200)).copies == {1: 0}


def test_a_later_copy_of_eight_bits_is_a_copy():
    one = talker()
    small = np.roll(one, 320) * 0.3 / 32768
    coded = np.rint(np.sign(small) * np.log1p(255 * np.abs(small)) / np.log(256) * 127) / 127
    copy = np.sign(coded) * (256 ** np.abs(coded) - 1) / 255 * 32768
    assert analyse(np.rint(np.stack([one, copy])).astype(np.int16)).copies == {1: 0}


def test_nothing_is_left_of_a_leak_that_could_be_amplified():
    found = analyse(call(20))
    assert set(np.unique(found.gains[1])) == {0, 1}
    clean = attenuated(call(20)[1], found.gains[1], 0)
    assert not clean[2 * SECOND : 3 * SECOND].any()


@pytest.mark.parametrize("samples", [0, 1, 400, 5000])
def test_hardly_any_audio(samples):
    assert analyse(np.ones((2, samples), np.int16)).gains == {}


def test_attenuation_has_no_steps_and_does_not_depend_on_blocks():
    gains = np.array([1, 1, 0.1, 0.1, 1, 1], np.float32)
    pcm = np.full(6 * FRAME, 10_000, np.int16)
    whole = attenuated(pcm, gains, 0)
    parts = [attenuated(pcm[start : start + 700], gains, start) for start in range(0, len(pcm), 700)]
    assert np.array_equal(np.concatenate(parts), whole)
    assert np.abs(np.diff(whole.astype(int))).max() < 50
    assert whole[2 * FRAME + 200 : 4 * FRAME - 200].max() == 1000


def split(tmp_path: Path, pcm: np.ndarray, chunks: int = 2) -> tuple[Path, BundleManifest]:
    path = tmp_path / "call.wav"
    soundfile.write(path, pcm.T, SECOND, subtype="PCM_16")
    facts = path.stat()
    job = SplitJob("call", str(path), facts.st_size, facts.st_mtime_ns, "split", pcm.shape[1], chunks)
    return tmp_path / "out", split_bundle([job], tmp_path / "out", "b0001")


@pytest.mark.usefixtures("quiet_detector")
def test_split_writes_channels_without_what_leaked(tmp_path):
    pcm = call(20)
    folder, manifest = split(tmp_path, pcm)
    assert len(manifest.remarks["call"]) == 2
    assert not manifest.notes
    assert BundleManifest.read(folder) == manifest
    for chunk in manifest.chunks:
        heard = read_pcm(folder, manifest, chunk)
        assert pcm_hash(heard) == chunk.pcm_sha256
        assert len(heard) == chunk.context_end - chunk.context_start
    second = [chunk for chunk in manifest.chunks if chunk.channel == 1]
    first = read_pcm(folder, manifest, second[0])
    assert not first[2 * SECOND : 3 * SECOND].any()
    assert np.array_equal(first[5 * SECOND : 7 * SECOND], pcm[1, 5 * SECOND : 7 * SECOND])


@pytest.mark.usefixtures("quiet_detector")
def test_split_leaves_ordinary_channels_as_they_are(tmp_path):
    """Their chunks have the keys that they had before crosstalk was looked for."""
    pcm = call(300)
    _, manifest = split(tmp_path, pcm, chunks=1)
    assert not manifest.remarks
    assert [chunk.pcm_sha256 for chunk in manifest.chunks] == [pcm_hash(pcm[0]), pcm_hash(pcm[1])]


@pytest.mark.usefixtures("quiet_detector")
def test_a_copy_has_only_empty_chunks(tmp_path):
    one = call(300)[0]
    _, manifest = split(tmp_path, np.stack([one, -one]))
    first, second = ([chunk for chunk in manifest.chunks if chunk.channel == channel] for channel in (0, 1))
    assert len(first) == len(second) == 2
    assert all(chunk.is_empty for chunk in second)
    assert first[-1].end == len(one)
    assert "transcribed once" in manifest.remarks["call"][0]


def test_a_constant_offset_makes_no_channel_its_own():
    one = call(300)[0]
    for offsets in ((500, -300), (0, 2000)):
        assert analyse(np.stack([one + offsets[0], one + offsets[1]]).astype(np.int16)).copies == {1: 0}


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_sum_of_other_channels_is_left_to_them(place):
    """Some recorders keep the mix beside the parties: their channels say who speaks."""
    parties = list(call(300, noise=0))
    channels = np.stack([*parties[:place], np.clip(sum(parties), -32768, 32767).astype(np.int16), *parties[place:]])
    found = analyse(channels)
    others = [channel for channel in range(3) if channel != place]
    assert muted(found, place, [*ALONE[0], *ALONE[1]]) > 0.8
    for channel, alone in zip(others, ALONE, strict=True):
        assert muted(found, channel, alone) == 0
