"""A person's changes to the transcript of a recording: read, merged, written and applied."""
