"""Plans on disk: written in a stream, read by part."""
