"""Makes the pages in a bag play the recordings that are copied into it, not those where the run had found them."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping
from urllib.parse import quote

from audiogrid.export.media_links import may_have_picture

# The player of ``transcript.html``. Texts in the page are escaped, so that nothing else can look like it.
_PLAYER = re.compile(rb'<(audio|video) id="player" controls[^>]*></\1>')
#: Files of the search index that say where recordings are (``searching/index_files.py``).
INDEX_OF_RECORDINGS = re.compile(r"search/[^/]+/r/\d+\.js")
# Places of the id and of the address in the list that such a file has for each recording.
_ID, _ADDRESS = 0, 5


def transcript_with(recording: str, page: bytes, name: str) -> bytes:
    """Returns the page ``name`` with a player for ``recording``; both are names below the same folder."""
    address = quote(posixpath.relpath(recording, posixpath.dirname(name)))
    tag, more = ("video", " playsinline") if may_have_picture(recording) else ("audio", "")
    player = f'<{tag} id="player" controls preload="metadata"{more} src="{address}"></{tag}>'.encode()
    return _PLAYER.sub(lambda found: player, page, count=1)


def index_with(recordings: Mapping[str, str], part: bytes) -> bytes:
    """Returns a file of the search index with other places of recordings: id -> name below the folder of the page.

    A file that is no part of an index is returned as it is.
    """
    try:
        text = part.decode()
        start, end = text.index(",") + 1, text.rindex(")")
        rows = json.loads(text[start:end])
        for row in rows:
            if row[_ID] in recordings:
                row[_ADDRESS] = quote(recordings[row[_ID]])
    except (ValueError, LookupError, TypeError):
        return part
    return f"{text[:start]}{json.dumps(rows, ensure_ascii=False, separators=(',', ':'))}{text[end:]}".encode()
