"""``retention``: what has been kept for long enough, shown and removed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import click

from chained_logging import config
from chained_logging.cli.options import (
    existing,
    key_option,
    load_key,
    log_argument,
    passphrase_option,
    refuse_options,
)
from chained_logging.cli.output import complain, say
from chained_logging.cli.progress import asked_twice, bar
from chained_logging.cli.retention_store import apply_there, plan_there, store_options
from chained_logging.log import AuditLog
from chained_logging.review.opening import is_url
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


_LOCAL: Final = "applies to a local log only: a store carries out what the log decided"
_STORE: Final = "applies to a central store only"


@retention.command("plan")
@log_argument(exists=True, stores=True)
@_without_copy_option
@store_options
@_json_option
def plan(
    log: str, without_copy: bool, origin: str | None, public_key: str | None, json_wanted: bool
) -> None:
    """Show what would go from LOG, and what keeps the rest. Nothing is changed.

    LOG is a file, or a central store: there, what the log decided is still to be carried out.
    """
    if is_url(log):
        refuse_options(True, _LOCAL, "without_copy")
        plan_there(log, origin, public_key, json_wanted)
        return
    refuse_options(True, _STORE, "origin", "public_key")
    path = Path(log)
    view = _looked_at(path, open_sink(path), without_copy)
    _show(view, json_wanted)


@retention.command("apply")
@log_argument(exists=True, stores=True)
@click.option("--yes", is_flag=True, help="Do not ask, as a timer needs it.")
@_without_copy_option
@key_option("File with the log's private key, which signs what is removed.")
@passphrase_option
@store_options
@click.option(
    "--unsigned",
    is_flag=True,
    help="Of a store: carry out what a log without a key decided, which anyone who may ship there "
    "could have written.",
)
@_json_option
def apply_(
    log: str,
    yes: bool,
    without_copy: bool,
    key_file: str | None,
    passphrase_file: str | None,
    origin: str | None,
    public_key: str | None,
    unsigned: bool,
    json_wanted: bool,
) -> None:
    """Remove what retention plan shows, and finish what a killed call began.

    LOG records it first: which entries, under which policy, and who ran the command. Other
    processes may write to LOG meanwhile. If LOG has a key, --key is needed: without its signature,
    anyone who can write the file could remove entries.

    LOG may be a central store. It removes what the log decided and the log's key signed, which
    --public-key must confirm, and asks nobody but you.
    """
    if is_url(log):
        refuse_options(True, _LOCAL, "without_copy", "key_file", "passphrase_file")
        apply_there(log, origin, public_key, unsigned, yes, json_wanted)
        return
    refuse_options(True, _STORE, "origin", "public_key", "unsigned")
    key = load_key(key_file, passphrase_file) if key_file else None
    with AuditLog(existing(log), key=key, sign="follow", on_failure="raise") as audit:
        view = _looked_at(audit.path, audit, without_copy)
        if not json_wanted:
            _show(view, False)
        if not yes:
            asked_twice(view.plan.count + view.plan.left.count(), str(view.path))
        with bar(view.plan.count + view.plan.left.count()) as on_progress:
            done = apply(audit, view, Reader.of_this_process(), on_progress)
    _tell(view, done, json_wanted)


def _looked_at(path: Path, log: Any, without_copy: bool) -> View:
    return look_at(
        path,
        log,
        policies_from(config.retention()),
        destinations=config.destinations(path),
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
