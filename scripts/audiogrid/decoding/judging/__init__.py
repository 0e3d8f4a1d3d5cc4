"""Hypotheses of a window: what they hold, how they are scored, which are suspicious."""
