"""Error rates of transcripts against references."""
