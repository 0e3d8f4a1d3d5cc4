"""Languages as people write them: understood, or answered with the right code."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from audiogrid.core.language_codes import CODES, check_language, normalise_language
from places import SCRIPTS


@pytest.mark.parametrize("code", CODES)
def test_whispers_codes_stand_for_themselves(code: str) -> None:
    assert normalise_language(code) == normalise_language(code.upper()) == code
    assert check_language(code) is None


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("en-US", "en"),
        ("pt_BR", "pt"),
        ("zh-CN", "zh"),
        ("zh-Hant", "zh"),
        ("zh-yue", "yue"),
        ("es-419", "es"),
        ("sr-Latn-RS", "sr"),
        ("eng", "en"),
        ("ger", "de"),
        ("cmn-Hans-CN", "zh"),
        ("nb-NO", "no"),
        ("jv", "jw"),
        ("iw", "he"),
        ("fil", "tl"),
        ("English", "en"),
        ("german", "de"),
        ("Deutsch", "de"),
        (" Español ", "es"),
        ("日本語", "ja"),
        ("Chinese (Simplified)", "zh"),
        ("Mandarin", "zh"),
        ("Bengali", "bn"),
        ("Norwegian Nynorsk", "nn"),
        ("Filipino", "tl"),
        ("Cambodian", "km"),
        ("Dari", "fa"),
        ("prs", "fa"),
        ("Auto", "auto"),
    ],
)
def test_other_spellings_are_understood(given: str, code: str) -> None:
    assert normalise_language(given) == code
    assert check_language(given) is None


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        ("jp", ["ja"]),
        ("jp-JP", ["ja"]),
        ("cz", ["cs"]),
        ("dk", ["da"]),
        ("gr", ["el"]),
        ("se", ["sv"]),
        ("kr", ["ko"]),
        ("ua", ["uk"]),
        ("us", ["en"]),
        # An old code of Indonesian and the code of India.
        ("in", ["hi", "id"]),
        ("germn", ["de"]),
        ("Brazilian Portuguese", ["pt"]),
        ("klingon", []),
        ("xx", []),
        ("ckb", []),
        ("", []),
        ("en, de", []),
    ],
)
def test_what_is_not_understood_is_answered_with_the_right_code(given: str, codes: list[str]) -> None:
    assert normalise_language(given) == given
    message = check_language(given)
    assert message is not None and message.startswith(repr(given))
    assert [code for code in CODES if f"{code!r} (" in message] == sorted(codes)
    assert ("did you mean" in message) == bool(codes)


@pytest.mark.parametrize("given", ["und", "mul", "Unknown", "multilingual", "n/a", "NaN", "?", "automatic"])
def test_an_unknown_language_is_auto(given: str) -> None:
    message = check_language(given)
    assert message is not None and "did you mean 'auto'" in message


@pytest.mark.parametrize("given", ["en, de", "en/de", "['en', 'de']", "English and German", "en de", "en-US;Deutsch"])
def test_several_languages_are_answered_with_auto(given: str) -> None:
    message = check_language(given)
    assert message is not None and "several languages (en, de): use 'auto'" in message


def test_names_are_not_read_for_rows_without_a_language() -> None:
    command = "from audiogrid.core.language_codes import normalise_language; assert normalise_language(' ') == ' '; "
    command += "import sys; assert 'babel' not in sys.modules"
    subprocess.run([sys.executable, "-c", command], check=True, env={**os.environ, "PYTHONPATH": str(SCRIPTS)})
