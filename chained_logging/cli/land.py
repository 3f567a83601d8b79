"""``land``: entries from a stream to where they are kept."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from typing import Any

import click

from chained_logging.cli.options import (
    digest_key_option,
    load_key,
    passphrase_option,
    refuse_options,
    seconds_option,
)
from chained_logging.cli.output import say
from chained_logging.cli.types import NUMBERS
from chained_logging.ship import open_destination


@click.command()
@click.argument("stream")
@click.option(
    "--to",
    "destination",
    required=True,
    metavar="URL",
    help="Destination: postgresql://… or s3://bucket/prefix.",
)
@click.option(
    "--partitions",
    type=NUMBERS,
    help="Partitions to read, such as 0-7 or 1,3. The default is all of them.",
)
@click.option("--once", is_flag=True, help="Stop when the stream is empty.")
@click.option("--status", "only_status", is_flag=True, help="Move nothing; print what is waiting.")
@click.option("--resume", metavar="ORIGIN", help="Name of a stopped log, to continue with it.")
@seconds_option(
    "--patience", default=60.0, help="With --once: time after which the command gives up."
)
@digest_key_option
@passphrase_option
@click.option("--json", "as_json", is_flag=True, help="Print the status as JSON.")
def land(
    stream: str,
    destination: str,
    partitions: list[int] | None,
    once: bool,
    only_status: bool,
    resume: str | None,
    patience: float,
    digest_key: str | None,
    passphrase_file: str | None,
    as_json: bool,
) -> None:
    """Move entries from a stream into PostgreSQL or S3.

    The command reads STREAM (nats://…) until it is stopped. Any number of these commands can run at
    the same time. If something is wrong with a log, that log is stopped and the others continue.
    Exit status 0: done. 1: a log is stopped. 2: entries are left in the stream, or the command
    failed.
    """
    from chained_logging.net.signals import ended_by_signal
    from chained_logging.ship.land import Landing

    refuse_options(only_status, "cannot be combined with --status", "once", "resume", "digest_key")
    refuse_options(resume is not None, "cannot be combined with --resume", "once")
    refuse_options(not once, "needs --once", "patience")
    refuse_options(digest_key is None, "needs --key", "passphrase_file")
    refuse_options(not destination.startswith("s3:"), "applies to s3:// only", "digest_key")
    signer = load_key(digest_key, passphrase_file) if digest_key else None
    landing = Landing(
        stream, lambda: open_destination(destination, signer=signer), partitions=partitions
    )
    complete = True
    with closing(landing):
        if resume is not None:
            landing.resume(resume)
        elif once:
            complete = landing.land(patience)
        elif not only_status:
            landing.run(ended_by_signal())
        status = landing.status()
    _print_status(status, as_json)
    sys.exit(1 if status["stopped"] else 0 if complete else 2)


def _print_status(status: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(status))
        return
    waiting = status["messages_waiting"] + status["messages_unacknowledged"]
    oldest = f", the oldest for {status['oldest_seconds']:,.0f} s" if waiting else ""
    say(f"{status['destination']}: {waiting:,} messages wait{oldest}")
    for origin, reason in status["stopped"].items():
        say(f"ALERT: {origin} is stopped: {reason}")
