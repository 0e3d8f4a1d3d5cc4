"""Sets CTranslate2's instruction set where its own choice is not the best one.

CTranslate2 takes AVX-512 on processors by Intel and AVX2 on all others. On an AMD EPYC (Zen 4) AVX-512 takes 6 %
off the encoder's time and 4 % off that of a window (`benchmarks/model.py --only avx2`).
"""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "CT2_FORCE_CPU_ISA"
# CTranslate2's AVX-512 kernels need all of these; without one of them it refuses to load a model.
_NEEDED = frozenset({"avx512f", "avx512cd", "avx512vl", "avx512bw", "avx512dq"})
_CPUINFO = Path("/proc/cpuinfo")


def choose_instructions(cpuinfo: Path = _CPUINFO) -> None:
    """Sets CTranslate2's variable for this process, before its first call, unless it is set already."""
    try:
        described = cpuinfo.read_text(errors="replace")
    except OSError:
        return
    if "AuthenticAMD" in described and knows_avx512(described):
        os.environ.setdefault(VARIABLE, "AVX512")


def knows_avx512(described: str) -> bool:
    """Returns whether a processor has all parts of AVX-512 that CTranslate2 uses; ``described``: /proc/cpuinfo."""
    flags = next((line.partition(":")[2].split() for line in described.splitlines() if line.startswith("flags")), [])
    return set(flags) >= _NEEDED
