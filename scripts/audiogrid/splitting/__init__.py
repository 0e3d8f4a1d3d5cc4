"""Stage ``split``: from recordings to chunks."""
