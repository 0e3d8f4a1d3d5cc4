"""Where Snakemake runs the jobs of a run, on this machine or on a cluster, and how often it looks for jobs to start."""

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


#: How many jobs Snakemake starts in how many seconds unless a profile or the command line says otherwise.
_DEFAULT_RATE = (100, 1)


def lift_default_rate(scheduler: Any) -> None:
    """Remove the limit on job starts that Snakemake has by default; one that somebody has set stays.

    ``scheduler``: Snakemake's, before it starts the first job. With a limit, Snakemake (9.27) looks at all waiting jobs
    again after each timespan, and each of these looks, like each job that ends, asks for one more: after a thousand
    jobs it looks a thousand times a second. Cores and ``jobs`` limit how many run in any case.
    """
    limiter = getattr(scheduler, "job_rate_limiter", None)
    if limiter is not None and (limiter.max_jobs, limiter.timespan) == _DEFAULT_RATE:
        scheduler.job_rate_limiter = None
