"""Transcript pages with a recording beside them, opened in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from audiogrid.export.transcript_page import render_page
from media import write_media


def write_page(folder: Path, document: dict[str, Any], seconds: float) -> Path:
    """Write the page of a document and a tone of ``seconds``. Returns the page."""
    tone = (3000 * np.sin(np.arange(int(16_000 * seconds)) * 0.2)).astype(np.int16)
    write_media(folder / "talk.mp3", tone)
    (folder / "talk.html").write_text(render_page(document, {"txt": "talk.txt"}, "talk.mp3"), "utf-8")
    return folder / "talk.html"


def opened(browser: Any, page: Path, *, fresh: bool = True, also: str = "true") -> None:
    """Open a page, without anything kept in the browser if ``fresh``, and wait until it is ready and ``also`` holds."""
    browser.open(page)
    if fresh:
        browser.js("localStorage.clear()")
        browser.open(page)
    browser.until(f"document.documentElement.dataset.ready === 'yes' && {also} && document.querySelector('.w')")
