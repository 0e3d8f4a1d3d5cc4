"""Make one condition of every recording of a sample."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from audiogrid.comparing.condition_recordings import make_condition
from audiogrid.config.conditions import parse_condition
from audiogrid.core.atomic_files import read_json
from audiogrid.core.command import run
from audiogrid.core.log import open_log


def main(argv: list[str]) -> None:
    """Write the sound files of the condition, then the list of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=Path, required=True, help="sample.json")
    parser.add_argument("--condition", required=True, help="as in the configuration: 'mp3 32', or its name: mp3-32k")
    parser.add_argument("--folder", type=Path, required=True, help="where the sound files go")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--log", type=Path)
    arguments = parser.parse_args(argv)
    log = open_log(arguments.log)

    def warn(sentence: str) -> None:
        log.warning(sentence)
        print(sentence, file=sys.stderr)

    condition = parse_condition(arguments.condition)
    made = make_condition(read_json(arguments.sample)["recordings"], condition, arguments.folder, warn)
    made.write(arguments.output)
    log.info("%s: %d recording(s)", condition.name, len(made.recordings))


if __name__ == "__main__":
    run(main)
