"""Finds which streams of an MPEG transport stream belong to which programme (ISO/IEC 13818-1, 2.4.4)."""

from __future__ import annotations

_SYNC = 0x47
# Packets of plain streams and of those with time codes in front (M2TS).
_PACKETS = ((188, 0), (192, 4))


def programmes(data: bytes) -> dict[int, int]:
    """Returns the programme number of every elementary stream by its PID, from the beginning of a file."""
    for length, offset in _PACKETS:
        starts = range(offset, len(data) - 187, length)
        if len(starts) > 4 and all(data[start] == _SYNC for start in starts[:5]):
            return _programmes(data, starts)
    return {}


def _programmes(data: bytes, starts: range) -> dict[int, int]:
    tables: dict[int, int] = {}
    found: dict[int, int] = {}
    for start in starts:
        packet = data[start : start + 188]
        pid = (packet[1] & 0x1F) << 8 | packet[2]
        # Only sections that begin here are read; tables of a few streams fit into one packet.
        if packet[0] != _SYNC or not packet[1] & 0x40 or (pid and pid not in tables):
            continue
        section = _section(packet)
        if section is None:
            continue
        if pid == 0 and section[0] == 0x00:
            for at in range(8, len(section) - 4, 4):
                number = int.from_bytes(section[at : at + 2], "big")
                if number:
                    tables[(section[at + 2] & 0x1F) << 8 | section[at + 3]] = number
        elif pid in tables and section[0] == 0x02:
            found |= dict.fromkeys(_streams(section), tables[pid])
    return found


def _section(packet: bytes) -> bytes | None:
    at = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
    if not packet[3] & 0x10 or at >= 187:
        return None
    at += 1 + packet[at]
    if at + 3 > len(packet):
        return None
    length = (packet[at + 1] & 0x0F) << 8 | packet[at + 2]
    return packet[at : at + 3 + length]


def _streams(section: bytes) -> list[int]:
    """PIDs of the elementary streams in a programme map."""
    if len(section) < 12:
        return []
    at = 12 + ((section[10] & 0x0F) << 8 | section[11])
    found = []
    while at + 5 <= len(section) - 4:
        found.append((section[at + 1] & 0x1F) << 8 | section[at + 2])
        at += 5 + ((section[at + 3] & 0x0F) << 8 | section[at + 4])
    return found
