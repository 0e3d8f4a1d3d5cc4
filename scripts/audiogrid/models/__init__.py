"""The registry of models, and the staging of their weights."""
