"""Stage ``probe``: from what the user names to accepted recordings and their facts."""
