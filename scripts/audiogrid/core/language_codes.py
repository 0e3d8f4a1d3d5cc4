"""The languages that Whisper knows, by the codes of its tokens, and the ways in which people write them.

People write tags (``en-US``, ``zh-Hant``), other codes (``eng``, ``nb``) and names (``German``, ``Deutsch``). What
stands for one language is converted to Whisper's code. What does not, such as a country (``jp``), is an error that
names the right code: a language that is guessed wrong costs hours of decoding.
"""

from __future__ import annotations

import difflib
import re
from functools import cache

AUTO = "auto"

_CODES = """
    af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi
    hr ht hu hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn
    no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi
    yi yo zh yue
"""
CODES: tuple[str, ...] = tuple(_CODES.split())

# Whisper has one code where the standard has another, or several.
_WHISPER_CODES = {"jv": "jw", "nb": "no", "fil": "tl", "cmn": "zh", "arb": "ar", "zsm": "ms", "swh": "sw"}
# Further names: Whisper's own, where the Unicode data (CLDR) has other ones, and common ones.
_MORE_NAMES = {
    "bengali": "bn",
    "bokmål": "no",
    "cambodian": "km",
    "castilian": "es",
    "dari": "fa",
    "farsi": "fa",
    "filipino": "tl",
    "flemish": "nl",
    "haitian": "ht",
    "letzeburgesch": "lb",
    "mandarin": "zh",
    "moldavian": "ro",
    "moldovan": "ro",
    "myanmar": "my",
    "norwegian bokmål": "no",
    "panjabi": "pa",
    "pushto": "ps",
    "sinhalese": "si",
    "valencian": "ca",
}
# Ways of writing that the language is not known, or that there are several: each is found out with `auto`.
_NOT_ONE_LANGUAGE = frozenset(
    """
    ? - any automatic auto-detect autodetect default detect mis mixed multi multilingual mul multiple n/a na nan none
    null und unknown various zxx
    """.split()
)
# What people write between several languages.
_BETWEEN = re.compile(r"\s*(?:[,;/|+&]|\band\b)\s*|\s+")
_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")


def written_in(spoken: str, task: str) -> str:
    """Returns the language of a text, from that of the speech and the decoding option ``task``.

    What ``translate`` writes is English.
    """
    return "en" if task == "translate" else spoken


def _standard(code: str) -> str:
    """Returns Whisper's code for an ISO 639 code of two or three letters, or the code itself."""
    from babel.core import get_global

    if code in CODES:
        return code
    alias = str(get_global("language_aliases").get(code, code)).split("_")[0]
    return _WHISPER_CODES.get(alias, alias)


@cache
def _codes_by_name(own: bool) -> dict[str, str]:
    """Returns codes by names in lower case: the English names, or each language's name for itself (``own``)."""
    from babel.core import Locale

    english = Locale("en").languages
    standard = {"jv" if code == "jw" else code: code for code in CODES}
    if not own:
        return {english[code].casefold(): known for code, known in standard.items()} | _MORE_NAMES
    found = ((known, Locale.parse(code).languages.get(code)) for code, known in standard.items())
    return {name.casefold(): known for known, name in found if name}


def _by_name(text: str) -> str | None:
    """Returns the code of a language by its name in English or in itself. Text in brackets is ignored."""
    name = " ".join(text.split("(")[0].casefold().split())
    return _codes_by_name(False).get(name) or _codes_by_name(True).get(name)


def _of_country(code: str) -> str | None:
    """Returns the main language of a country by its code, such as ``ja`` for ``jp``."""
    from babel.core import get_global

    likely = get_global("likely_subtags").get(f"und_{code.upper()}", "")
    if not likely and code.upper() in get_global("territory_languages"):
        likely = "en"
    language = _standard(str(likely).split("_")[0])
    return language if language in CODES else None


@cache
def normalise_language(given: str) -> str:
    """Returns Whisper's code for a language as people write it; ``given`` itself when that names no such language.

    Understood are codes, tags with a region or script, and names in English or in the language itself. A code of
    two letters that is also a country is understood only if Whisper itself has it.
    """
    text = given.strip()
    if not text:
        # As in every row of a table without languages; to read all names takes half a second.
        return given
    if text.lower() == AUTO or text.lower() in CODES:
        return text.lower()
    if _TAG.fullmatch(text):
        first, *rest = re.split("[-_]", text.lower())
        # In `zh-yue` the second part is the language.
        inner = _standard(rest[0]) if rest and len(rest[0]) == 3 else ""
        code = inner if inner in CODES else _standard(first)
        if code in CODES and (first in CODES or len(first) == 3 or _of_country(first) is None):
            return code
    return _by_name(text) or given


