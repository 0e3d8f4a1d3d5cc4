"""Plan what is decoded with each variant."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from audiogrid.comparing.condition_recordings import ConditionOutput
from audiogrid.comparing.variant_plans import plan_variants
from audiogrid.core.command import run
from audiogrid.core.json_values import read_document
from audiogrid.core.log import open_log
from audiogrid.core.timebase import clock
from audiogrid.records.identified_languages import read_identified
from audiogrid.records.plan_files.reader import read_plan
from audiogrid.records.run_folder import RunFolder


def main(argv: list[str]) -> None:
    """Write ``compare/plan.json`` and a plan for every variant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compare-dir", type=Path, required=True, help="results/<run>/compare")
    parser.add_argument("--sample", type=Path, required=True)
    parser.add_argument("--conditions", type=Path, nargs="*", default=[], help="what each condition made")
    parser.add_argument(
        "--languages", type=Path, nargs="*", default=[], help="languages.json, where languages were identified"
    )
    parser.add_argument("--settings", type=json.loads, required=True, help="variant -> settings of its plan, JSON")
    parser.add_argument("--models", type=json.loads, required=True, help="variant -> folders of its models, JSON")
    parser.add_argument("--log", type=Path)
    arguments = parser.parse_args(argv)
    log = open_log(arguments.log)
    recordings = read_document(dict[str, Any], arguments.sample)["recordings"]
    recordings += [item for path in arguments.conditions for item in ConditionOutput.read(path).recordings]
    model_dirs = {name: [Path(folder) for folder in folders] for name, folders in arguments.models.items()}
    identified = {name: one for path in arguments.languages for name, one in read_identified(path).items()}
    folder = RunFolder(arguments.compare_dir)
    plans = plan_variants(recordings, arguments.settings, model_dirs, folder, identified)
    for warning in read_plan(folder.plan).warnings:
        print(f"left out: {warning}", file=sys.stderr)
        log.warning("left out: %s", warning)
    first = next(iter(plans.values()))
    line = f"{len(plans)} variant(s) over {len(first.recordings)} recording(s), {clock(first.audio)} for each: "
    line += ", ".join(plans)
    print(line, file=sys.stderr)
    log.info(line)


if __name__ == "__main__":
    run(main)
