"""How words sound, roughly: spellings that sound alike become equal or similar strings of letters.

Every script is written in Latin letters first (anyascii), so that Chinese characters that sound alike are alike. Then
the spelling rules of a language are applied, and letters that are often confused are made one.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from audiogrid.core.text import comparison_form

# Spellings and what they sound like, in the order in which they are replaced. Capitals are sounds that have no letter.
_ENGLISH = """
    ^kn:n ^gn:n ^wr:r ^ps:s ^x:z ^wh:w tch:C ch:C sh:S sch:S tion:Sn sion:Sn cia:Sa ph:f ght:t gh:g ck:k qu:kw
    ce:se ci:si cy:si c:k dge:J ge$:J j:J x:ks th:T ee:i ea:i ie:i oo:u ou:u ow:o oa:o ai:e ay:e ei:e
    ey:e au:o aw:o igh:i y:i mb$:m
"""
_GERMAN = """
    tsch:C sch:S ch:x ^st:St ^sp:Sp ph:f ck:k qu:kv tz:ts z:ts v:f w:v ie:i eu:oi ei:ai ey:ai ay:ai aeu:oi ah:a eh:e
    ih:i oh:o uh:u th:t dt:t c:k y:i j:y
"""
_FRENCH = """
    eaux:o eau:o aux:o au:o ou:u oi:wa ai:e ei:e ch:S ph:f qu:k gu:g gn:ny ill:y ce:se ci:si cy:si c:k ge:Je gi:Ji j:J
    th:t h: [ts]$: [ts]$: e$: y:i w:v x:ks
"""
_SPANISH = "ch:C ll:y qu:k gue:ge gui:gi ge:he gi:hi j:h ce:se ci:si c:k z:s v:b h: w:u y:i x:ks ph:f th:t"
_ITALIAN = (
    "sce:Se sci:Si gli:li gn:ny ghe:ge ghi:gi che:ke chi:ki ce:Ce ci:Ci ge:Je gi:Ji c:k qu:kw h: y:i j:i w:v x:ks ph:f"
)
_RUSSIAN = "shch:S sh:S ch:C zh:J kh:h ts:C ya:a yu:u yo:o ye:e y:i o:a"
_OTHER = "tch:C sch:S ch:C sh:S ph:f ck:k qu:k c:k th:t y:i w:v x:ks j:J"
_RULES = {"en": _ENGLISH, "de": _GERMAN, "fr": _FRENCH, "es": _SPANISH, "it": _ITALIAN, "ru": _RUSSIAN, "uk": _RUSSIAN}
# Sounds that recognition confuses become one: voiced and voiceless, front vowels (e), other vowels (a).
_CONFUSED = str.maketrans(
    {"z": "s", "d": "t", "b": "p", "g": "k", "v": "f", "C": "S", "J": "S", "T": "t", "i": "e", "o": "a", "u": "a"}
)


@cache
def _rules(language: str) -> list[tuple[re.Pattern[str], str]]:
    found = []
    for rule in _RULES.get(language, _OTHER).split():
        spelling, _, sound = rule.partition(":")
        found.append((re.compile(spelling), sound))
    return found


@lru_cache(maxsize=1 << 17)
def latin(text: str) -> str:
    """Returns the letters of a text in Latin script, without case, accents and spaces."""
    from anyascii import anyascii

    return comparison_form(anyascii(comparison_form(text)))


@lru_cache(maxsize=1 << 17)
def sound_of(text: str, language: str) -> str:
    """Returns what a word or a phrase sounds like; spaces do not count. ``language``: Whisper's code."""
    letters = latin(text)
    for pattern, sound in _rules(language):
        letters = pattern.sub(sound, letters)
    first, rest = letters[:1], re.sub("[hwy]", "", letters[1:])
    return _squeezed((first + rest).translate(_CONFUSED))


def _squeezed(letters: str) -> str:
    return re.sub(r"(.)\1+", r"\1", letters)


@lru_cache(maxsize=1 << 17)
def skeleton(sound: str) -> str:
    """Returns the consonants of a sound, with a mark for a vowel in front."""
    return sound[:1] + _squeezed(re.sub("[ae]", "", sound[1:]))
