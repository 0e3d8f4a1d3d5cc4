"""What a transcript document says of its making, as text for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def model_names(document: Mapping[str, Any]) -> str:
    """Names of the models a document was made with: one, unless its channels differ; empty where nothing says so."""
    made = document.get("provenance", {})
    return ", ".join(dict.fromkeys(one["model"]["name"] for one in made.get("channels", [made]) if "model" in one))
