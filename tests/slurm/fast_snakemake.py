"""Snakemake that looks after its Slurm jobs once a second: python fast_snakemake.py ARGUMENTS OF SNAKEMAKE

The executor waits 10 s longer after every look that found no job finished, up to 3 minutes, and has no setting against
it (2.8.0): good manners on a shared cluster, minutes of waiting in every test.
"""

import sys

from snakemake.cli import main
from snakemake_executor_plugin_slurm import Executor

Executor.next_seconds_between_status_checks = property(lambda self: 1, lambda self, seconds: None)
# As if `snakemake` had been typed.
sys.argv[0] = "snakemake"
sys.exit(main())
