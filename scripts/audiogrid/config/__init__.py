"""The configuration, parsed and validated once."""
