"""Search over the transcripts of a run: an index in files, which a page reads without a server, and a command."""
