"""Decoding options."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from audiogrid.core.atomic_files import canonical_json
from audiogrid.core.errors import InputError
from audiogrid.decoding.options import DecodeOptions


def test_options_are_plain_values_that_come_back() -> None:
    options = DecodeOptions(language="es", hotwords="Kaminski")
    assert DecodeOptions.from_mapping(asdict(options)) == options
    assert "Kaminski" in canonical_json(asdict(options))


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(InputError, match="beam_width"):
        DecodeOptions.from_mapping({"beam_width": 5})


@pytest.mark.parametrize(
    "wrong",
    [
        {"task": "summarize"},
        {"max_window_seconds": 31.0},
        {"max_window_seconds": 0.5},
        {"beam_size": 0},
        {"max_tokens": 449},
        {"code_switching": "sometimes"},
    ],
)
def test_impossible_values_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong)).split("_")[0]):
        DecodeOptions.from_mapping(wrong)


def test_voice_options_follow() -> None:
    voice = DecodeOptions(vad_threshold=0.3, vad_pad_ms=250).voice()
    assert (voice.threshold, voice.pad_ms) == (0.3, 250)
