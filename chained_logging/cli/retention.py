"""``retention``: what has been kept for long enough, shown and removed."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from chained_logging import config
from chained_logging.cli.options import (
    existing,
    key_option,
    load_key,
    log_argument,
    passphrase_option,
)
from chained_logging.cli.output import complain, say
from chained_logging.log import AuditLog
from chained_logging.review.reading import Reader
from chained_logging.review.retention.apply import Done, View, apply, look_at
from chained_logging.review.retention.policies import policies_from
from chained_logging.review.retention.told import as_json, outcome, sentences
from chained_logging.sinks import open_sink

_without_copy_option = click.option(
    "--without-copy",
    is_flag=True,
    help="Remove entries that stand nowhere else, too. The log records it.",
)
_json_option = click.option("--json", "json_wanted", is_flag=True, help="Print JSON.")


@click.group()
def retention() -> None:
    """Remove entries whose retention period has ended.

    The policies are tables [retention.NAME] in chained-logging.toml. The longest that applies to an
    entry counts. Of an entry that was removed its hash stays, so everything else still verifies.
    """


@retention.command("plan")
@log_argument(exists=True)
@_without_copy_option
@_json_option
def plan(log: str, without_copy: bool, json_wanted: bool) -> None:
    """Show what would go from LOG, and what keeps the rest. Nothing is changed."""
    path = Path(log)
    view = _looked_at(path, open_sink(path), without_copy)
    _show(view, json_wanted)


@retention.command("apply")
@log_argument(exists=True)
@click.option("--yes", is_flag=True, help="Do not ask, as a timer needs it.")
@_without_copy_option
@key_option("File with the log's private key, which signs what is removed.")
@passphrase_option
@_json_option
def apply_(
    log: str,
    yes: bool,
    without_copy: bool,
    key_file: str | None,
    passphrase_file: str | None,
    json_wanted: bool,
) -> None:
    """Remove what retention plan shows, and finish what a killed call began.

    LOG records it first: which entries, under which policy, and who ran the command. Other
    processes may write to LOG meanwhile. If LOG has a key, --key is needed: without its signature,
    anyone who can write the file could remove entries.
    """
    key = load_key(key_file, passphrase_file) if key_file else None
    with AuditLog(existing(log), key=key, sign="follow", on_failure="raise") as audit:
        view = _looked_at(audit.path, audit, without_copy)
        if not json_wanted:
            _show(view, False)
        if not yes:
            _ask(view)
        with _bar(view.plan.count + view.plan.left.count()) as on_progress:
            done = apply(audit, view, Reader.of_this_process(), on_progress)
    _tell(view, done, json_wanted)


def _looked_at(path: Path, log: Any, without_copy: bool) -> View:
    settings = config.load()
    named = settings.get("log")
    is_configured = named is not None and Path(named).resolve() == path.resolve()
    return look_at(
        path,
        log,
        policies_from(config.retention()),
        destinations=settings.get("ship") if is_configured else None,
        without_copy=without_copy,
    )


def _show(view: View, json_wanted: bool) -> None:
    if json_wanted:
        click.echo(json.dumps(as_json(view)))
        return
    for sentence in sentences(view):
        say(sentence)
    for remark in (*view.survey.applies.remarks, *view.survey.holds.remarks):
        complain(remark)


def _ask(view: View) -> None:
    """Ask twice. Without a terminal, nobody could answer.

    :raises click.Abort: if the answer is no.
    """
    count = view.plan.count + view.plan.left.count()
    if not count:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is there to be asked: give --yes")
    click.confirm(f"Remove {count:,} entries from {view.path}?", abort=True, err=True)
    typed = click.prompt("They cannot be brought back from it. Type their number", err=True)
    if typed.replace(",", "").strip() != str(count):
        raise click.Abort


def _tell(view: View, done: Done, json_wanted: bool) -> None:
    if json_wanted:
        click.echo(json.dumps(as_json(view) | {"done": outcome(done)}))
    else:
        entries = "entry" if done.removed == 1 else "entries"
        seqs = ", ".join(str(entry.seq) for entry in done.entries[:10])
        more = " …" if len(done.entries) > 10 else ""
        say(f"{done.removed:,} {entries} removed{f', as entry {seqs}{more} says' if seqs else ''}")
        say(f"{view.path}: {done.size_before:,} bytes before, {done.size_after:,} now")
        for path in done.discarded:
            say(f"{path} was removed")
    for remark in done.remarks:
        complain(remark)
    if done.remarks:
        sys.exit(1)


@contextlib.contextmanager
def _bar(count: int) -> Iterator[Callable[[int], None] | None]:
    """Show a progress bar, if standard error is a terminal."""
    if not count or not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=count, label="removing", file=sys.stderr) as bar:
        yield lambda done: bar.update(done - bar.pos)
