"""Reads the configuration of programs that start no Snakemake, as Snakemake would: files, then ``KEY=VALUE``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from audiogrid.config.as_written import as_written, merged_mappings
from audiogrid.config.resolve import resolve
from audiogrid.config.variants import with_variant
from audiogrid.core.errors import InputError


def read_configuration(files: Sequence[Path], values: Sequence[str]) -> dict[str, Any]:
    """Returns the complete configuration of ``files``, later ones first, with ``values`` (``KEY=VALUE``) above them.

    Raises ``InputError`` for a file that cannot be read and for every mistake.
    """
    merged: dict[str, Any] = {}
    for path in files:
        try:
            found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}): check the path") from None
        except (yaml.YAMLError, ValueError) as error:
            raise InputError(f"{path} is not YAML ({' '.join(str(error).split())}): correct it") from None
        if not isinstance(found, dict):
            raise InputError(f"{path} holds no keys: write KEY: VALUE")
        merged = merged_mappings(merged, found)
    for value in values:
        key, separator, text = value.partition("=")
        if not separator:
            raise InputError(f"--config {value}: write KEY=VALUE")
        try:
            merged = merged_mappings(merged, {key: yaml.safe_load(text)})
        except yaml.YAMLError:
            raise InputError(f"--config {value}: the value is not YAML: quote it") from None
    resolved = resolve(as_written(merged, files, values))
    return with_variant(resolved, resolved["variant"])
