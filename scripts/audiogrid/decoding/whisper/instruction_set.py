"""Which instruction set CTranslate2 computes with, where its own choice is not the best one.

It asks who made the processor: AVX-512 where Intel did, AVX2 everywhere else. On an AMD EPYC (Zen 4) AVX-512 takes 6 %
off the encoder's time and 4 % off that of a window (`benchmarks/model.py --only avx2`).
"""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "CT2_FORCE_CPU_ISA"
# What CTranslate2's kernels for AVX-512 are compiled for; asked to use them without, it refuses to load a model.
_NEEDED = frozenset({"avx512f", "avx512cd", "avx512vl", "avx512bw", "avx512dq"})
_CPUINFO = Path("/proc/cpuinfo")


def choose_instructions(cpuinfo: Path = _CPUINFO) -> None:
    """Set CTranslate2's variable for this process, before its first call; what somebody set before stays."""
    try:
        described = cpuinfo.read_text(errors="replace")
    except OSError:
        return
    if "AuthenticAMD" in described and knows_avx512(described):
        os.environ.setdefault(VARIABLE, "AVX512")


def knows_avx512(described: str) -> bool:
    """Whether a processor, as Linux describes it, has all of AVX-512 that CTranslate2 uses."""
    flags = next((line.partition(":")[2].split() for line in described.splitlines() if line.startswith("flags")), [])
    return set(flags) >= _NEEDED
