"""``witness``: a server that cosigns other logs' checkpoints."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from chained_logging.cli.options import key_option, load_key, passphrase_option
from chained_logging.cli.types import FilePath


@click.command()
@click.argument("folder", type=FilePath(file_okay=False))
@click.option(
    "--name", required=True, metavar="NAME", help="Name of the witness: its URL without the scheme."
)
@key_option("File with the witness's private key.", required=True)
@passphrase_option
@click.option(
    "--log",
    "logs",
    multiple=True,
    required=True,
    metavar="VKEY",
    help="Public key of a log to cosign for, as a vkey or a file with one. Repeatable.",
)
@click.option(
    "--host",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on.",
)
@click.option(
    "--port",
    metavar="PORT",
    default=8330,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 picks a free one.",
)
def witness(
    folder: str,
    name: str,
    key_file: str,
    passphrase_file: str | None,
    logs: tuple[str, ...],
    host: str,
    port: int,
) -> None:
    """Run a witness for other people's logs.

    The witness cosigns a checkpoint only if it extends the last one that it cosigned for that log.
    It remembers that in FOLDER. Never restore FOLDER from a backup: the witness would forget
    what it signed.

    The witness speaks HTTP (C2SP tlog-witness). If requests come from other machines, put a reverse
    proxy with TLS in front of it. After a log's key was rotated, give both the old and the new
    key, each with --log.
    """
    from chained_logging.transparency.public_keys import log_keys
    from chained_logging.transparency.witness import Witness, WitnessServer

    known = log_keys(logs)
    itself = Witness(Path(folder), name, load_key(key_file, passphrase_file), known)
    with WitnessServer(itself, host, port) as server:
        click.echo(f"{itself.key.format()}\n{server.url}")
        sys.stdout.flush()
        server.serve_forever()
