"""Compare the transcripts of several variants: compare.html and compare.tsv."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from audiogrid.comparing import compare_table
from audiogrid.comparing.compare_page import compare_page
from audiogrid.comparing.comparison import compare
from audiogrid.comparing.rollout_parts import rollout_parts
from audiogrid.core.atomic_files import write_text
from audiogrid.core.command import run
from audiogrid.core.errors import InputError
from audiogrid.core.log import open_log
from audiogrid.records.prices import Prices
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import Store
from audiogrid.scoring.normalising import require_packages


def main(argv: list[str]) -> None:
    """Write the page and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True, help="results/<run>")
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument(
        "--variants", type=json.loads, required=True, help="name -> what it changes, the baseline first, JSON"
    )
    parser.add_argument("--conditions", type=Path, nargs="*", default=[], help="what each condition made")
    parser.add_argument("--prices", type=json.loads, default={}, help="fields of Prices, JSON")
    parser.add_argument("--page", type=Path, required=True, help="compare.html")
    parser.add_argument("--table", type=Path, required=True, help="compare.tsv")
    parser.add_argument("--log", type=Path)
    arguments = parser.parse_args(argv)
    log = open_log(arguments.log)
    require_packages()
    folder = RunFolder(arguments.run_dir)
    store = Store(arguments.store, folder.own_store)
    result = compare(folder, arguments.variants, store, arguments.conditions)
    for line in result.left_out:
        log.warning(line)
        print(f"left out: {line}", file=sys.stderr)
    if not result.judged:
        raise InputError(f"no recording has a transcript with every variant, see {arguments.log or 'above'}")
    prices = Prices(**arguments.prices)
    compare_table.write_compare_table(arguments.table, result, prices)
    write_text(arguments.page, compare_page(result, arguments.page.parent, prices, rollout_parts(folder, store)))
    print(f"compared {', '.join(result.variants)}: {arguments.page}, {arguments.table}", file=sys.stderr)


if __name__ == "__main__":
    run(main)
