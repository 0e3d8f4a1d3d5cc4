"""What the Snakemake workflow catalogue reads of this repository is true."""

from __future__ import annotations

import yaml

from places import ROOT


def test_the_catalogue_file_says_what_is_there() -> None:
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    flags = usage["mandatory-flags"]["flags"].split()
    assert flags[0] == "--profile" and (ROOT / flags[1] / "config.yaml").is_file()
    # No rule has an environment of its own that Snakemake could build from the package index or conda alone.
    assert set(usage["software-stack-deployment"].values()) == {False}
    assert usage["report"] is True
    assert "report(" in (ROOT / "workflow" / "rules" / "report.smk").read_text()
    assert (ROOT / "config" / "README.md").is_file()


def test_the_test_folder_is_a_run_of_the_whole_workflow(bare_workspace) -> None:
    options = ("--directory", ".test", "--cores", "2", "--summary")
    done = bare_workspace.run("snakemake", *options)
    assert "results/test/probe.json" in done.stdout
    config = yaml.safe_load((ROOT / ".test" / "config" / "config.yaml").read_text())
    assert all((ROOT / ".test" / path).is_file() for path in config["recordings"])
