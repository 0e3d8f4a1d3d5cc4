"""Finds channels, and seconds of them, that hold the same sound as an earlier channel."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.media.vad import FRAME
from audiogrid.splitting.channel_levels import decaying, noise_floor, total_level
from audiogrid.splitting.channel_statistics import BLOCK, WINDOW, ChannelStatistics

#: What one channel has of another one comes at most this much later (samples).
LATEST = SAMPLE_RATE // 5

# Two channels are the same in a second where the best multiple of one leaves less than this share of the other's
# energy. Seconds this far below the loudest one do not count.
_SAME_RESIDUAL = 0.01
_QUIET_DB = 40.0
# The multiple may vary by this much.
_SAME_DB = 3.0
# Fewer same seconds in a row than this may be chance.
_SAME_SECONDS = 2

# Two channels are the same, one later than the other, where their cross-correlation is this high, at one delay give or
# take some samples, in this share of the windows that are not this far below the loudest ones. So many windows in a row
# that are not alike are a channel's own speech.
_SAME_CORRELATION = 0.8
_SAME_DELAY = 8
_LATER_SHARE = 0.85
_OWN_WINDOWS = 3
_FEWEST_WINDOWS = 4
# Two recorders' clocks differ by 20 to 100 millionths, hardly ever by more than this.
_MOST_DRIFT = 500e-6
_SILENT_DB = 20.0

# A short answer fills too few windows, so frames (32 ms) are compared as well. So many frames in a row that are louder
# than the other channel explains, by this much and this far above the channel's noise, are a channel's own speech. The
# delay may be this many frames off: a codec smears what begins.
_OWN_FRAMES = 5
_OWN_DB = 8.0
_ABOVE_NOISE_DB = 10.0
_LOOSE_FRAMES = 2
# Correlations, as shares of the highest that the delay allows, from which a window holds nothing but an echo.
_ONLY_ECHO = 0.95
_EDGE_OF_ECHO = 0.9
# Own speech keeps this many frames on both sides: soft sounds begin and end it.
_KEPT = 8


def find_copies(statistics: ChannelStatistics) -> dict[int, int]:
    """Returns channels that are a multiple of an earlier one, perhaps a little later than it."""
    copies: dict[int, int] = {}
    products = statistics.products()
    for channel in range(1, statistics.channels):
        for source in range(channel):
            if source in copies:
                continue
            heard, same = _same_seconds(products, source, channel)
            whole = bool(heard.any()) and bool((same == heard).all())
            if whole or _is_later_copy(statistics, source, channel):
                copies[channel] = source
                break
    return copies


def partly_same(statistics: ChannelStatistics, channels: list[int]) -> dict[int, tuple[int, np.ndarray]]:
    """Returns channels that are a multiple of another one for some seconds: its number, and those frames (bool)."""
    products = statistics.products()
    found: dict[int, tuple[int, np.ndarray]] = {}
    shared = {}
    for source, channel in combinations(channels, 2):
        same = without_short(_same_seconds(products, source, channel, factor=1.0)[1], _SAME_SECONDS)
        if same.any():
            shared[source, channel] = same
    partners = {channel: sum(channel in pair for pair in shared) for channel in channels}
    for pair, same in shared.items():
        # A channel that is the sum of others counts as the later one: the others say who speaks.
        source, channel = sorted(pair, key=lambda one: (partners[one] if partners[one] > 1 else 0, one))
        frames = np.arange(len(statistics.levels(channel))) * FRAME // BLOCK
        known = found[channel][1] if channel in found else False
        found[channel] = source, same[np.minimum(frames, len(same) - 1)] | known
    for source, channel in combinations(channels, 2):
        later = _later_frames(statistics, source, channel)
        if later is not None:
            echo, origin, held = later
            known = found[echo][1] if echo in found else False
            found[echo] = origin, held | known
    return found


def _later_frames(statistics: ChannelStatistics, one: int, other: int) -> tuple[int, int, np.ndarray] | None:
    """Returns which of two channels holds an echo of the other, about as loud, that channel, and the frames (bool).

    Only windows count in which both hold the same sound at the delay that all such windows have, and of these only
    frames that are no louder than the echo: somebody who talks at the same time stays.
    """
    likeness = statistics.likeness(one, other)
    if not len(likeness):
        return None
    correlation, delays, level, other_level = likeness.T
    heard = np.maximum(level, other_level)
    loud = heard > max(float(heard.max()) - _QUIET_DB, _SILENT_DB)
    close = loud & (np.abs(correlation) >= _SAME_CORRELATION)
    if close.sum() < _FEWEST_WINDOWS:
        return None
    line, factor = _delay_by_window(delays, close), float(np.median((other_level - level)[close]))
    alike = close & (np.abs(delays - line) <= _SAME_DELAY) & (np.abs(other_level - level - factor) <= _SAME_DB)
    if not _SAME_DELAY < np.abs(line[close]).max() <= LATEST or alike.sum() < _LATER_SHARE * close.sum():
        return None
    is_other = float(np.median(line[close])) > 0
    echo, origin, line = (other, one, line) if is_other else (one, other, -line)
    louder = factor if is_other else -factor
    if louder > 2 * _SAME_DB:
        return None
    mine = statistics.levels(echo)

    def frames(windows: np.ndarray) -> np.ndarray:
        held = np.repeat(windows, WINDOW // FRAME)[: len(mine)]
        return np.pad(held, (0, len(mine) - len(held)))

    own = _own_frames(mine, statistics.levels(origin), line, louder) | frames(loud & ~alike)
    own = np.convolve(own, np.ones(2 * _KEPT + 1), mode="same") > 0
    return echo, origin, frames(_nothing_else(alike, np.abs(correlation), line)) & ~own


def _nothing_else(alike: np.ndarray, correlation: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Returns the windows of an echo in which there is nothing but the echo, bool, shape ``(windows,)``.

    What falls out of a window by the delay lowers the correlation, and so does another voice: one that is 10 dB
    quieter than the echo, to 0.95. Where a sentence begins or ends it is lower, so neighbours may have less.
    """
    taper = np.hanning(WINDOW)
    delays, place = np.unique(np.abs(np.rint(line)).astype(int), return_inverse=True)
    overlaps = [float((taper[delay:] * taper[: max(0, WINDOW - delay)]).sum()) for delay in delays]
    highest = np.array(overlaps)[place] / float(np.square(taper).sum())
    surely = alike & (correlation >= _ONLY_ECHO * highest)
    beside = np.convolve(surely, np.ones(3), mode="same") > 0
    return surely | (alike & beside & (correlation >= _EDGE_OF_ECHO * highest))


