"""Stage ``transcribe``: a shard through worker processes and MPI ranks into the store."""
