"""Reads the headers of bare audio frames: MPEG audio (MP3, MP2), AAC in ADTS, AC-3 and E-AC-3."""

from __future__ import annotations

from collections.abc import Callable

# Frames in a row that are no accident.
_PROOF = 4
_KBITS = {
    (3, 3): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (3, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (3, 1): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 3): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MPEG_HERTZ = (44_100, 48_000, 32_000)
_AC3_KBITS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
_AC3_HERTZ = (48_000, 44_100, 32_000)


def frame_at(head: bytes) -> tuple[str, int] | None:
    """Returns kind (``mpeg``, ``adts``, ``ac3``) and length in bytes of the frame that 7 bytes begin, or ``None``."""
    if len(head) < 7:
        return None
    if head[0] == 0x0B and head[1] == 0x77:
        return _ac3(head)
    if head[0] != 0xFF or head[1] < 0xE0:
        return None
    if head[1] & 0xF6 == 0xF0:
        length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
        return ("adts", length) if head[2] >> 2 & 15 < 13 and length > 7 else None
    version, layer, rate = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 2 & 3
    number = head[2] >> 4
    if version == 1 or layer == 0 or rate == 3 or number in (0, 15):
        return None
    kbits = _KBITS[(3 if version == 3 else 2), (layer if version == 3 or layer == 3 else 2)][number]
    hertz = _MPEG_HERTZ[rate] >> {3: 0, 2: 1, 0: 2}[version]
    padding = head[2] >> 1 & 1
    if layer == 3:
        return "mpeg", (12_000 * kbits // hertz + padding) * 4
    samples = 72_000 if layer == 1 and version != 3 else 144_000
    return "mpeg", samples * kbits // hertz + padding


def _ac3(head: bytes) -> tuple[str, int] | None:
    if head[5] >> 3 > 10:
        length = 2 * (((head[2] & 7) << 8 | head[3]) + 1)
        return ("ac3", length) if head[5] >> 3 <= 16 and length > 7 else None
    rate, code = head[4] >> 6, head[4] & 0x3F
    if rate == 3 or code >= 2 * len(_AC3_KBITS):
        return None
    words = _AC3_KBITS[code // 2] * 96_000 // _AC3_HERTZ[rate]
    return "ac3", 2 * (words + (code & 1 if rate == 1 else 0))


def frames_begin(head_at: Callable[[int], bytes], at: int, size: int) -> str | None:
    """Returns the kind of the frames that begin at ``at``, if several of one kind follow each other there.

    ``head_at``: gives the 7 bytes at a place; ``size``: of the file.
    """
    kind = None
    for number in range(_PROOF):
        frame = frame_at(head_at(at))
        if frame is None or kind not in (None, frame[0]):
            # The last frames of a file have no followers.
            return kind if number > 1 and at >= size else None
        kind, at = frame[0], at + frame[1]
    return kind
