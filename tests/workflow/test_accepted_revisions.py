"""Results that earlier revisions of the decoding code left in a store, and the texts of the present one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import runs
from audiogrid.decoding.revisions import REVISION

pytestmark = pytest.mark.workflow

# Made on two of the sample recordings by the last version whose keys held no revision.
STORE = Path(__file__).parent / "store_revision_0"
SAMPLES = {"field_notes": "field_notes.wav", "night_watch": "night_watch.ogg"}


@pytest.fixture
def old_store(workspace):
    """A workspace with the two recordings and a store that holds their results of revision 0."""
    (workspace.path / "in").mkdir()
    for name in SAMPLES.values():
        shutil.copy(workspace.path / "samples" / "recordings" / name, workspace.path / "in")
    for path in STORE.glob("*.json"):
        target = workspace.path / "results" / "store" / path.name[:2] / path.name
        target.parent.mkdir(parents=True)
        shutil.copy(path, target)
    return workspace


def test_accepted_results_of_before_are_used_as_they_are(old_store):
    before = runs.stored(old_store.path / "results" / "store")
    config = ("--config", "run=x", "recordings=in")
    assert "to decode    2 chunk(s)" in old_store.snakemake("plan", *config).stdout
    old_store.snakemake(*config, "accept_revisions=[0]")
    run = old_store.path / "results" / "x"
    assert sum(runs.decoded(run).values()) == 0
    assert runs.stored(old_store.path / "results" / "store") == before
    for name in SAMPLES:
        # Where paragraphs begin is decided when texts are merged.
        assert runs.text(run, name).split() == (STORE / f"{name}.txt").read_text().split()
    report = json.loads((run / "shards" / "s0001.json").read_text())
    assert set(report["facts"]["keys"].values()) == before.keys()
    assert "to decode    nothing" in old_store.snakemake("plan", *config, "accept_revisions=[0]").stdout
    # Whoever accepts them no longer keeps the transcripts: the key changes no rule's parameters.
    assert "Nothing to be done" in old_store.snakemake(*config).stdout


def test_a_changed_text_needs_a_revision(base_model):
    """The known clip, and once more 20 dB more quietly, with all defaults but those that depend on the processor.

    In float32 and with one runtime, the same text was measured with AVX-512, AVX2, AVX and without either. In int8,
    and with OpenVINO in bfloat16, words at the limit of certainty differ between processors.
    """
    import numpy as np

    from audiogrid.decoding.engine import ChunkAudio, Engine
    from audiogrid.decoding.options import DecodeOptions
    from audiogrid.hardware.known_clip import read_clip

    pcm = read_clip()
    both = np.concatenate([pcm, (pcm * 0.1).astype("<i2")])
    chunk = ChunkAudio(both, (0, len(both)), DecodeOptions(encoder="ctranslate2"))
    ((_, result),) = Engine(base_model, threads=1, compute_type="float32").decode([chunk])
    texts = json.loads((Path(__file__).parent / "exact_texts.json").read_text())
    assert [segment.text for segment in result.segments] == texts.get(str(REVISION)), (
        "decoding writes another text: raise REVISION in decoding/revisions.py, add an entry to CHANGED_DEFAULTS, and "
        "record the new text under the new revision in exact_texts.json, beside those of before"
    )
