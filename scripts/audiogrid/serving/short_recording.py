"""Transcribes short recordings in a warm worker process, stage by stage, with the functions that runs use.

The stages are those of a run: identify, plan, split, transcribe, merge. Keys and transcripts are therefore equal to
those of a run over the same files. Recordings that wait at the same time are decoded together.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiogrid.core.errors import AudiogridError, InputError
from audiogrid.core.json_values import from_json
from audiogrid.decoding.whisper.device_errors import OutOfMemoryError
from audiogrid.hardware.cores import usable_memory
from audiogrid.serving.job_folder import JobFolder
from audiogrid.serving.recipes import Recipe
from audiogrid.transcribing.worker import (
    Job,
    WorkerSettings,
    decode_into_store,
    leave_signals_to_parent,
    open_checked_engine,
    provenance,
)

if TYPE_CHECKING:
    from audiogrid.decoding.memory_fallback import AdaptiveEngine
    from audiogrid.records.plan import Plan
    from audiogrid.transcribing.shard_job import ShardWork


@dataclass(frozen=True)
class ShortTask:
    """A recording to transcribe. ``path``: what its transcript calls it."""

    job: str
    state: str
    path: str
    recipe: Recipe


@dataclass(frozen=True)
class ShortResult:
    """How a recording went. ``error``: why it has no transcript; ``is_final``: whether another try is useless.

    ``decode_seconds``: share of the time in the engine; ``device``: what decoded it, and why that one.
    """

    job: str
    error: str = ""
    is_final: bool = True
    decode_seconds: float = 0.0
    device: str = ""


@dataclass
class _Prepared:
    """A recording whose chunks are cut. ``works``: of its shards; ``seconds``: in the engine."""

    task: ShortTask
    folder: JobFolder
    plan: Plan
    works: list[ShardWork] = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""


_settings: WorkerSettings | None = None
_start_error: BaseException | None = None
# Loaded models by folder, compute type: the least recently used first.
_engines: dict[tuple[str, str], AdaptiveEngine] = {}
# Weights twice and what decoding takes, as hardware.cores.divide counts.
_DECODING_BYTES = 700_000_000


def start(settings: WorkerSettings) -> None:
    """Load the model that ``settings`` name; called once per process. ``ready`` raises what fails here."""
    global _settings, _start_error
    leave_signals_to_parent()
    _settings = settings
    if settings.gpus:
        # Before any CUDA library is loaded: this process sees one GPU only.
        os.environ["CUDA_VISIBLE_DEVICES"] = settings.gpus[0]
    try:
        if settings.model_dir:
            _engine(Path(settings.model_dir), settings.model_hash, settings.compute_type)
        # The first recording should not wait for imports.
        import audiogrid.media.vad
        import audiogrid.merging.merge_bundle
        import audiogrid.planning.plan_settings
        import audiogrid.splitting.split_bundle
        import audiogrid.transcribing.shard_job  # noqa: F401
    except Exception as error:
        _start_error = error


def ready() -> dict[str, Any]:
    """Returns what this process decodes with; raises what failed in ``start``."""
    if _start_error is not None:
        raise _start_error
    assert _settings is not None
    return provenance(next(iter(_engines.values())), _settings) if _engines else {}


def _engine(folder: Path, model_hash: str, compute_type: str) -> AdaptiveEngine:
    """Returns the loaded model of a folder. Models that were not used for long give way where memory is short."""
    assert _settings is not None
    folder = folder.absolute()
    key = (str(folder), compute_type)
    engine = _engines.pop(key, None)
    if engine is None:
        needed = 2 * (folder / "model.bin").stat().st_size + _DECODING_BYTES
        while _engines and usable_memory() < needed:
            del _engines[next(iter(_engines))]
            gc.collect()
        engine = open_checked_engine(
            replace(_settings, model_dir=str(folder), model_hash=model_hash, compute_type=compute_type)
        )
    _engines[key] = engine
    return engine


def work(tasks: Sequence[ShortTask]) -> list[ShortResult]:
    """Transcribe recordings. Returns how each went; raises only what is wrong with this process."""
    prepared = [_guarded_prepare(task) for task in tasks]
    _decode([one for one in prepared if not isinstance(one, ShortResult)])
    return [one if isinstance(one, ShortResult) else _guarded_finish(one) for one in prepared]


def transcribe_for_nothing(task: ShortTask) -> ShortResult:
    """Transcribe a recording of which nothing shall stay; its results go to a store in its own state folder."""
    global _settings
    assert _settings is not None
    kept = _settings
    _settings = replace(kept, store=f"{task.state}/store", own_store=f"{task.state}/own_store")
    try:
        return work([task])[0]
    finally:
        _settings = kept


def _guarded_prepare(task: ShortTask) -> _Prepared | ShortResult:
    try:
        return _prepare(task)
    except InputError as error:
        return ShortResult(task.job, str(error))
    except AudiogridError as error:
        return ShortResult(task.job, str(error), is_final=False)


def _guarded_finish(prepared: _Prepared) -> ShortResult:
    job, seconds = prepared.task.job, round(prepared.seconds, 3)
    if prepared.error:
        return ShortResult(job, prepared.error, is_final=False)
    try:
        device = _finish(prepared)
    except InputError as error:
        return ShortResult(job, str(error))
    except AudiogridError as error:
        return ShortResult(job, str(error), is_final=False)
    return ShortResult(job, decode_seconds=seconds, device=device)


def _prepare(task: ShortTask) -> _Prepared:
    """Plan and split a recording. Raises ``InputError`` with the reason why it cannot be transcribed."""
    from audiogrid.splitting.split_bundle import SplitJob, split_bundle
    from audiogrid.transcribing.shard_job import collect

    assert _settings is not None
    folder = JobFolder(Path(task.state), task.job)
    plan = _make_plan(task.recipe, folder)
    fields = ("recording", "path", "size", "mtime_ns", "channels_mode", "duration", "chunks")
    for bundle in plan.bundles:
        recordings = [plan.recording[name] for name in bundle.recordings]
        jobs = [
            SplitJob(
                **{name: getattr(one, name) for name in fields},
                address_table=one.address_table,
                channels=one.channels,
                audio_tracks=one.audio_tracks,
            )
            for one in recordings
        ]
        split_bundle(jobs, folder.run.chunks / bundle.bundle, bundle.bundle)
    prepared = _Prepared(task, folder, plan)
    accepted = task.recipe.configuration["accept_revisions"]
    for shard in plan.shards:
        work = collect(plan, shard, folder.run.chunks, _store(), accepted)
        if work.facts.problems:
            raise InputError("; ".join(work.facts.problems.values()).replace(f"{folder.upload}/", ""))
        prepared.works.append(work)
    # Before anything is decoded: whoever prunes the store sees what this job will refer to.
    folder.write_keys([key for work in prepared.works for key in work.facts.keys.values()])
    return prepared


def _make_plan(recipe: Recipe, folder: JobFolder) -> Plan:
    from audiogrid.models.languages import known_languages
    from audiogrid.planning.bundles_and_shards import plan_recordings, probed_recordings
    from audiogrid.planning.plan_settings import make_settings, settle_recordings
    from audiogrid.planning.prompt_remarks import add_prompt_remarks
    from audiogrid.probing.probe import ProbeReport

    wanted = json.loads(recipe.plan)
    model_dirs = [Path(one) for one in recipe.model_dirs]
    settings = make_settings(wanted, model_dirs)
    probed = probed_recordings(ProbeReport.read(folder.run.probe).entries, settings.chunk_minutes)
    routed = settle_recordings(
        probed,
        settings,
        wanted,
        _identify(recipe, probed, wanted.get("routes", [])),
        {one.name: known_languages(one) for one in model_dirs},
    )
    if routed.refused:
        raise InputError(routed.refused[0].reason)
    recordings, _ = add_prompt_remarks(routed.recordings, settings, model_dirs)
    return plan_recordings(recordings, settings, warnings=routed.warnings)


def _identify(recipe: Recipe, recordings: Sequence[Any], routes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Returns the languages of recordings whose model depends on them, found with a loaded model."""
    from audiogrid.config.routes import Route, unknown_languages
    from audiogrid.models.registry import model_hash
    from audiogrid.planning.identify_languages import IdentifySettings, IdentifyTask
    from audiogrid.records.identified_languages import Identified, unknown

    if recipe.identifying is None:
        return {}
    assert _settings is not None
    always = recipe.configuration["identify"]["always"]
    waiting = unknown_languages(recordings, from_json(list[Route], list(routes)), always=always)
    model_dir, windows, share = recipe.identifying
    settings = IdentifySettings(model_dir, model_hash(Path(model_dir)), windows, share)
    task = IdentifyTask(settings, {one.path: one for one in waiting}, _settings.threads)
    found = {}
    for recording in waiting:
        looked = task(recording.path)
        found[recording.recording] = (
            unknown(looked.reason or "") if looked.facts is None else from_json(Identified, looked.facts)
        )
    return found


