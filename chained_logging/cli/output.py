"""What commands write."""

from __future__ import annotations

import sys

import click

from chained_logging.text import printable


def write(data: bytes) -> None:
    """Write bytes to standard output as they are, without flushing it."""
    sys.stdout.buffer.write(data)


def say(sentence: str) -> None:
    """Print a sentence to standard output. What others wrote in it cannot steer the terminal."""
    click.echo(printable(sentence))


def complain(sentence: str) -> None:
    """Print a sentence to standard error. What others wrote in it cannot steer the terminal."""
    click.echo(printable(sentence), err=True)
