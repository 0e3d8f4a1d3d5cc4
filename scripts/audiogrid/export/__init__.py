"""Renders a transcript document in every output format, and the HTML pages."""
