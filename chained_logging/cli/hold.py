"""``hold``: entries that nothing may remove."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from chained_logging import config
from chained_logging.cli.options import (
    existing,
    key_option,
    load_key,
    log_argument,
    origin_option,
    passphrase_option,
    raw_public_key,
    refuse_options,
)
from chained_logging.cli.output import complain, say, write
from chained_logging.cli.query import SINCE, UNTIL
from chained_logging.cli.retention_store import store_options
from chained_logging.errors import ShipError
from chained_logging.format.canonical import canonical
from chained_logging.log import AuditLog
from chained_logging.net.urls import shown
from chained_logging.review.moments import spoken
from chained_logging.review.opening import is_url
from chained_logging.review.reading import Reader
from chained_logging.review.retention.holds import add_hold, release_holds, words
from chained_logging.review.retention.legal import bring_in, bring_to, stores_of
from chained_logging.review.sources import only
from chained_logging.ship import open_destination
from chained_logging.ship.destination import Brought
from chained_logging.ship.holds import Covered, Hold, Holds, holds_of
from chained_logging.sinks import open_sink
from chained_logging.text import printable

_case_option = click.option(
    "--case", required=True, metavar="NAME", help="Name of the case, by which holds are released."
)
_reason_option = click.option(
    "--reason", required=True, metavar="TEXT", help="Why, in a sentence. The log records it."
)
_key_option = key_option("File with the log's private key, which signs the entry.")


@click.group()
def hold() -> None:
    """Keep entries for a legal case, whatever their retention period says.

    Nothing removes an entry that a hold covers: neither retention apply, nor a central store that
    the log is shipped to. Each command is an entry in LOG, with who ran it and why. In S3, legal
    holds are set on the segments with such entries, and lifted when no hold covers them any more.
    """


@hold.command("add")
@log_argument()
@_case_option
@click.option("--actor", metavar="ID", help="Only entries with this actor_id.")
@click.option("--action", metavar="NAME", help="Only entries with this action.")
@click.option(
    "--resource",
    metavar="NAME",
    help="Only entries about this resource, alone or among others: TYPE/ID, or TYPE for all of it.",
)
@click.option("--tenant", metavar="ID", help="Only entries with this tenant_id.")
@click.option("--since", type=SINCE, help="Only entries from this time on, such as 2026-01-31.")
@click.option("--until", type=UNTIL, help="Only entries before this time.")
@click.option("--all", "everything", is_flag=True, help="Every entry of LOG.")
@_reason_option
@_key_option
@passphrase_option
def add(
    log: str,
    case: str,
    resource: str | None,
    everything: bool,
    reason: str,
    key_file: str | None,
    passphrase_file: str | None,
    actor: str | None,
    tenant: str | None,
    **others: Any,
) -> None:
    """Keep the entries of LOG that fit, those to come among them.

    All options must fit. Give --all to keep every entry. Several holds may have one case.
    """
    covered = Covered.about(resource, actor_id=actor, tenant_id=tenant, **others)
    if everything is (covered != Covered()):
        raise click.UsageError("say which entries to keep, or give --all alone")
    key = load_key(key_file, passphrase_file) if key_file else None
    with AuditLog(existing(log), key=key, sign="follow", on_failure="raise") as audit:
        entry = add_hold(audit, case, covered, reason, Reader.of_this_process())
        write(entry.line + b"\n")
        count = sum(map(covered.fits, audit.entries()))
        done = _brought(audit)
    complain(f"{count:,} {'entry' if count == 1 else 'entries'} so far: {words(covered)}")
    sys.exit(0 if done else 1)


@hold.command()
@log_argument()
@_case_option
@_reason_option
@_key_option
@passphrase_option
def release(
    log: str, case: str, reason: str, key_file: str | None, passphrase_file: str | None
) -> None:
    """End all holds of a case in LOG.

    If LOG has a key, --key is needed: without its signature, anyone who can write the file could
    end a hold.
    """
    key = load_key(key_file, passphrase_file) if key_file else None
    with AuditLog(existing(log), key=key, sign="follow", on_failure="raise") as audit:
        entry = release_holds(audit, case, reason, Reader.of_this_process())
        write(entry.line + b"\n")
        remarks = [one for one in holds_of(audit).remarks if one.startswith(f"entry {entry.seq} ")]
        done = bool(remarks) or _brought(audit)
    for remark in remarks:
        complain(remark)
    sys.exit(0 if done and not remarks else 1)


@hold.command()
@log_argument(exists=True, stores=True)
@store_options
def sync(log: str, origin: str | None, public_key: str | None) -> None:
    """Set and lift legal holds in S3 as the holds of LOG say.

    It finishes what hold add and hold release could not do there. LOG may be s3://…: then the log
    in it is read, and legal holds are lifted only with --public-key.

    Exit status 1: a store could not be brought into line.
    """
    if is_url(log):
        complain(_of_brought(log, bring_in(log, origin, raw_public_key(public_key))))
        return
    refuse_options(True, "is for the URL of a store", "origin", "public_key")
    with AuditLog(existing(log), sign="follow", on_failure="raise") as audit:
        if not stores_of(audit.path, config.destinations(audit.path) or ()):
            complain("the log is not shipped to S3: there is nothing to set")
        if not _brought(audit):
            sys.exit(1)


def _brought(audit: AuditLog) -> bool:
    """Set and lift legal holds at all stores of a log, and say so. Return whether it was done."""
    done = True
    for url in stores_of(audit.path, config.destinations(audit.path) or ()):
        try:
            complain(_of_brought(url, bring_to(url, audit)))
        except (ShipError, ImportError, ValueError) as problem:
            complain(
                f"{problem}. The holds of LOG stand, and the legal holds of {shown(url)} do not "
                "follow them yet: run hold sync"
            )
            done = False
    return done


def _of_brought(url: str, done: Brought) -> str:
    return (
        f"{shown(url)}: a legal hold is on {done.held:,} segments, new on {done.set:,}, and was "
        f"lifted from {done.lifted:,}"
    )


@hold.command("list")
@log_argument(exists=True, stores=True)
@click.option("--all", "everything", is_flag=True, help="Holds that were released, too.")
@origin_option
@click.option("--json", "as_json", is_flag=True, help="Print one hold a line as JSON.")
def list_(log: str, everything: bool, origin: str | None, as_json: bool) -> None:
    """List the holds of LOG, a file or a central store.

    An entry that claims to release a hold, and may not, is named on standard error.
    """
    refuse_options(not is_url(log), "is for the URL of a store", "origin")
    found = _of_store(log, origin) if is_url(log) else holds_of(open_sink(Path(log)))
    held = sorted(found.active + found.released * everything, key=lambda one: one.seq)
    for one in held:
        if as_json:
            write(canonical(_fields(one)) + b"\n")
        else:
            say(", ".join(_phrases(one)))
    for remark in found.remarks:
        complain(remark)
    if not held:
        complain("no holds")


def _of_store(url: str, origin: str | None) -> Holds:
    with closing(open_destination(url)) as store:
        name = only(store, origin)
        found = Holds()
        for record in store.records(name):
            found.look(record)
        return found


def _fields(one: Hold) -> dict[str, Any]:
    return {
        "by": one.by,
        "case": one.case,
        "filter": one.covered.filter(),
        "reason": one.reason,
        "released": one.released,
        "seq": one.seq,
        "since": one.since,
    }


def _phrases(one: Hold) -> Iterator[str]:
    yield f"{printable(one.case)}: {words(one.covered)}"
    yield f"by {one.by or 'nobody named'} at {spoken(one.since)} in entry {one.seq}"
    if one.released is not None:
        yield f"released by entry {one.released}"
    yield f"because: {one.reason or '-'}"
