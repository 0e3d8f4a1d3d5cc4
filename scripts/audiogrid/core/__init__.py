"""The ground that everything else stands on: errors, files, times, languages; nothing of the domain."""
