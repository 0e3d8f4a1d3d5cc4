"""audiogrid: recordings in, accurate time-stamped transcripts out.

The library behind the commands in ``scripts/``. Nothing in it knows Snakemake.
"""

__version__ = "0.1.0"
