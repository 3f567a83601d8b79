"""The command ``chained-logging``: its subcommands, and how it reports their failures.

Exit status 0: done, or intact. 1: tampered with or incomplete. 2: could not be done or checked.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from chained_logging.cli.append import append
from chained_logging.cli.collect import collect
from chained_logging.cli.export import export
from chained_logging.cli.keys import keygen, revoke_key, rotate_key
from chained_logging.cli.land import land
from chained_logging.cli.output import complain
from chained_logging.cli.proofs import checkpoint, prove
from chained_logging.cli.query import query
from chained_logging.cli.ship import ship
from chained_logging.cli.stores import init, restore
from chained_logging.cli.verify import verify, verify_proof
from chained_logging.cli.witness import witness
from chained_logging.errors import ChainedLoggingError

_COMMANDS = (
    *(append, collect, query, export),
    *(verify, checkpoint, prove, verify_proof, witness),
    *(keygen, rotate_key, revoke_key),
    *(init, ship, land, restore),
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="chained_logging")
def cli() -> None:
    """Keep an audit log that anyone can check.

    LOG is a JSON Lines file or an SQLite database, such as audit.jsonl or audit.db. Leave it out to
    use the log that chained-logging.toml names.
    """


for _command in _COMMANDS:
    cli.add_command(_command)


def main() -> NoReturn:
    """Run a command. A failure prints one sentence and exits with 2, never with a traceback."""
    try:
        cli(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as problem:
        problem.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:  # the reader stopped reading: `query | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except (ChainedLoggingError, OSError, ValueError, ImportError) as problem:
        complain(f"chained-logging: {problem}")
        sys.exit(2)
    sys.exit(0)
