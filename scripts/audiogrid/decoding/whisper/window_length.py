"""How many frames of a window the encoder is given: not always the 30 s that Whisper was trained on.

The encoder's time grows with its frames, so a window of 5 s need not be filled up to 30 s. But some silence has to
follow the speech, or the model repeats itself or invents. The lengths are few, so that windows of different recordings
can share batches.

Measured with Whisper base and bfloat16 on 100 recorded clips of 4 to 15 s in five languages (2,132 words; AMD EPYC,
Zen 4): filled up to 30 s 289 words were wrong with greedy search and 244 with a beam of 5; with 8 s of silence 285 and
248, with 4 s 290 and 251, with 2 s 295 and 255. The encoder took 0.53, 0.29, 0.21 and 0.19 core-seconds a clip. After
all passes 252, 256 (8 s) and 255 (4 s) were wrong. What follows the audio is the spectrum of silence; with the zeros
that fill up a whole window, 4 s left 300 with greedy search.
"""

from __future__ import annotations

from audiogrid.core.timebase import SAMPLE_RATE

FULL_FRAMES = 3000
"""Frames of 10 ms in the window that Whisper was trained on."""

FULL_SECONDS = 30.0
SAMPLES_PER_FRAME = SAMPLE_RATE // 100
STEP = 400
# The width of base, the only model with which shorter windows have been measured to cost no accuracy.
_MEASURED_WIDTH = 512
_MARGIN_SECONDS = 4.0


def margin_seconds(width: int, wanted: float, device: str = "cpu") -> float:
    """Returns the silence that follows a window's audio, for a model of ``width``; ``wanted``: the option, -1 = choose.

    30 stands for windows that are always filled up to 30 s. A GPU encodes a whole window in no time, but
    searching takes it about as long for one as for all that share a batch, and those have to be of one length.
    """
    if wanted >= 0:
        return wanted
    if device != "cpu":
        return FULL_SECONDS
    return _MARGIN_SECONDS if width == _MEASURED_WIDTH else FULL_SECONDS


def frames_of_window(samples: int, margin: float, step: int = STEP) -> int:
    """Returns the frames that the encoder is given for so many samples with ``margin`` seconds behind them.

    ``step``: what they are a multiple of; it has to be even.
    """
    needed = -(-samples // SAMPLES_PER_FRAME) + round(margin * 100)
    return min(FULL_FRAMES, -(-needed // step) * step)
