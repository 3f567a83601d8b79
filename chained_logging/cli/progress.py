"""A question before entries are removed, and a bar while they are."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

import click


def asked_twice(count: int, where: str) -> None:
    """Ask twice whether to remove entries. Without a terminal, nobody could answer.

    :param where: the log, or the store.
    :raises click.Abort: if the answer is no.
    """
    if not count:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is there to be asked: give --yes")
    click.confirm(f"Remove {count:,} entries from {where}?", abort=True, err=True)
    typed = click.prompt("They cannot be brought back from it. Type their number", err=True)
    if typed.replace(",", "").strip() != str(count):
        raise click.Abort


@contextlib.contextmanager
def bar(count: int) -> Iterator[Callable[[int], None] | None]:
    """Show a progress bar, if standard error is a terminal."""
    if not count or not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=count, label="removing", file=sys.stderr) as shown:
        yield lambda done: shown.update(done - shown.pos)
