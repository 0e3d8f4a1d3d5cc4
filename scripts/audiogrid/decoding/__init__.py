"""Turns the audio of a chunk into words: a fast pass over all windows, two more passes over doubtful ones."""
