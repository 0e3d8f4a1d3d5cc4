"""The passes over the windows of a chunk, and what they share."""