def _store() -> Any:
    from audiogrid.records.store import Store

    assert _settings is not None
    return Store(Path(_settings.store), Path(_settings.own_store))


def _decode(prepared: Sequence[_Prepared]) -> None:
    """Decode what the store lacks: chunks of all recordings together, by model and compute type."""
    assert _settings is not None
    groups: dict[tuple[str, str], list[tuple[_Prepared, ShardWork, Job]]] = {}
    for one in prepared:
        folders = {Path(path).name: path for path in one.task.recipe.model_dirs}
        for work in one.works:
            kind = (folders[work.shard.model], work.shard.compute_type)
            groups.setdefault(kind, []).extend((one, work, job) for job in work.jobs)
    for (folder, compute_type), members in groups.items():
        _decode_group(folder, compute_type, members)


def _decode_group(folder: str, compute_type: str, members: Sequence[tuple[_Prepared, ShardWork, Job]]) -> None:
    """Decode chunks with one model. Where that fails, each recording is tried alone: only its own error stays."""
    assert _settings is not None
    store = _store()
    missing = [member for member in members if not store.has(member[2].key)]
    if not missing:
        return
    began = time.perf_counter()
    try:
        engine = _engine(Path(folder), missing[0][1].model_hash, compute_type)
    except AudiogridError as error:
        for one, _, _ in missing:
            one.error = str(error)
        return
    try:
        settings = replace(_settings, model_dir=folder, compute_type=compute_type)
        decode_into_store(engine, settings, [job for _, _, job in missing])
    except AudiogridError as error:
        if isinstance(error, OutOfMemoryError):
            # This engine has nothing smaller left to try, and no model.
            _engines.pop((str(Path(folder).absolute()), compute_type), None)
        owners = {id(one): one for one, _, _ in missing}
        if len(owners) == 1:
            missing[0][0].error = str(error)
            return
        for owner in owners.values():
            _decode_group(folder, compute_type, [member for member in missing if member[0] is owner])
        return
    spent = time.perf_counter() - began
    audio = sum(job.audio for _, _, job in missing) or 1
    for one, _, job in missing:
        one.seconds += spent * job.audio / audio


def _finish(prepared: _Prepared) -> str:
    """Merge a decoded recording. Returns what decoded it.

    What was probed and cut stays until the end of the job is on record: whoever takes it up after a crash needs it.
    """
    from audiogrid.merging.merge_bundle import BundleFacts, MergeSettings, merge_bundle

    assert _settings is not None
    task, folder = prepared.task, prepared.folder
    # Transcripts name the file as the client does, not the copy that lies here.
    renamed = replace(prepared.plan, recordings=[replace(one, path=task.path) for one in prepared.plan.recordings])
    settings = from_json(MergeSettings, json.loads(task.recipe.merge))
    shutil.rmtree(folder.run.transcripts, ignore_errors=True)
    for bundle in renamed.bundles:
        facts = BundleFacts((work.facts, {}) for work in prepared.works)
        merged = merge_bundle(renamed, bundle.bundle, facts, _store(), settings, folder.run)
        if merged.failures:
            raise InputError(merged.failures[0].cause)
    return f"{_settings.device}: {_settings.why}" if _settings.why else _settings.device
