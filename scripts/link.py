"""Link the voices of a run: the same person gets the same number in all recordings."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from audiogrid.core.command import run
from audiogrid.core.log import open_log
from audiogrid.embedding.link_run import link_run
from audiogrid.records.plan_files.reader import read_plan
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import VoiceStore


def main(argv: list[str]) -> None:
    """Write which recording has which voice, and the file of voices that the configuration names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True, help="results/<run>")
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--speakers", type=json.loads, required=True, help="the key of the configuration, JSON")
    parser.add_argument("--allow-gaps", choices=["yes", "no"], default="no", help="link recordings with failed chunks")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--log", type=Path)
    arguments = parser.parse_args(argv)
    log = open_log(arguments.log)
    folder = RunFolder(arguments.run_dir)
    store = VoiceStore(arguments.store, folder.own_store)
    gaps = arguments.allow_gaps == "yes"
    history = link_run(folder, read_plan(folder.plan), store, arguments.speakers, allow_gaps=gaps)
    history.write(arguments.output)
    voices = {voice for tracks in history.links.values() for ids in tracks.values() for voice in ids}
    log.info("%d recording(s), %d voice(s)", len(history.links), len(voices))
    print(f"{len(voices)} voice(s) in {len(history.links)} recording(s), linked in {history.file}", file=sys.stderr)


if __name__ == "__main__":
    run(main)
