"""``python -m audiogrid.cli``: the command ``audiogrid`` where its entry point is not installed."""

from audiogrid.cli.main import main

main()
