"""The languages that Whisper knows, by the codes of its tokens."""

from __future__ import annotations

import difflib

AUTO = "auto"

_CODES = """
    af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi
    hr ht hu hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn
    no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi
    yi yo zh yue
"""
CODES: tuple[str, ...] = tuple(_CODES.split())


def check_language(code: str) -> str | None:
    """Returns ``None`` when ``code`` is ``auto`` or a language Whisper knows, else what is wrong and what to do."""
    if code == AUTO or code in CODES:
        return None
    near = difflib.get_close_matches(code.lower(), CODES, 1, cutoff=0.5)
    advice = f"did you mean {near[0]!r}? " if near else ""
    return f"{code!r} is not a language Whisper knows; {advice}use 'auto' or a code such as en, es, fr, hi, zh"
