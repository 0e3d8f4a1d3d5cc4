"""Profiles: Snakemake ignores a misspelt mapping and a rule that is not there without a word; these tests do not."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from places import ROOT

PROFILES = sorted((ROOT / "profiles").glob("*/config.yaml"))
# Keys that map rules (or resources) to values.
BY_RULE = ("set-resources", "set-threads")
# What the Slurm executor reads of a job's resources (its documentation and submit_string.py), and Snakemake itself.
EXECUTOR_RESOURCES = {
    *("slurm_account", "slurm_partition", "slurm_extra", "slurm_cluster", "clusters", "constraint", "qos", "gres"),
    *("gpu", "gpu_model", "nodes", "tasks", "tasks_per_node", "tasks_per_gpu", "cpus_per_task", "cpus_per_gpu"),
    *("mem_mb", "mem_mb_per_cpu", "disk_mb", "runtime", "mpi"),
}


def known_options() -> set[str]:
    from snakemake.cli import get_argument_parser

    return {option.removeprefix("--") for option in get_argument_parser()._option_string_actions if option[:2] == "--"}


def rules() -> dict[str, str]:
    """Name -> text of every rule of the workflow."""
    text = "\n".join(path.read_text() for path in [ROOT / "workflow" / "Snakefile", *ROOT.glob("workflow/rules/*.smk")])
    parts = re.split(r"^(?:rule|checkpoint) (\w+):$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def own_resources() -> set[str]:
    """Resources that rules of the workflow name."""
    names: set[str] = set()
    for body in rules().values():
        if block := re.search(r"^    resources:\n((?:        .*\n|\n)+)", body, flags=re.MULTILINE):
            names |= set(re.findall(r"^        (\w+)=", block[1], flags=re.MULTILINE))
    return names


def mistakes(profile: dict[str, Any]) -> list[str]:
    """What Snakemake would pass over in silence, or complain of only on a cluster."""
    options, known = known_options(), rules()
    found = [f"no option {key}" for key in profile if key not in options]
    resources = own_resources() | EXECUTOR_RESOURCES
    for key in BY_RULE:
        found += [f"{key}: no rule {rule}" for rule in profile.get(key, {}) if rule not in known]
    named = {"default-resources": profile.get("default-resources") or {}, **(profile.get("set-resources") or {})}
    for where, values in named.items():
        found += [f"{where}: no resource {name}" for name in values if name not in resources]
    return found


def uncommented(text: str) -> str:
    """A profile with all its examples switched on: lines like ``# key: value`` and ``  # key: value``."""
    return re.sub(r"^( *)# ?([a-z][\w-]*: [^\s].*)$", example, text, flags=re.MULTILINE)


def example(match: re.Match[str]) -> str:
    """The line behind the # if it is YAML and no sentence."""
    line = re.split(r"\s+# ", match[2])[0]
    is_value = re.fullmatch(r'[\w-]+: (".*"|[\w./-]+)', line)
    return f"{match[1]}{line}" if is_value else match[0]


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.parent.name)
def test_every_key_is_known_and_every_rule_exists(path):
    assert mistakes(yaml.safe_load(path.read_text())) == []


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.parent.name)
def test_so_do_the_examples_in_its_comments(path):
    assert mistakes(yaml.safe_load(uncommented(path.read_text()))) == []


def test_examples_are_found():
    profile = yaml.safe_load(uncommented((ROOT / "profiles" / "slurm" / "config.yaml").read_text()))
    assert profile["default-resources"]["slurm_account"] == "my_project"
    assert profile["set-resources"]["transcribe"]["slurm_partition"] == "gpu"
    assert profile["set-resources"]["transcribe"]["runtime"] == "min(240, 60 * attempt)"
    assert profile["slurm-status-command"] == "squeue"


@pytest.mark.parametrize(
    ("profile", "mistake"),
    [
        ({"default_resources": {"mem_mb": 1}}, "no option default_resources"),
        ({"set-resource": {"transcribe": {"gpu": 1}}}, "no option set-resource"),
        ({"slurm-status-atempts": 5}, "no option slurm-status-atempts"),
        ({"set-resources": {"transcribed": {"gpu": 1}}}, "set-resources: no rule transcribed"),
        ({"set-threads": {"spilt": 1}}, "set-threads: no rule spilt"),
        ({"set-resources": {"transcribe": {"gpus": 1}}}, "transcribe: no resource gpus"),
        ({"default-resources": {"partition": "cpu"}}, "default-resources: no resource partition"),
    ],
)
def test_a_misspelt_word_is_noticed(profile, mistake):
    assert mistake in mistakes(profile)


def test_there_is_no_profile_that_loads_by_itself():
    assert not (ROOT / "profiles" / "default").exists()
    assert not (ROOT / "workflow" / "profiles").exists()


def test_the_short_name_finds_the_profile():
    assert (ROOT / "slurm").is_symlink()
    assert (ROOT / "slurm" / "config.yaml").samefile(ROOT / "profiles" / "slurm" / "config.yaml")


def test_snakemake_takes_the_slurm_profile_whole(bare_workspace):
    done = bare_workspace.run("snakemake", "--profile", "slurm", "--dry-run", "--quiet", "--config", "run=x")
    assert "error" not in done.stdout.lower()


@pytest.mark.parametrize("name", ["007", "2024_01"])
def test_a_run_keeps_the_spelling_of_its_name(bare_workspace, name):
    file = bare_workspace.path / "batch.yaml"
    file.write_text(f"run: {name}\n")
    for options in (("--configfile", "batch.yaml"), ("--config", f"run={name}")):
        done = bare_workspace.run("snakemake", "--profile", "profiles/local", "--summary", *options)
        assert f"results/{name}/probe.json" in done.stdout
