"""The command ``chained-logging``: its subcommands, and how it reports their failures.

Exit status 0: done, or intact. 1: tampered with or incomplete. 2: could not be done or checked.
"""

from __future__ import annotations

import os
import select
import sys
from typing import Any, Final, NoReturn

import click

from chained_logging.cli.alerts import acknowledge, alerts, suppress
from chained_logging.cli.append import append
from chained_logging.cli.archive import archive
from chained_logging.cli.backup import backup, backup_test
from chained_logging.cli.checklist import checklist
from chained_logging.cli.collect import collect
from chained_logging.cli.evidence import evidence
from chained_logging.cli.export import export
from chained_logging.cli.hold import hold
from chained_logging.cli.keys import keygen, revoke_key, rotate_key
from chained_logging.cli.land import land
from chained_logging.cli.output import complain
from chained_logging.cli.person_report import person_report
from chained_logging.cli.proofs import checkpoint, prove
from chained_logging.cli.query import query
from chained_logging.cli.report import report
from chained_logging.cli.retention import retention
from chained_logging.cli.review import review
from chained_logging.cli.rules import rules
from chained_logging.cli.ship import ship
from chained_logging.cli.stores import init, restore
from chained_logging.cli.verify import verify, verify_proof
from chained_logging.cli.view import view
from chained_logging.cli.watch import health, watch
from chained_logging.cli.witness import witness
from chained_logging.errors import ChainedLoggingError

_COMMANDS = (
    *(append, collect, query, view, export, evidence, report, person_report, checklist),
    *(alerts, acknowledge, suppress, rules, watch, health, review),
    *(verify, checkpoint, prove, verify_proof, witness),
    *(keygen, rotate_key, revoke_key),
    *(hold, retention),
    *(init, ship, land, restore, backup, backup_test, archive),
)

_STDOUT: Final = 1


class _Commands(click.Group):
    """The group. It judges broken pipes itself: click would exit with 1, which says tampered."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            print(end="", flush=True)  # does nothing where there is no standard output: `>&-`
        except BrokenPipeError as problem:
            if not _reader_left():
                raise ChainedLoggingError(f"a connection was closed: {problem}") from problem
            sys.exit(0)
        return result


def _reader_left() -> bool:
    """Whether standard output is a pipe that nobody reads any more: `query | head`."""
    poll = select.poll()
    poll.register(_STDOUT, 0)  # errors alone
    if not poll.poll(0):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), _STDOUT)  # what is still to be flushed goes there
    return True


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
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
    except click.ClickException as problem:
        problem.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except (ChainedLoggingError, OSError, ValueError, ImportError) as problem:
        complain(f"chained-logging: {problem}")
        sys.exit(2)
    sys.exit(0)
