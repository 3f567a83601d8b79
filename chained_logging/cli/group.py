"""The command ``chained-logging``: its subcommands, and how it reports their failures.

Exit status 0: done, or intact. 1: tampered with or incomplete. 2: could not be done or checked.
"""

from __future__ import annotations

import os
import select
import sys
from collections import UserDict
from importlib import import_module
from typing import Any, Final, NoReturn

import click

from chained_logging.cli.output import complain
from chained_logging.errors import ChainedLoggingError

_COMMANDS: Final = {
    **{name: name for name in ("append", "archive", "checklist", "collect", "evidence", "export")},
    **{name: name for name in ("hold", "land", "query", "report", "retention", "review", "rules")},
    **{name: name for name in ("ship", "view", "witness")},
    **dict.fromkeys(("alerts", "acknowledge", "suppress"), "alerts"),
    **dict.fromkeys(("backup", "backup-test"), "backup"),
    **dict.fromkeys(("checkpoint", "prove"), "proofs"),
    **dict.fromkeys(("init", "restore"), "stores"),
    **dict.fromkeys(("keygen", "revoke-key", "rotate-key"), "keys"),
    **dict.fromkeys(("verify", "verify-proof"), "verify"),
    **dict.fromkeys(("watch", "health"), "watch"),
    "person-report": "person_report",
}
"""The commands, each with the module of this package that has it."""

_STDOUT: Final = 1


class _Imported(UserDict[str, Any]):
    """The commands by their names. A module is imported when one of its commands is asked for."""

    def __getitem__(self, name: str) -> click.Command:
        found = self.data[name]
        if isinstance(found, str):
            module = import_module(f"chained_logging.cli.{found}")
            found = self.data[name] = getattr(module, name.replace("-", "_"))
        command: click.Command = found
        return command


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


@click.group(
    cls=_Commands,
    commands=_Imported(_COMMANDS),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="chained_logging")
def cli() -> None:
    """Keep an audit log that anyone can check.

    LOG is a JSON Lines file or an SQLite database, such as audit.jsonl or audit.db. Leave it out to
    use the log that chained-logging.toml names.
    """


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
