"""Print the progress of a run, or the text of a recording as far as it is transcribed."""

from __future__ import annotations

import argparse
from pathlib import Path

from audiogrid.core.command import run
from audiogrid.records.run_folder import RunFolder
from audiogrid.reporting.recorded_settings import run_store
from audiogrid.reporting.status import status_lines, text_so_far


def main(argv: list[str]) -> None:
    """Print the state of a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path, help="results/<run>")
    parser.add_argument("--text", metavar="RECORDING", help="print what is transcribed of this recording so far")
    parser.add_argument("--store", type=Path, help="default: the one that the run was started with")
    arguments = parser.parse_args(argv)
    folder = RunFolder(arguments.run_dir)
    if arguments.text is not None:
        lines = text_so_far(folder, arguments.text, arguments.store or run_store(folder))
    else:
        lines = status_lines(folder)
    print("\n".join(lines))


if __name__ == "__main__":
    run(main)
