"""Snakemake that looks after its Slurm jobs once a second, also where a program under test starts it.

Python imports this at its start where the folder is in PYTHONPATH. ``fast_snakemake.py`` says why.
"""

import sys

if sys.orig_argv[1:3] == ["-m", "snakemake"] and "--mode" not in sys.orig_argv:
    from snakemake_executor_plugin_slurm import Executor

    Executor.next_seconds_between_status_checks = property(lambda self: 1, lambda self, seconds: None)
