"""Stages ``identify`` and ``plan``: from recordings to bundles, chunks and shards, and what they will cost."""