def check_language(code: str) -> str | None:
    """Returns ``None`` when ``code`` names a language Whisper knows or is ``auto``, else what is wrong and what to do.

    ``code``: as given; ``normalise_language`` converts it.
    """
    code = normalise_language(code)
    if code == AUTO or code in CODES:
        return None
    if code.strip().casefold() in _NOT_ONE_LANGUAGE:
        return f"{code!r} is not a language Whisper knows; did you mean 'auto', which finds out the language?"
    if len(several := _several(code)) > 1:
        return (
            f"{code!r} names several languages ({', '.join(several)}): use 'auto', which reads each passage in its "
            "own, or the one that is spoken most"
        )
    near = " or ".join(f"{one!r} ({english_name(one)})" for one in _suggestions(code))
    advice = f"did you mean {near}? " if near else ""
    return f"{code!r} is not a language Whisper knows; {advice}use 'auto' or a code such as en, es, fr, hi, zh"


def english_name(code: str) -> str:
    """Returns the English name of a language; the code where it has none."""
    from babel.core import Locale

    return str(Locale("en").languages.get("jv" if code == "jw" else code, code))


def _several(text: str) -> list[str]:
    """Returns the codes of the languages that a text such as ``en/de`` or ``Hindi, Urdu`` lists, else none."""
    parts = [part for part in _BETWEEN.split(text.strip("[](){}'\" ")) if part]
    found = [normalise_language(part.strip("'\"")) for part in parts]
    return list(dict.fromkeys(found)) if all(code in CODES for code in found) else []


def _suggestions(text: str) -> list[str]:
    """Returns the codes that a writer of ``text`` may have meant; none rather than a bad guess."""
    tag = text.strip().casefold()
    first = re.split("[-_]", tag)[0]
    if re.fullmatch("[a-z]{2}", first):
        meant = [_of_country(first), _standard(first)]
        return [code for code in dict.fromkeys(meant) if code in CODES]
    if re.fullmatch("[a-z]{3}", tag):
        return []
    words = [code for word in tag.split() if (code := _codes_by_name(False).get(word))]
    if len(words) == 1:
        return words
    for names in (_codes_by_name(False), _codes_by_name(True)):
        if near := difflib.get_close_matches(tag, names, 1, cutoff=0.75):
            return [names[near[0]]]
    return []


_THREE_LETTERS = dict(
    pair.split(":")
    for pair in """
    af:afr am:amh ar:ara as:asm az:aze ba:bak be:bel bg:bul bn:ben bo:bod br:bre bs:bos ca:cat cs:ces cy:cym da:dan
    de:deu el:ell en:eng es:spa et:est eu:eus fa:fas fi:fin fo:fao fr:fra gl:glg gu:guj ha:hau haw:haw he:heb hi:hin
    hr:hrv ht:hat hu:hun hy:hye id:ind is:isl it:ita ja:jpn jw:jav ka:kat kk:kaz km:khm kn:kan ko:kor la:lat lb:ltz
    ln:lin lo:lao lt:lit lv:lav mg:mlg mi:mri mk:mkd ml:mal mn:mon mr:mar ms:msa mt:mlt my:mya ne:nep nl:nld nn:nno
    no:nor oc:oci pa:pan pl:pol ps:pus pt:por ro:ron ru:rus sa:san sd:snd si:sin sk:slk sl:slv sn:sna so:som sq:sqi
    sr:srp su:sun sv:swe sw:swa ta:tam te:tel tg:tgk th:tha tk:tuk tl:tgl tr:tur tt:tat uk:ukr ur:urd uz:uzb vi:vie
    yi:yid yo:yor yue:yue zh:zho
    """.split()
)


def three_letters(code: str) -> str:
    """Returns the ISO 639-3 code for one of Whisper's codes; ``und`` (undetermined) for any other."""
    return _THREE_LETTERS.get(code, "und")


def language_tag(code: str) -> str:
    """Returns the BCP 47 tag for one of Whisper's codes, which differ in one: ``jw`` is ``jv``."""
    return "jv" if code == "jw" else code
