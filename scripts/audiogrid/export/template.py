"""Renders the HTML pages. Every value is escaped, and no page needs a network.

A page extends ``base.html``, fills its blocks ``head``, ``main`` and ``footer``, and names the scripts it
needs with ``{% set scripts = ["table.js"] %}``. Styles and scripts are inlined. The page's own policy
(Content-Security-Policy) allows exactly those scripts, by hash, so that text in a page can never run as
code. Data for scripts goes into ``<script type="application/json">`` through ``tojson``.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

FOLDER = Path(__file__).parent / "templates"
_COMMENT = re.compile(r"^\s*(//.*|/\*[^*]*\*/\s*)$", re.MULTILINE)


@cache
def asset(name: str) -> str:
    """Returns a style or script of ``templates/`` without indentation and comments, because every page contains it."""
    text = _COMMENT.sub("", (FOLDER / name).read_text(encoding="utf-8"))
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def _inline(name: str) -> Markup:
    return Markup(asset(name))


@cache
def _digest(name: str) -> str:
    """Returns the name of an inlined script in a Content-Security-Policy."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(asset(name).encode()).digest()).decode() + "'"


def clock(seconds: float) -> str:
    """Returns a time in seconds as ``h:mm:ss`` (``m:ss`` below an hour)."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def span(seconds: float) -> str:
    """Returns a length of time as text: ``0.4 s``, ``3 min 05 s``, ``2 h 10 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60:,} h {minutes % 60:02d} min"


def number(value: float, digits: int = 0) -> str:
    """Returns a number with thousands separators: ``12,345``."""
    return f"{value:,.{digits}f}"


def percent(share: float | None, digits: int = 1) -> str:
    """Returns a share as a percentage; empty for ``None``."""
    return "" if share is None else f"{100 * share:.{digits}f}%"


@cache
def environment() -> Environment:
    """Returns the shared environment, so that templates are compiled once per process."""
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals.update(inline=_inline, digest=_digest)
    made.filters.update(clock=clock, span=span, number=number, percent=percent, url=lambda text: quote(str(text)))
    # Seconds, names and shares: short, the same bytes every time, real letters instead of escapes.
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "ensure_ascii": False, "allow_nan": False}
    return made


def render(template: str, **context: Any) -> str:
    """Returns the page made from ``templates/<template>``. Raises ``jinja2.UndefinedError`` when a value is missing."""
    return environment().get_template(template).render(**context)
