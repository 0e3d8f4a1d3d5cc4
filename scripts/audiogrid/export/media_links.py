"""Addresses of media files as links from an HTML page."""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from urllib.parse import quote, urlsplit

#: Suffixes of files that may have a picture; the page then has a place for it.
_VIDEO = frozenset(".mp4 .m4v .mov .mkv .webm .avi .ogv .mpg .mpeg .ts .mts .m2ts .wmv .flv .3gp".split())
_SCHEMES = frozenset(("http", "https"))


def media_url(path: str, folder: Path) -> str:
    """Returns the address of ``path`` relative to a page in ``folder``; empty if a browser cannot open it (``s3://``).

    Relative paths stay relative, so that recordings and results can be moved together. Absolute ones become
    ``file:`` addresses. Characters with a meaning in an address are quoted.
    """
    scheme = urlsplit(path).scheme if "://" in path else ""
    if scheme:
        # The query may be a signature, that is a secret: leave it out.
        return quote(path.split("?")[0], safe="/:%@") if scheme in _SCHEMES else ""
    if PurePath(path).is_absolute():
        return "file://" + quote(os.fsencode(path))
    return quote(os.fsencode(os.path.relpath(path, folder)))


def may_have_picture(path: str) -> bool:
    """Returns whether the file may have a picture, judged by its suffix."""
    return PurePath(path).suffix.lower() in _VIDEO
