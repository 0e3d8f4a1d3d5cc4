"""Comparing variants: error rates with intervals, agreement, examples, conditions made on purpose."""
