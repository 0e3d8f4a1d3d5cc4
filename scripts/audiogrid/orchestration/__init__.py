"""Everything that knows Snakemake, Slurm or containers."""
