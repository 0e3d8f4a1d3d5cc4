"""Finds channels that hold the same sound, and spans of a channel that hold only what leaked from another one.

In a call with a channel per party each channel may also hold the other party, 15 to 35 dB quieter and a little later
(through a handset, a room, a mixing desk). Decoded as it is, every sentence would appear twice. A leak is recognised by
two signs together: the cross-correlation of both channels has a peak that no two independent voices have (GCC-PHAT,
Knapp and Carter 1976), and the quiet channel is nowhere louder than the leak explains, in any band. Where somebody also
speaks on that channel it is louder, so simultaneous speech stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from audiogrid.core.timebase import SAMPLE_RATE, clock
from audiogrid.media.vad import FRAME
from audiogrid.splitting.channel_copies import LATEST, find_copies, partly_same, without_short
from audiogrid.splitting.channel_levels import decaying, delayed, noise_floor, total_level
from audiogrid.splitting.channel_statistics import SHIFT, WINDOW, ChannelStatistics

# Height of the peak of the cross-correlation over its noise (root mean square) that proves a leak.
_PROOF = 9.0

# Frames over which levels are averaged (0.16 s).
_SMOOTHED = 5
# What leaks is this much quieter than its source at least, and at most.
_LEAST_DB, _MOST_DB = 6.0, 50.0
# A channel that is louder by this much than the leak explains holds speech of its own.
_OWN_DB = 6.0
_OWN_BAND_DB = 11.0
# Own speech keeps this many frames (0.26 s) on both sides: soft sounds begin and end it.
_KEPT = 8
# Shorter leaks (frames) are left alone, shorter breaks in a leak belong to it.
_SHORTEST = 6
_BREAK = 8
# Leaks that last less than this in all are not worth a change (seconds).
_WORTH = 0.5
# Gain changes over this many samples (16 ms).
_RAMP = 256
# What is this close to the noise of a channel is noise.
_NOISE_DB = 3.0


@dataclass(frozen=True)
class Crosstalk:
    """What was found. ``copies``: channel -> the earlier channel that holds the same sound.

    ``gains``: channel -> factor per frame of 512 samples (1: the channel's own), for channels with leaks; ``leaks``:
    channel -> (source, how many dB quieter, seconds).
    """

    copies: Mapping[int, int]
    gains: Mapping[int, np.ndarray]
    leaks: Mapping[int, tuple[int, float, float]]

    def remarks(self) -> list[str]:
        """Returns a sentence per finding, for the transcript. Channels are counted from 1."""
        found = [
            f"channel {copy + 1} holds the same sound as channel {source + 1}: it is transcribed once, as "
            f"channel {source + 1}; speakers cannot be told apart by channel"
            for copy, source in sorted(self.copies.items())
        ]
        return found + [
            f"channel {channel + 1} also holds channel {source + 1}, {_much_quieter(quieter)}: "
            f"{clock(round(seconds * SAMPLE_RATE))} of it, without other speech, are left to channel {source + 1}"
            for channel, (source, quieter, seconds) in sorted(self.leaks.items())
        ]


def _much_quieter(decibels: float) -> str:
    return f"{decibels:.0f} dB quieter" if decibels else "word for word"


def find_crosstalk(statistics: ChannelStatistics) -> Crosstalk:
    """Returns copies and leaks among the channels of a recording whose last sample has arrived."""
    copies = find_copies(statistics)
    originals = [channel for channel in range(statistics.channels) if channel not in copies]
    delays = _delays(statistics, originals)
    partly = partly_same(statistics, originals)
    if not delays and not partly:
        return Crosstalk(copies, {}, {})
    levels = {channel: _smoothed(statistics.levels(channel)) for channel in originals}
    gains: dict[int, np.ndarray] = {}
    leaks: dict[int, tuple[int, float, float]] = {}
    for channel in originals:
        floor = noise_floor(levels[channel])
        predicted: list[tuple[int, float, np.ndarray]] = []
        for source in originals:
            if (source, channel) in delays:
                quieter, leak = _leak(delayed(levels[source], delays[source, channel]), levels[channel], floor)
                if quieter is not None:
                    predicted.append((source, quieter, leak))
        leaked = np.zeros(len(levels[channel]), bool)
        main: tuple[int, float] | None = None
        if channel in partly:
            source, leaked = partly[channel]
            main = source, 0.0
        if predicted:
            sources = np.max(
                [total_level(decaying(delayed(levels[s], delays[s, channel]))) for s, _, _ in predicted], axis=0
            )
            expected = np.max([leak for _, _, leak in predicted], axis=0)
            leaked = leaked | _leaked(levels[channel], floor, sources, expected)
            loudest = min(predicted, key=lambda item: item[1])
            main = main or (loudest[0], loudest[1])
        seconds = float(leaked.sum() * FRAME / SAMPLE_RATE)
        if main is not None and seconds >= _WORTH:
            gains[channel] = _gain(leaked)
            leaks[channel] = *main, seconds
    return Crosstalk(copies, gains, leaks)


def _smoothed(levels: np.ndarray) -> np.ndarray:
    """Returns levels averaged (as powers) over neighbouring frames; shape as given."""
    power = np.pad(10 ** (levels / 10), ((_SMOOTHED // 2, _SMOOTHED // 2), (0, 0)), mode="edge")
    mean = sum(power[shift : shift + len(levels)] for shift in range(_SMOOTHED)) / _SMOOTHED
    return np.asarray(10 * np.log10(np.maximum(mean, 1e-3)), dtype=np.float32)


def _delays(statistics: ChannelStatistics, channels: list[int]) -> dict[tuple[int, int], int]:
    """Returns (source, channel) -> delay in samples, for all pairs whose cross-correlation proves a leak."""
    found: dict[tuple[int, int], int] = {}
    for pair in (pair for pair in statistics.spectra if set(pair) <= set(channels)):
        delay = _delay(statistics.spectra[pair])
        if delay is None:
            late = _delay(statistics.late_spectra[pair])
            delay = None if late is None else late + SHIFT
        if delay is not None:
            found[pair] = delay
    return found


def _delay(spectrum: np.ndarray) -> int | None:
    """Returns the delay of the one clear peak of a summed cross spectrum; ``None`` where there is none."""
    correlation = np.abs(np.fft.irfft(spectrum, WINDOW))
    near = np.concatenate([correlation[: LATEST + 1], correlation[-LATEST:]])
    far = correlation[LATEST + 1 : -LATEST]
    noise = float(np.sqrt(np.square(far).mean()))
    if not noise or float(near.max()) < _PROOF * noise:
        return None
    peak = int(near.argmax())
    return peak if peak <= LATEST else peak - len(near)


def _leak(source: np.ndarray, channel: np.ndarray, floor: np.ndarray) -> tuple[float | None, np.ndarray]:
    """Returns how much quieter the leak is (dB; ``None``: it is no leak) and its expected level per frame and band."""
    echo = decaying(source)
    dominant = total_level(echo) >= total_level(channel) + _LEAST_DB
    dominant &= total_level(source) > total_level(noise_floor(source)[None]) + 2 * _LEAST_DB
    loss = np.zeros(channel.shape[1], np.float32)
    if dominant.sum() < _SHORTEST:
        return None, echo
    for band in range(channel.shape[1]):
        strong = dominant & (echo[:, band] >= np.quantile(echo[dominant, band], 0.5))
        loss[band] = np.median(echo[strong, band] - channel[strong, band])
    expected = np.maximum(echo - loss, floor + _NOISE_DB)
    loud = dominant & (total_level(echo) >= np.quantile(total_level(echo)[dominant], 0.5))
    quieter = float(np.median(total_level(echo)[loud] - total_level(channel)[loud]))
    return (quieter if _LEAST_DB <= quieter <= _MOST_DB else None), expected


def _leaked(mine: np.ndarray, floor: np.ndarray, sources: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Returns the frames in which a channel holds nothing but leaks, bool, shape ``(frames,)``.

    ``mine``, ``expected``: levels of the channel and of the leaks, per band; ``sources``: of the loudest source.
    """
    own = total_level(mine) > total_level(expected) + _OWN_DB
    own |= (mine > expected + _OWN_BAND_DB).sum(axis=-1) >= 2
    own &= total_level(mine) > total_level(floor[None]) + 2 * _NOISE_DB
    own = without_short(own, _SMOOTHED)
    own = np.convolve(own, np.ones(2 * _KEPT + 1), mode="same") > 0
    leaked = ~own & (sources >= total_level(mine) + _LEAST_DB)
    leaked &= total_level(mine) > total_level(floor[None]) + _NOISE_DB
    # Breaks between two leaks: a soft sound, a pause.
    leaked = ~without_short(~leaked, _BREAK) & ~own
    return without_short(leaked, _SHORTEST)


def _gain(leaked: np.ndarray) -> np.ndarray:
    """Returns the factor per frame that removes leaks.

    It is zero: decoding amplifies quiet stretches in search of quiet speakers and would find whatever is left.
    """
    return np.where(leaked, 0.0, 1.0).astype(np.float32)


def attenuated(pcm: np.ndarray, gains: np.ndarray, start: int) -> np.ndarray:
    """Returns samples (int16, 1-D) from ``start`` of a channel on, with its gains applied, without steps."""
    last = start + len(pcm)
    # With a frame on either side, so that the gain does not depend on where a block begins.
    frames = np.arange(start // FRAME - 1, -(-last // FRAME) + 1)
    values = gains[np.clip(frames, 0, len(gains) - 1)]
    borders = frames[1:] * FRAME
    points = np.stack([borders - _RAMP // 2, borders + _RAMP // 2], axis=1).reshape(-1)
    heights = np.stack([values[:-1], values[1:]], axis=1).reshape(-1)
    gain = np.interp(np.arange(start, last), points, heights)
    return np.asarray(np.rint(pcm * gain), dtype=np.int16)
