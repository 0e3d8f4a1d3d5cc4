"""The shipped samples, as `make run` transcribes them, against their texts; then with glossary and corrections."""

from __future__ import annotations

import csv
import json
from itertools import pairwise

import pysubs2
import pytest
import webvtt

import runs
from places import ROOT
from speech import word_error_rate

pytestmark = pytest.mark.workflow


def test_the_samples_are_read_as_they_were_written(workspace):
    workspace.snakemake()
    run = workspace.path / "results" / "samples"
    table = runs.table(ROOT / "config" / "recordings.tsv")
    assert len(table) >= 3
    for row in table:
        name = row["recording"]
        reference = (ROOT / "config" / row["reference"]).read_text()
        text = runs.text(run, name)
        for speaker in ("Channel 1: ", "Channel 2: "):
            text = text.replace(speaker, "")
        assert word_error_rate(reference, text) <= 0.05, name
        cues = pysubs2.load(str(run / "transcripts" / f"{name}.srt"))
        assert len(cues) == len(webvtt.read(str(run / "transcripts" / f"{name}.vtt")).captions) > 0
        for before, after in pairwise(cues):
            assert before.start < before.end <= after.start
    _their_glossary_and_corrections(workspace)


def _their_glossary_and_corrections(workspace):
    before = runs.stored(workspace.path / "results" / "store")
    workspace.snakemake("--config", "run=checked", "corrections=samples/corrections", "glossary=samples/glossary.tsv")
    run = workspace.path / "results" / "checked"
    store = workspace.path / "results" / "store"
    after = runs.stored(store)
    assert {key: after[key] for key in before} == before
    new = [json.loads((store / key[:2] / f"{key}.json").read_text())["result"] for key in set(after) - set(before)]
    assert new and all(one["scores"] for one in new), "something was decoded again"
    with (ROOT / "samples" / "glossary.tsv").open() as lines:
        rows = csv.DictReader((line for line in lines if not line.startswith("#")), delimiter="\t")
        never = {row["never"] for row in rows if row["never"]}
    texts = "".join(path.read_text() for path in (run / "transcripts").glob("*.txt"))
    assert len(never) >= 4 and not [form for form in never if form in texts]
    changes = runs.table(run / "names.tsv")
    assert {row["reason"] for row in changes} == {"never"} and {row["term"] for row in changes} >= {"neighbour"}
    walk = json.loads((run / "transcripts" / "harbour_walk.json").read_text())
    counts = walk["provenance"]["corrections"]
    assert (counts["applied"], counts["unapplied"]) == (15, 0), walk.get("unapplied")
    # What people wrote is the reference, but for the numerals of dates.
    reference = (ROOT / "samples" / "references" / "harbour_walk.txt").read_text()
    assert word_error_rate(reference, runs.text(run, "harbour_walk")) <= 0.01
