"""Makes samples of the floats of a file, which may be anything: NaN, infinite, or whole numbers beyond 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Raw floats are meant to lie between -1 and 1. Where a tenth of the samples of a piece that are not 0 are greater than
# this they are whole numbers stored as floats, of one of these sizes. What is only much too loud has fractions, and not
# such peaks.
_BEYOND_SCALE = 3.0
_CERTAINLY_WHOLE = 256.0
_WHOLE_NUMBERS = (2.0**15, 2.0**23, 2.0**31)
# A file that begins with whole numbers, or louder than this (root mean square), may be one of these: it is judged
# after so many seconds, or so many bytes.
_LOUD = 0.25
_JUDGED_SECONDS = 30.0
_JUDGED_BYTES = 1 << 26


class RawFloats:
    """The floats of a file at ``rate``, piece after piece, as float32 in [-1, 1].

    A file of whole numbers may begin with noise that, taken for what floats are meant to be, is as loud as can be. So
    pieces are held back until it is clear what they are.

    ``broken``: seconds of samples so far that are no numbers or infinite; silence stands for them.
    """

    def __init__(self, rate: int) -> None:
        self.broken = 0.0
        self._rate = rate
        self._scale = 1.0
        self._settled = False
        self._is_guess = False
        self._held: list[NDArray[np.floating[Any]]] = []

    def take(self, array: NDArray[np.floating[Any]]) -> list[NDArray[np.float32]]:
        """Returns the pieces that are clear now, each of the shape that it had, ``(channels, n)``.

        ``array`` is the next piece; it may be overwritten afterwards.
        """
        array = self._numbers(array)
        if self._settled or not (self._held or array.any()):
            return [self._scaled(array)]
        is_clear = bool(array.any()) and not _may_be_whole(array)
        self._held.append(array if is_clear else array.copy())
        samples = sum(piece.shape[1] for piece in self._held)
        if is_clear or samples >= _JUDGED_SECONDS * self._rate or samples * len(array) * 8 >= _JUDGED_BYTES:
            return self.rest()
        return []

    def rest(self) -> list[NDArray[np.float32]]:
        """Returns the pieces that were held back, judged by all of them together."""
        held, self._held = self._held, []
        if held:
            self._settled = True
            self._judge(np.concatenate(held, axis=1), is_beginning=True)
        return [self._scaled(piece) for piece in held]

    def _numbers(self, array: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        usable = np.isfinite(array)
        if usable.all():
            return array
        self.broken += float(np.count_nonzero(~usable.all(axis=0))) / self._rate
        return np.where(usable, array, 0)

    def _scaled(self, array: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        self._judge(array)
        bounded = np.clip(array, -4e9, 4e9).astype(np.float32)
        return np.asarray(np.clip(bounded * np.float32(self._scale), -1, 1))

    def _judge(self, array: NDArray[np.floating[Any]], *, is_beginning: bool = False) -> None:
        sizes = np.abs(array)
        largest = float(sizes.max(initial=0.0))
        if self._is_guess and largest <= _BEYOND_SCALE and np.mod(sizes, 1).any():
            # Clicks in silence were taken for whole numbers.
            self._scale, self._is_guess = 1.0, False
        if largest * self._scale > _BEYOND_SCALE:
            heard = sizes[sizes > 0] * self._scale
            nearly_all = float(np.quantile(heard, 0.999)) / self._scale
            # Halves: the mean of two channels.
            is_whole = nearly_all > _CERTAINLY_WHOLE or not np.mod(2 * sizes, 1).any()
            if is_whole and float(np.quantile(heard, 0.9)) > _BEYOND_SCALE:
                self._scale = next((1 / size for size in _WHOLE_NUMBERS if nearly_all <= size), self._scale)
        if is_beginning and self._scale == 1 and largest and not np.mod(sizes, 1).any():
            self._scale, self._is_guess = 1 / _WHOLE_NUMBERS[0], largest <= _BEYOND_SCALE


def _may_be_whole(array: NDArray[np.floating[Any]]) -> bool:
    """Whether a piece with sound may consist of whole numbers stored as floats."""
    if not np.mod(2 * array, 1).any():
        return True
    return float(np.sqrt(np.mean(np.square(array, dtype=np.float64)))) > _LOUD
