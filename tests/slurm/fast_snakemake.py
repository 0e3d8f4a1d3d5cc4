"""Snakemake that looks after its Slurm jobs once a second: python fast_snakemake.py ARGUMENTS OF SNAKEMAKE

The executor waits 10 s longer after every look that found no job finished, up to 3 minutes, and has no setting against
it (2.8.0): good manners on a shared cluster, minutes of waiting in every test.
"""

import importlib
import sys

from snakemake.cli import main
from snakemake_executor_plugin_slurm import Executor

# A job that Slurm does not know is given up after a minute.
sys.path.insert(0, "scripts")
lost_jobs = importlib.import_module("audiogrid.orchestration.lost_jobs")
lost_jobs.PATIENCE_SECONDS = 3.0
Executor.next_seconds_between_status_checks = property(lambda self: 1, lambda self, seconds: None)
# As if `snakemake` had been typed.
sys.argv[0] = "snakemake"
sys.exit(main())
