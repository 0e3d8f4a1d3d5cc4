"""Models on the Hugging Face hub: what a configured name means there, and how its files get into a folder."""

from __future__ import annotations

import fnmatch
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_NAME = re.compile(r"(?P<repo>\w[\w.-]*/\w[\w.-]*)@(?P<revision>\w[\w.-]*)")
# Files of a CTranslate2 model, and of a Transformers checkpoint with what its tokenizer needs.
_CONVERTED = (
    "config.json",
    "model.bin",
    "tokenizer.json",
    "vocabulary.txt",
    "vocabulary.json",
    "preprocessor_config.json",
)
_CHECKPOINT = (
    *("config.json", "generation_config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json"),
    *("vocab.json", "merges.txt", "normalizer.json", "added_tokens.json", "special_tokens_map.json"),
)
# The weights of a checkpoint, the first kind that is there.
_WEIGHTS = (
    ("model.safetensors",),
    ("model-*.safetensors", "model.safetensors.index.json"),
    ("pytorch_model.bin",),
    ("pytorch_model-*.bin", "pytorch_model.bin.index.json"),
)


@dataclass(frozen=True)
class HubModel:
    """A model on the hub at one revision (a commit, a tag or a branch)."""

    repo: str
    revision: str

    def __str__(self) -> str:
        return f"{self.repo}@{self.revision}"


def parse_hub_name(value: str) -> HubModel | None:
    """``org/name@revision``; ``None`` for anything else."""
    found = _NAME.fullmatch(value)
    return HubModel(found["repo"], found["revision"]) if found else None


def wanted_files(names: Sequence[str]) -> list[str]:
    """Files of a repository that make up its model, CTranslate2's format first; none where there is no model."""
    if "model.bin" in names:
        return [name for name in _CONVERTED if name in names]
    for patterns in _WEIGHTS:
        weights = [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
        if any(not name.endswith(".json") for name in weights):
            return [*(name for name in _CHECKPOINT if name in names), *weights]
    return []


class Hub(Protocol):
    """Where files come from. Errors of the network are ``OSError`` or ``ValueError``, as those of huggingface_hub."""

    def names(self, model: HubModel) -> list[str]:
        """Names of all files of a repository."""
        ...

    def fetch(self, model: HubModel, name: str, folder: Path) -> None:
        """Put one file into ``folder``."""
        ...


class HuggingFace:
    """The hub itself, or its local cache where that has what is wanted."""

    def names(self, model: HubModel) -> list[str]:
        """Names of all files of a repository at its revision."""
        from huggingface_hub import HfApi

        try:
            return list(HfApi().list_repo_files(model.repo, revision=model.revision))
        except (OSError, ValueError):
            raise
        except Exception as error:
            # Without a network, the HTTP library's own errors reach us; they are neither OSError nor ValueError.
            raise OSError(str(error) or type(error).__name__) from error

    def fetch(self, model: HubModel, name: str, folder: Path) -> None:
        """Put one file at its revision into ``folder``."""
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import LocalEntryNotFoundError

        try:
            cached = hf_hub_download(model.repo, name, revision=model.revision, local_files_only=True)
        except LocalEntryNotFoundError:
            hf_hub_download(model.repo, name, revision=model.revision, local_dir=folder)
        else:
            shutil.copy2(Path(cached).resolve(), folder / name)
