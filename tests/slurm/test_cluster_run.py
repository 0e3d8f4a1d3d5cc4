"""The workflow on a cluster without faults: what it submits, where it runs, and that the text is the same."""

from __future__ import annotations

import json

import pytest
import yaml

import runs

pytestmark = [pytest.mark.workflow, pytest.mark.slurm]


def test_a_run_on_the_cluster_gives_the_same_transcripts(site, reference):
    site.go()
    assert runs.transcripts(site.run) == reference
    assert set(runs.decoded(site.run).values()) == {1}
    rules = [job["comment"].split("_wildcards")[0] for job in site.jobs("COMPLETED")]
    # Only what is worth a job is one.
    assert set(rules) == {"rule_split", "rule_transcribe"}


def test_voices_are_embedded_on_the_cluster_as_here(site, speakers_model):
    """The texts of both runs come from one store: what differs is where the voices are embedded."""
    (site.path / "models" / "speakers").symlink_to(speakers_model, target_is_directory=True)
    site.go("speakers=auto")
    embedded = [job for job in site.jobs("COMPLETED") if job["comment"].startswith("rule_embed")]
    assert embedded
    voices = [path for path in site.store.glob("??/*.json") if "tracklets" in json.loads(path.read_text())["result"]]
    assert len(voices) == 6
    for path in voices:
        path.unlink()
    here = ("run=here", "speakers=auto")
    site.workspace.snakemake("--config", *site.settings, *here)
    assert set(runs.decoded(site.path / "results" / "here").values()) == set()
    assert all(path.is_file() for path in voices)
    assert runs.transcripts(site.path / "results" / "here") == runs.transcripts(site.run)


def test_shards_of_two_models_go_to_the_nodes_that_suit_them(site, reference, base_model):
    runs.second_model(site.path / "second", base_model)
    (site.path / "routes.yaml").write_text(
        yaml.safe_dump({"routes": [{"when": {"language": "en"}, "model": "second"}]})
    )
    # As the profile's own lines for routes with several models have it.
    site.edits["transcribe"] = {
        "gpu": "0 if '/second' in input.model else 1",
        "slurm_partition": "'cpu' if '/second' in input.model else 'gpu'",
    }
    site.go("--configfile=routes.yaml")
    # The second model has the same weights, so the text is the same.
    texts = {name: text for name, text in reference.items() if name.endswith(".txt")}
    assert {name: text for name, text in runs.transcripts(site.run).items() if name in texts} == texts
    asked = {
        (job["partition"], "gres:gpu:1" in site.cluster.ask("scontrol", "show", "job", job["id"]))
        for job in site.jobs("COMPLETED")
        if job["comment"].startswith("rule_transcribe")
    }
    assert asked == {("cpu", False), ("gpu", True)}
    models = {row["recording"]: row["model"].split("-")[0] for row in runs.table(site.run / "summary.tsv")}
    assert models == {"en": "second", "es": "base", "fr": "base", "it": "base"}
