"""Chooses between this machine's devices and those that a test of failures describes."""

from __future__ import annotations

import os

from audiogrid.decoding.whisper.devices import Devices

FAULTS_VARIABLE = "AUDIOGRID_FAULTS"
"""Names a file with faults and simulated GPUs (``fault_injection``). Set by nothing but tests."""


def device_access() -> Devices:
    """Returns this machine's devices; with ``AUDIOGRID_FAULTS`` set, devices with the faults of that file."""
    file = os.environ.get(FAULTS_VARIABLE)
    if not file:
        return Devices()
    from audiogrid.decoding.whisper.fault_injection import FaultyDevices

    return FaultyDevices(file)
