"""Stage ``report``, and ``status``: what a person reads about a run."""
