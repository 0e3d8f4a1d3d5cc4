"""The workflow on a cluster without faults: what it submits, where it runs, and that the text is the same."""

from __future__ import annotations

import json

import pytest
import yaml

import runs
from cluster import wait_until

pytestmark = [pytest.mark.workflow, pytest.mark.slurm]

CHUNKS = 6


def test_a_run_on_the_cluster_gives_the_same_transcripts(site, reference):
    """Every day the crontab line of docs/archive.md, twice at once on the second one, which brings a recording more."""
    options = ("probing={files_per_job: 1}",)
    table = site.path / "in" / "recordings.tsv"
    rows = table.read_text().splitlines()
    table.write_text("\n".join(rows[:-1]) + "\n")
    # Its budget is used up as soon as a chunk is being decoded. Jobs on the nodes finish what they are at.
    # What it prints is the end of its log.
    mail = site.finish(site.cron(*options, "budget={core_hours: 0.0004}"))
    assert "Stopped: its budget of 0.0004 core-hours is used up. The same command goes on" in mail
    first = site.stored()
    assert 1 <= len(first) < CHUNKS - 1
    assert site.endings() == {"its budget of 0.0004 core-hours is used up"}
    assert site.jobs("PENDING", "RUNNING") == []

    # The next day one call does the rest, and the other has nothing to say.
    table.write_text("\n".join(rows) + "\n")
    calls = [site.cron(*options), site.cron(*options)]
    assert [site.finish(call) for call in calls] == ["", ""]
    assert runs.transcripts(site.run) == reference
    assert set(runs.decoded(site.run).values()) == {1}
    after = site.stored()
    assert len(after) == CHUNKS
    assert {key: after[key] for key in first} == first
    rules = [job["comment"].split("_wildcards")[0] for job in site.jobs("COMPLETED")]
    # Only what is worth a job is one.
    assert set(rules) == {"rule_probe_part", "rule_split", "rule_transcribe"}
    # Files were looked at once, by jobs.
    assert rules.count("rule_probe_part") == 3
    assert site.finish(site.cron(*options)) == ""
    log = (site.path / "cron.log").read_text()
    assert log.count("Using profile") == 3 and "Nothing to be done" in log.splitlines()[-2:][0] + log.splitlines()[-1]


def test_voices_are_embedded_and_texts_aligned_on_the_cluster_as_here(site, speakers_model):
    """The texts of both runs come from one store: what differs is where voices are embedded and texts aligned."""
    (site.path / "models" / "speakers").symlink_to(speakers_model, target_is_directory=True)
    (site.path / "in" / "texts.tsv").write_text(
        "path\tlanguage\ttext\nen.wav\ten\ten.txt\nes.wav\tes\tes.txt\nfr.wav\tfr\t\nit.wav\tit\t\n"
    )
    options = ("recordings=in/texts.tsv", "speakers=auto", "word_times=fine")

    # The job that aligns the English chunks is killed when it has done one of them.
    slow = {f"align:en.000{number}": {"do": "pause", "seconds": 4, "times": 1} for number in range(3)}
    process = site.start(*options, env=site.faults(slow))
    wait_until(lambda: "en" in {chunk[:2] for chunk in runs.decoded(site.run, "aligned")}, 600, "an aligned chunk")
    before = site.stored()
    victims = [job["id"] for job in site.running("align") if "s0001" in job["comment"]]
    assert victims
    # Not only SIGTERM, after which it would wait for its chunk.
    site.cluster.ask("scancel", "--signal=KILL", *victims)
    site.cluster.ask("scancel", *victims)
    site.finish(process)
    after = site.stored()
    assert {key: after[key] for key in before} == before
    jobs = site.jobs()
    assert {job["state"] for job in jobs if job["id"] in victims} <= {"CANCELLED", "FAILED"}
    rules = [job["comment"].split("_wildcards")[0] for job in jobs if job["state"] == "COMPLETED"]
    assert "rule_embed" in rules
    assert rules.count("rule_align") == 2
    assert set(runs.decoded(site.run, "aligned").values()) == {1}

    voices, texts = _stored(site, "tracklets"), _stored(site, "scores")
    assert len(voices) == 6
    assert len(texts) == 4
    for path in [*voices, *texts]:
        path.unlink()
    site.workspace.snakemake("--config", *site.settings, "run=here", *options)
    assert set(runs.decoded(site.path / "results" / "here").values()) == set()
    assert all(path.is_file() for path in [*voices, *texts])
    assert runs.transcripts(site.path / "results" / "here") == runs.transcripts(site.run)


def _stored(site, field):
    """Results in the store that have a field."""
    return [path for path in site.store.glob("??/*.json") if field in json.loads(path.read_text())["result"]]


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
