"""Identify the language of recordings that have none given, if the route of a recording depends on it."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from audiogrid.config.routes import Route, unknown_languages
from audiogrid.core.command import run
from audiogrid.core.errors import InputError
from audiogrid.core.json_values import read_document
from audiogrid.core.log import open_log
from audiogrid.hardware.cores import divide, usable_cores, usable_memory
from audiogrid.models.languages import known_languages
from audiogrid.models.registry import model_hash
from audiogrid.planning.bundles_and_shards import probed_recordings
from audiogrid.planning.identify_languages import IdentifySettings, describe, identify
from audiogrid.records.identified_languages import write_identified
from audiogrid.transcribing.worker import worker_environment


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--probe", type=Path, required=True, help="probe.json")
    parser.add_argument("--model-dir", type=Path, required=True, help="a staged multilingual model")
    parser.add_argument("--routes", type=json.loads, default=[], help="the routes, JSON")
    parser.add_argument("--all", choices=["yes", "no"], default="no", help="also where no route depends on it")
    parser.add_argument("--windows", type=int, default=6, help="stretches of speech per recording")
    parser.add_argument("--multilingual-share", type=float, default=0.25, help="of a second language")
    parser.add_argument("--encoder", default="auto", help="as decoding.encoder")
    parser.add_argument("--cores", type=int, default=0, help="cores to use (0: all this process may use)")
    parser.add_argument("--cache", type=Path, help="answers of earlier runs (JSON lines)")
    parser.add_argument("--output", type=Path, required=True, help="languages.json")
    parser.add_argument("--log", type=Path)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Write ``languages.json``."""
    began = time.monotonic()
    arguments = _arguments(argv)
    log = open_log(arguments.log)
    if known_languages(arguments.model_dir) == {"en"}:
        raise InputError(
            f"{arguments.model_dir} knows English only and cannot tell languages apart: "
            "set identify: {model: base}, or another multilingual one"
        )
    settings = IdentifySettings(
        str(arguments.model_dir),
        model_hash(arguments.model_dir),
        arguments.windows,
        arguments.multilingual_share,
        arguments.encoder,
    )
    probed = probed_recordings(read_document(dict[str, Any], arguments.probe), 5)
    wanted = unknown_languages(probed, [Route(**route) for route in arguments.routes], always=arguments.all == "yes")
    cores = min(arguments.cores or usable_cores(), usable_cores())
    division = divide(cores, (arguments.model_dir / "model.bin").stat().st_size, usable_memory())
    os.environ.update(worker_environment(division.threads))
    found = identify(wanted, settings, processes=division.processes, threads=division.threads, cache=arguments.cache)
    made = {
        "model": {"name": arguments.model_dir.name, "hash": settings.model_hash},
        "windows": settings.windows,
        "multilingual_share": settings.multilingual_share,
    }
    write_identified(arguments.output, found, made)
    for recording, one in found.items():
        if one.problem or one.is_multilingual:
            log.warning("%s: %s", recording, one.remark(one.language))
    summary = f"identified {len(found)} recording(s) in {time.monotonic() - began:.1f} s: {describe(found)}"
    print(summary, file=sys.stderr)
    log.info(summary)


if __name__ == "__main__":
    run(main)
