"""Decode the recordings of one bundle and cut them into chunks.

``split.py --plan plan.json --bundle b0001 --output chunks/b0001`` reads the bundle's recordings
from the plan; ``split.py --spec spec.json --output chunks/b0001`` from a file of its own:
``{"bundle": "b0001", "recordings": [...]}``, a recording being an object with ``recording``, ``path``,
``size``, ``mtime_ns``, ``channels_mode``, ``duration`` (samples at 16 kHz) and ``chunks`` (per track).

Standard error says what could not be split, or is odd, one line per recording. Exit code 0 also
then: the manifest records it, and the other recordings go on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audiogrid.core.atomic_files import read_json
from audiogrid.core.command import run
from audiogrid.core.errors import InputError
from audiogrid.core.json_values import to_json
from audiogrid.core.timebase import clock
from audiogrid.records.plan_files.layout import SCHEMA
from audiogrid.records.plan_files.reader import open_plan
from audiogrid.splitting.cut_cache import write_cuts
from audiogrid.splitting.opening import Patience
from audiogrid.splitting.split_bundle import SplitJob, split_bundle

_FIELDS = ("recording", "path", "size", "mtime_ns", "channels_mode", "duration", "chunks")
_OPTIONAL_FIELDS = ("address_table", "channels", "audio_tracks")


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="split.py", description="Cut the recordings of one bundle into chunks.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--plan", type=Path, help="plan.json of the run; needs --bundle")
    source.add_argument("--spec", type=Path, help="JSON file with a bundle and its recordings")
    parser.add_argument("--bundle", help="name of a bundle in the plan")
    parser.add_argument("--output", type=Path, required=True, help="folder to fill")
    parser.add_argument(
        "--patience", type=float, default=0, help="seconds in all to wait for files that are not there yet as planned"
    )
    options = parser.parse_args(arguments)
    if options.plan is not None and options.bundle is None:
        parser.error("--plan needs --bundle")
    return options


def _read(path: Path) -> dict[str, Any]:
    try:
        value = read_json(path)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: make the plan first") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}): delete it and run again") from error
    if not isinstance(value, dict):
        raise InputError(f"{path} does not hold a JSON object: delete it and run again")
    return value


def _select(raw: dict[str, Any], bundle: str | None, path: Path) -> tuple[str, list[dict[str, Any]]]:
    """The name of the bundle and its recordings, from a plan (``bundle`` given) or a spec."""
    if "bundles" not in raw:
        return raw["bundle"], raw["recordings"]
    chosen = next((item for item in raw["bundles"] if item["bundle"] == bundle), None)
    if chosen is None:
        raise InputError(f"{path} has no bundle {bundle!r}: make the plan again")
    recordings = {item["recording"]: item for item in raw["recordings"]}
    return chosen["bundle"], [recordings[name] for name in chosen["recordings"]]


def job_of(item: Mapping[str, Any]) -> SplitJob:
    """Returns what is to be split of a recording. Raises ``KeyError`` where a field is missing."""
    return SplitJob(
        **{field: item[field] for field in _FIELDS},
        **{field: item[field] for field in _OPTIONAL_FIELDS if field in item},
    )


def read_jobs(path: Path, bundle: str | None) -> tuple[str, list[SplitJob]]:
    """What to split, from a plan or a spec. Raises ``InputError`` when the file does not say."""
    raw = _read(path)
    if raw.get("schema") == SCHEMA and bundle is not None:
        plan = open_plan(path)
        if bundle not in plan.bundle:
            raise InputError(f"{path} has no bundle {bundle!r}: make the plan again")
        return bundle, [job_of(to_json(recording)) for recording in plan.recordings_of(bundle)]
    try:
        name, recordings = _select(raw, bundle, path)
        return name, [job_of(item) for item in recordings]
    except (KeyError, TypeError) as error:
        raise InputError(f"{path} lacks {error}: make the plan again") from error


def main(arguments: list[str]) -> None:
    """Split one bundle."""
    options = _parse(arguments)
    bundle, jobs = read_jobs(options.plan or options.spec, options.bundle)
    manifest = split_bundle(jobs, options.output, bundle, Patience(options.patience))
    if options.plan is not None:
        write_cuts(options.plan.parent, jobs, manifest)
    remarks = {recording: "; ".join(sentences) for recording, sentences in manifest.remarks.items()}
    for kind, sentences in (("not split", manifest.problems), ("note", manifest.notes), ("note", remarks)):
        for recording, sentence in sentences.items():
            print(f"{kind}: {recording}: {sentence}", file=sys.stderr)
    hard = sum(chunk.right.kind == "hard" for chunk in manifest.chunks)
    print(
        f"{bundle}: {len(jobs) - len(manifest.problems)} of {len(jobs)} recordings, "
        f"{clock(sum(track.samples for track in manifest.tracks))} of audio in {len(manifest.chunks)} chunks, "
        f"{hard} hard seams",
        file=sys.stderr,
    )


if __name__ == "__main__":
    run(main)
