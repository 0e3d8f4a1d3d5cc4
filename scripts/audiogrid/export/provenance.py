"""Describes how a transcript document was made, as text for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def model_names(document: Mapping[str, Any]) -> str:
    """Returns the names of the models of a document: one, or several if its channels differ; empty if not recorded."""
    made = document.get("provenance", {})
    return ", ".join(dict.fromkeys(one["model"]["name"] for one in made.get("channels", [made]) if "model" in one))
