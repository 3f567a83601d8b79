"""The commands, one file a subject, without logic of their own."""

from chained_logging.cli.group import cli, main

__all__ = ["cli", "main"]