def _same_seconds(
    products: np.ndarray, source: int, channel: int, factor: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the seconds in which two channels are heard, and those in which one is a multiple of the other.

    ``factor``: the multiple, give or take 3 dB; ``None``: the usual one. Two parties that leak into each other's
    channels are multiples of each other, too, but now by one factor, now by another.
    """
    energy, other, both = (products[:, source, source], products[:, channel, channel], products[:, source, channel])
    loud = np.maximum(energy, other)
    heard = loud > max(float(loud.max(initial=0)) / 10 ** (_QUIET_DB / 10), 1.0)
    residual = 1 - both**2 / np.maximum(energy * other, 1e-9)
    same = heard & (energy > 0) & (other > 0) & (residual < _SAME_RESIDUAL)
    if not same.any():
        return heard, same
    factors = both / np.maximum(energy, 1e-9)
    wanted = float(np.median(factors[same])) if factor is None else factor
    apart = 20 * np.abs(np.log10(np.maximum(np.abs(factors), 1e-9) / abs(wanted)))
    return heard, same & (apart <= _SAME_DB) & ((factors > 0) == (wanted > 0) if factor is None else True)


def _is_later_copy(statistics: ChannelStatistics, source: int, channel: int) -> bool:
    """Whether ``channel`` is ``source`` but for one delay, and holds nothing that ``source`` does not explain."""
    found = _delay_and_factor(statistics.likeness(source, channel))
    if found is None:
        return False
    return not _own_frames(statistics.levels(channel), statistics.levels(source), *found).any()


def _delay_by_window(delays: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Returns the delay that all ``usable`` windows have, in samples, for each window: shape ``(windows,)``.

    It is the same one, or grows evenly where two recorders' clocks run apart.
    """
    places = np.flatnonzero(usable)
    early, late = places[: len(places) // 3], places[-(len(places) // 3) :]
    slope = 0.0
    if len(early) >= _FEWEST_WINDOWS:
        grown = float(np.median(delays[late]) - np.median(delays[early]))
        slope = grown / float(np.median(late) - np.median(early))
    if abs(slope) * len(delays) <= _SAME_DELAY or abs(slope) > _MOST_DRIFT * WINDOW:
        slope = 0.0
    line = slope * np.arange(len(delays))
    return np.asarray(line + float(np.median((delays - line)[places])))


def _delay_and_factor(likeness: np.ndarray) -> tuple[np.ndarray, float] | None:
    """Returns the delay of each window (samples) and the factor (dB) by which two channels differ all the time.

    ``None`` if they differ otherwise, too.

    ``likeness``: as ``ChannelStatistics`` has it. Where a sentence begins or ends in a window the correlation is lower,
    so not all windows have to be alike.
    """
    if not len(likeness):
        return None
    correlation, delays, level, other = likeness.T
    loud = np.maximum(level, other)
    heard = loud > max(float(loud.max()) - _QUIET_DB, _SILENT_DB)
    if heard.sum() < _FEWEST_WINDOWS:
        return None
    close = heard & (np.abs(correlation) >= _SAME_CORRELATION)
    line = _delay_by_window(delays, close if close.sum() >= _FEWEST_WINDOWS else heard)
    factor = float(np.median((other - level)[heard]))
    alike = (np.abs(correlation) >= _SAME_CORRELATION) & (np.abs(delays - line) <= _SAME_DELAY)
    alike &= np.abs(other - level - factor) <= _SAME_DB
    own = without_short(heard & ~alike, _OWN_WINDOWS)
    # Without a delay the seconds themselves tell, and more exactly.
    later = bool(_SAME_DELAY < np.abs(line[heard]).max() <= LATEST) and not own.any()
    return (line, factor) if later and alike[heard].mean() >= _LATER_SHARE else None


def _own_frames(mine: np.ndarray, source: np.ndarray, line: np.ndarray, factor: float) -> np.ndarray:
    """Returns the frames in which a channel is louder than its source explains, bool, shape ``(frames,)``.

    ``mine``, ``source``: levels in dB, shape ``(frames, bands)``; ``line``: by how many samples the channel is later
    in each window (negative: earlier); ``factor``: by how many dB it is louder.
    """
    noise = float(total_level(noise_floor(mine)[None])[0])
    mine, explained = total_level(mine), total_level(decaying(source))
    # The loudest of the frames from which the sound may come.
    windows = np.minimum(np.arange(len(mine)) * FRAME // WINDOW, len(line) - 1)
    place = np.arange(len(mine)) - np.rint(line[windows] / FRAME).astype(int)
    reach = range(-_LOOSE_FRAMES, _LOOSE_FRAMES + 1)
    explained = np.max([explained[np.clip(place + shift, 0, len(mine) - 1)] for shift in reach], axis=0)
    heard = mine > max(noise + _ABOVE_NOISE_DB, float(mine.max()) - _QUIET_DB, _SILENT_DB)
    return without_short(heard & (mine > explained + factor + _OWN_DB), _OWN_FRAMES)


def without_short(flags: np.ndarray, least: int) -> np.ndarray:
    """Returns ``flags`` without runs of fewer than ``least`` frames."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    kept = flags.copy()
    for start, end in edges.reshape(-1, 2):
        if end - start < least:
            kept[start:end] = False
    return kept
