"""Which search reads a window first."""

from __future__ import annotations

import pytest

from audiogrid.decoding.options import DecodeOptions
from audiogrid.decoding.whisper.search_choice import first_beams

BASE, SMALL, ENGLISH_ONLY = 512, 768, 0


@pytest.mark.parametrize("language", ["es", "fr", "it", "ru"])
def test_base_reads_at_once_what_it_would_read_twice(language: str) -> None:
    assert first_beams(BASE, language, DecodeOptions()) == 3


@pytest.mark.parametrize(
    ("width", "language"), [(BASE, "en"), (BASE, "de"), (SMALL, "fr"), (ENGLISH_ONLY, "en"), (384, "fr")]
)
def test_what_was_not_measured_is_read_greedily_first(width: int, language: str) -> None:
    assert first_beams(width, language, DecodeOptions()) == 0


@pytest.mark.parametrize(
    "options",
    [{"second_beam_size": 1}, {"beam_size": 5}, {"second_look_word_logprob": -10}, {"task": "translate"}],
)
def test_no_window_is_read_at_once_that_would_not_be_read_twice(options: dict[str, object]) -> None:
    assert first_beams(BASE, "fr", DecodeOptions.from_mapping(options)) == 0


def test_the_configuration_has_the_last_word() -> None:
    assert first_beams(BASE, "fr", DecodeOptions(first_beam_size=0)) == 0
    assert first_beams(SMALL, "de", DecodeOptions(first_beam_size=4)) == 4
