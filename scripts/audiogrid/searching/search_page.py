"""Renders `search.html`: a page that searches the transcripts of a run from the file system, without a server."""

from __future__ import annotations

from audiogrid.core.language_codes import english_name
from audiogrid.core.search_terms import ALIKE, DROPPED, JOINERS, SINGLE, UNSPOKEN
from audiogrid.export.template import render
from audiogrid.merging.search_part import STEP_MS
from audiogrid.searching.index_files import Contents


def render_search_page(contents: Contents, index: str) -> str:
    """Returns the page. ``index``: the folder of its index, relative to the page."""
    data = {
        "index": index,
        "step": STEP_MS,
        "single": SINGLE,
        "unspoken": UNSPOKEN,
        "dropped": DROPPED,
        "joiners": JOINERS,
        "alike": ALIKE,
    }
    languages = [(code, english_name(code)) for code in contents.languages if code]
    return render("search.html", contents=contents, languages=languages, data=data)
