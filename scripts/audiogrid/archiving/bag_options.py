"""What a person can choose about the package of a run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from audiogrid.core.calendar_dates import is_date
from audiogrid.core.errors import InputError
from audiogrid.core.text import clean_text

#: What a bag does with the recordings themselves, and what that costs.
RECORDINGS = {
    "name": "they are named, with the SHA-256 of their encoded audio; their files are not read",
    "hash": "their files are read once for a SHA-256, and stay where they are",
    "copy": "their files are copied into the bag",
}
_WORDS = ("title", "responsible_party", "license")
# Without a user and a password: what is in a bag is there to be read.
_WEB = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")


@dataclass(frozen=True)
class BagOptions:
    """Choices for a bag. ``recordings``: one of ``RECORDINGS``; ``mets``: whether each recording has a METS file.

    ``base_url``: web address below which the bag's ``data/`` will lie, for the IIIF manifests; empty: not known.
    ``date``: of publication, as ``2026``, ``2026-05`` or ``2026-05-31``; empty: the day on which the run ended.
    ``title``, ``responsible_party`` and ``license``: words for the descriptions; ``license`` may be an address.
    """

    recordings: str = "name"
    mets: bool = False
    base_url: str = ""
    date: str = ""
    title: str = ""
    responsible_party: str = ""
    license: str = ""


def checked_options(options: BagOptions) -> BagOptions:
    """Returns options with their words on one line each. Raises ``InputError`` for a value that cannot be meant."""
    if options.recordings not in RECORDINGS:
        raise InputError(f"recordings: {options.recordings!r} is none of {', '.join(RECORDINGS)}")
    if options.date and not is_date(options.date):
        raise InputError(f"date: {options.date!r} is no date; write 2026, 2026-05 or 2026-05-31")
    if options.base_url and not (_WEB.fullmatch(options.base_url) and options.base_url.isprintable()):
        raise InputError(
            f"base_url: {options.base_url!r} is no web address, or one with a user, a password or a query; write "
            "https://archive.example.org/talks"
        )
    words: dict[str, Any] = {name: " ".join(clean_text(getattr(options, name)).split()) for name in _WORDS}
    return replace(options, **words)


def bag_options(publish: Any, format_options: Any = None) -> BagOptions:
    """Returns the options that a run's configuration has for its bag.

    ``publish`` and ``format_options``: values of these keys. The responsible party may stand under ``vtt``, too.
    Raises ``InputError`` for a value that cannot be meant.
    """
    given = publish if isinstance(publish, Mapping) else {}
    names = {field.name for field in fields(BagOptions)}
    options = BagOptions(**{name: value for name, value in given.items() if name in names})
    if not options.responsible_party:
        options = replace(options, responsible_party=_party_of_subtitles(format_options))
    return checked_options(options)


def _party_of_subtitles(format_options: Any) -> str:
    vtt = format_options.get("vtt") if isinstance(format_options, Mapping) else None
    return str(vtt.get("responsible_party") or "") if isinstance(vtt, Mapping) else ""
