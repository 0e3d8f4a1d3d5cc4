"""Stage ``embed``: who speaks when. Voice vectors per chunk, clustered over a recording."""
