"""``verify`` and ``verify-proof``: the checks of ``verify.py``, with its options."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from chained_logging import config
from chained_logging.cli.archive import archive_option
from chained_logging.cli.types import FilePath
from chained_logging.verify import OPTIONS
from chained_logging.verify import main as verify_main


def _verifier_options(*, of_proof: bool = False) -> Callable[[Any], Any]:
    """Return a decorator for the options of verify.py, from its own table.

    :param of_proof: whether to leave out the options that do not apply to proofs.
    """

    def decorate(command: Any) -> Any:
        for option in reversed(OPTIONS):
            if of_proof and not option.of_proof:
                continue
            settings: dict[str, Any] = {"is_flag": True}
            if option.metavar is not None:
                file = option.metavar == "FILE"
                settings = {
                    "metavar": option.metavar,
                    "multiple": option.many,
                    "type": FilePath(dir_okay=False) if file else str,
                }
            command = click.option(option.flag, help=option.help, **settings)(command)
        return command

    return decorate


def _verifier_arguments(given: dict[str, Any]) -> list[str]:
    """Return options as verify.py takes them on its own command line."""
    arguments = []
    for option in OPTIONS:
        value = given.get(option.name)
        if option.metavar is None:
            arguments += [option.flag] if value else []
        else:
            values = value or () if option.many else [value]
            arguments += [f"{option.flag}={one}" for one in values if one is not None]
    return arguments


@click.command()
@click.argument("logs", nargs=-1, metavar="[LOG]...", type=click.Path())
@archive_option
@_verifier_options()
def verify(logs: tuple[str, ...], archive: str | None, **options: Any) -> None:
    """Check whether LOG is intact.

    LOG is a file, several files of one log, a folder with logs, or a central store
    (postgresql://..., s3://... or nats://...). Without LOG, the configured log is checked.

    An auditor can run the same checks without this package: chained_logging/verify.py is a single
    file that needs Python, and the package cryptography for signatures. It cannot read central
    stores.
    """
    from chained_logging.review.opening import is_url
    from chained_logging.review.stores import CentralStores

    if not (logs or options["proof"] or options["evidence"]):
        named = config.load().get("log")
        if named is None:
            raise click.UsageError(
                f"give LOG, or name it in {config.FILE}, or give --proof or --evidence"
            )
        logs = (named,)
    of_store = bool(logs) and is_url(logs[0])
    stores = CentralStores(archive if of_store else None)
    with contextlib.ExitStack() as stack:
        if archive is not None and not of_store:
            if len(logs) != 1:
                raise click.UsageError("--archive needs one LOG")
            logs = (*logs, *stack.enter_context(_archived(archive, logs[0])))
        status = verify_main([*_verifier_arguments(options), "--", *logs], stores)
    sys.exit(status)


@contextlib.contextmanager
def _archived(archive: str, log: str) -> Iterator[list[str]]:
    """Yield the files of a log in an archive."""
    from chained_logging.review.archive.stores import at_hand

    with at_hand(archive, Path(log)) as paths:
        yield list(map(str, paths))


@click.command("verify-proof")
@click.argument("file", type=FilePath(dir_okay=False))
@_verifier_options(of_proof=True)
def verify_proof(file: str, **options: Any) -> None:
    """Check the proof in FILE, without the log.

    FILE comes from chained-logging prove. If it proves that a log only grew, give the earlier
    state with --checkpoint. The command is the same as chained_logging/verify.py --proof FILE.
    """
    sys.exit(verify_main([*_verifier_arguments(options), f"--proof={file}"]))
