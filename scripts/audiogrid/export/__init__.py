"""A transcript document as files in every output format, and as pages."""
