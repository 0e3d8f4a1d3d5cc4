"""AVX-512 on processors of which CTranslate2 does not expect it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from audiogrid.decoding.whisper.instruction_set import VARIABLE, choose_instructions

AVX512 = "avx512f avx512dq avx512cd avx512bw avx512vl"


def described(folder: Path, vendor: str, flags: str) -> Path:
    path = folder / "cpuinfo"
    path.write_text(f"processor\t: 0\nvendor_id\t: {vendor}\nflags\t\t: fpu avx2 {flags}\nbogomips\t: 5192.27\n")
    return path


@pytest.mark.parametrize(
    ("vendor", "flags", "chosen"),
    [
        ("AuthenticAMD", AVX512, "AVX512"),
        ("AuthenticAMD", "avx512f", None),
        ("AuthenticAMD", "", None),
        ("GenuineIntel", AVX512, None),
    ],
)
def test_amd_with_all_of_avx512_is_used_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vendor: str, flags: str, chosen: str | None
) -> None:
    # Set first, so that what the function sets is taken back after the test.
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.delenv(VARIABLE)
    choose_instructions(described(tmp_path, vendor, flags))
    assert os.environ.get(VARIABLE) == chosen


def test_what_somebody_set_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "AVX2")
    choose_instructions(described(tmp_path, "AuthenticAMD", AVX512))
    assert os.environ[VARIABLE] == "AVX2"


def test_where_no_processor_is_described_the_choice_is_left_to_ctranslate2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.delenv(VARIABLE)
    choose_instructions(tmp_path / "none")
    assert VARIABLE not in os.environ
