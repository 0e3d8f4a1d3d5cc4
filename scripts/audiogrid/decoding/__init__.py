"""From the audio of a chunk to its words: windows, a fast pass over all of them, a careful one where it pays."""
