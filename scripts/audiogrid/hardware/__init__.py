"""What this machine can do, and the proof that it does."""
