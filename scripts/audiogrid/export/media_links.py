"""Where a page finds the media file that it talks about."""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from urllib.parse import quote, urlsplit

#: Suffixes that may hold a picture: the page shows it where there is one.
_VIDEO = frozenset(".mp4 .m4v .mov .mkv .webm .avi .ogv .mpg .mpeg .ts .mts .m2ts .wmv .flv .3gp".split())
_SCHEMES = frozenset(("http", "https"))


def media_url(path: str, folder: Path) -> str:
    """The address of ``path``, as a page in ``folder`` reaches it; empty where a browser cannot (``s3://``, say).

    Paths given relative stay relative, so that recordings and results may move together; absolute ones become
    ``file:`` addresses. Every character that means something in an address is quoted.
    """
    scheme = urlsplit(path).scheme if "://" in path else ""
    if scheme:
        # The part after a question mark may be a signature: it is nobody's business.
        return quote(path.split("?")[0], safe="/:%@") if scheme in _SCHEMES else ""
    if PurePath(path).is_absolute():
        return "file://" + quote(os.fsencode(path))
    return quote(os.fsencode(os.path.relpath(path, folder)))


def may_have_picture(path: str) -> bool:
    """Whether to offer a place for a picture, going by the name."""
    return PurePath(path).suffix.lower() in _VIDEO
