"""Renders a transcript in one format each: a module per kind of program that reads the files."""
