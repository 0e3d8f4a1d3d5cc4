"""How to add an optional part (an extra) to this installation of audiogrid, for messages."""

from __future__ import annotations

import json
import shlex
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

from audiogrid.core.secrets import masked


def install_command(extra: str) -> str:
    """Returns what to type to get ``extra``: in a clone, or from where audiogrid was installed."""
    origin = _origin()
    if origin is None or origin.get("dir_info", {}).get("editable"):
        return f"pip install '.[{extra}]' in the clone"
    if not origin:
        return f"pip install 'audiogrid[{extra}]'"
    vcs = origin.get("vcs_info", {}).get("vcs")
    address = f"{vcs}+{origin['url']}" if vcs else origin["url"]
    return f"pip install {shlex.quote(masked(f'audiogrid[{extra}] @ {address}'))}"


def _origin() -> dict[str, Any] | None:
    """Returns what pip noted of the installation (PEP 610): empty from an index, ``None`` without an installation."""
    try:
        noted = distribution("audiogrid").read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    value: dict[str, Any] = json.loads(noted) if noted else {}
    return value
