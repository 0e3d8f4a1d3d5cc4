"""Where Snakemake runs the jobs of a run: on this machine, or on a cluster."""

from __future__ import annotations

from typing import Any


def runs_on_cluster(workflow: Any) -> bool:
    """Returns whether jobs run on other machines. ``workflow``: Snakemake's.

    Only functions of rules may ask: Snakemake does not know its executor before it has read all rules.
    """
    if workflow.remote_exec:
        return True
    if workflow.dryrun or workflow.touch:
        # A dry run has no real executor. Runs on a cluster are started with a number of jobs instead of cores.
        return workflow.resource_settings.nodes is not None
    return not workflow.local_exec
