"""Hypotheses of a window: what they hold, how they are scored, which rules of quality they break."""
