"""The command ``audiogrid``: a module per command, thin over the functions that ``make`` and Snakemake use."""
