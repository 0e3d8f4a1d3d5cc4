"""Choose the recordings that variants are compared on."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from audiogrid.config.sampling import choose_sample, parse_sample
from audiogrid.core.atomic_files import write_json
from audiogrid.core.command import run
from audiogrid.core.errors import InputError
from audiogrid.core.json_values import read_document
from audiogrid.core.log import open_log
from audiogrid.core.timebase import clock
from audiogrid.scoring.normalising import require_packages
from audiogrid.scoring.references import find_reference


def main(argv: list[str]) -> None:
    """Write ``compare/sample.json``: entries of probe.json, each with its reference if it has one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--probe", type=Path, required=True, help="probe.json of the run")
    parser.add_argument("--sample", required=True, help="all, a number of recordings, or an amount such as 90 min")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--log", type=Path)
    arguments = parser.parse_args(argv)
    log = open_log(arguments.log)
    # Better now than after everything is decoded.
    require_packages()
    recordings = read_document(dict[str, Any], arguments.probe)["recordings"]
    if not recordings:
        raise InputError("there is no recording to compare anything on: see rejected.tsv for what was left out")
    for item in recordings:
        found = find_reference(item)
        item["reference"] = str(found) if found else None
    sample = choose_sample(
        recordings, parse_sample(arguments.sample), arguments.seed, lambda item: bool(item["reference"])
    )
    write_json(arguments.output, {"recordings": sample}, indent=1)
    audio = sum(item["duration"] for item in sample)
    known = sum(bool(item["reference"]) for item in sample)
    line = f"comparing on {len(sample)} of {len(recordings)} recording(s), {clock(audio)}, {known} with a reference"
    print(line, file=sys.stderr)
    log.info(line)


if __name__ == "__main__":
    run(main)
