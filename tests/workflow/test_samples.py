"""The shipped samples, as `make run` transcribes them, against their texts."""

from __future__ import annotations

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
