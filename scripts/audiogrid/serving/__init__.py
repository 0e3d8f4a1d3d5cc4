"""A transcription service: HTTP, a durable queue, watched folders, and two lanes of work."""
