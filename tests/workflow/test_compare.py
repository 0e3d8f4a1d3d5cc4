"""Variants on real prompts: a rollout, a comparison under conditions, a promotion; nothing is decoded twice."""

from __future__ import annotations

import json

import jiwer
import pytest
import yaml
from whisper_normalizer.english import EnglishTextNormalizer

import runs
from audiogrid.config.sampling import is_rolled_out
from media import write_wav

pytestmark = pytest.mark.workflow
NAMES = ("a", "b", "c", "d")
CONFIG = {
    "run": "x",
    "recordings": "in/list.tsv",
    "formats": ["json", "txt"],
    "variants": {"wide": {"decoding": {"beam_size": 5}}},
    "rollout": {"variant": "wide", "share": "50 %"},
    "compare": {"sample": "all"},
    "conditions": ["telephone", "noise 0 dB", "mp3 16"],
}


def test_variants_are_rolled_out_compared_and_promoted(workspace, human_speech):
    folder = workspace.path / "in"
    folder.mkdir()
    rows = ["recording\tpath\tlanguage\treference\tdevice"]
    for number, name in enumerate(NAMES):
        said = human_speech("en", 4, skip=40 + 4 * number)
        write_wav(folder / f"{name}.wav", said.pcm)
        (folder / f"{name}.txt").write_text(said.text)
        rows.append(f"{name}\t{name}.wav\ten\t{name}.txt\t{'desk' if number < 2 else 'phone'}")
    (folder / "list.tsv").write_text("\n".join(rows) + "\n")
    (workspace.path / "c.yaml").write_text(yaml.safe_dump(CONFIG))
    run, store = workspace.path / "results" / "x", workspace.path / "results" / "store"

    # A share of the recordings follows the variant, and the summary says which.
    workspace.snakemake("--configfile", "c.yaml")
    rolled_out = {name for name in NAMES if is_rolled_out(name, 0.5)}
    assert 0 < len(rolled_out) < len(NAMES)
    summary = {row["recording"]: row["variant"] for row in runs.table(run / "summary.tsv")}
    assert summary == {name: "wide" if name in rolled_out else "" for name in NAMES}
    first = runs.stored(store)
    assert len(first) == len(NAMES)

    # Both ways for all of them, as they are and under three conditions; what the run has decoded stays.
    done = workspace.snakemake("compare", "--configfile", "c.yaml")
    assert "comparing on 4 of 4 recording(s)" in done.stdout and "4 with a reference" in done.stdout
    compared = runs.stored(store)
    assert {key: compared[key] for key in first} == first
    assert len(compared) == 2 * 4 * len(NAMES)
    assert set(runs.decoded(run / "compare" / "current")) & {f"{name}.0000" for name in NAMES} == {
        f"{name}.0000" for name in rolled_out
    }
    assert not list((run / "compare").rglob("audio.pcm"))
    figures = {
        (row["group"], row["variant"]): row for row in runs.table(run / "compare.tsv") if row["kind"] == "condition"
    }
    assert {group for group, _ in figures} == {"original", "telephone", "noise-0dB", "mp3-16k"}
    for row in figures.values():
        assert row["recordings"] == row["with_reference"] == "4"
        assert float(row["rate_low"]) <= float(row["rate"]) <= float(row["rate_high"])
        assert float(row["speed"]) > 0 and int(row["memory_mb"]) > 100
    # The same figure from jiwer alone, over the transcripts as they lie there.
    for variant in ("current", "wide"):
        clean = EnglishTextNormalizer()
        transcripts = [json.loads((run / f"compare/{variant}/transcripts/{name}.json").read_text()) for name in NAMES]
        texts = [clean(" ".join(segment["text"] for segment in one["segments"])) for one in transcripts]
        truth = [clean((folder / f"{name}.txt").read_text()) for name in NAMES]
        assert float(figures["original", variant]["rate"]) == pytest.approx(jiwer.wer(truth, texts), abs=1e-5)
    assert float(figures["original", "current"]["rate"]) <= 0.15
    assert float(figures["noise-0dB", "current"]["rate"]) > float(figures["original", "current"]["rate"])
    page = (run / "compare.html").read_text()
    for word in ("noise-0dB", "wide", "Rollout", "Where they differ most", "desk"):
        assert word in page
    assert "Nothing to be done" in workspace.snakemake("compare", "--configfile", "c.yaml").stdout

    # One line promotes it; everything is in the store.
    promoted = {**CONFIG, "variant": "wide"}
    (workspace.path / "c.yaml").write_text(yaml.safe_dump(promoted))
    workspace.snakemake("--configfile", "c.yaml")
    assert runs.stored(store) == compared
    assert {row["variant"] for row in runs.table(run / "summary.tsv")} == {""}
