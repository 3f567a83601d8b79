"""What others wrote cannot steer the terminal; what is stored is printed as it is."""

from __future__ import annotations

import click
from click.testing import CliRunner

from chained_logging.cli.output import complain, say, write

STEERING = "a\x1b[2J\u202eb"
SHOWN = "a\\x1b[2J\\u202eb\n"


@click.command()
def speaks() -> None:
    say(STEERING)
    complain(STEERING)


@click.command()
def writes() -> None:
    write(b"\xff\x1b\n")


def test_sentences_go_to_their_streams_with_controls_as_escapes() -> None:
    done = CliRunner().invoke(speaks, [])
    assert (done.stdout, done.stderr) == (SHOWN, SHOWN)


def test_bytes_are_written_as_they_are() -> None:
    assert CliRunner().invoke(writes, []).stdout_bytes == b"\xff\x1b\n"
