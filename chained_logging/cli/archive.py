"""``archive``: old segments of a log, moved to another store."""

from __future__ import annotations

import json
import sys
from contextlib import closing

import click

from chained_logging.cli.options import (
    existing,
    key_option,
    load_key,
    log_argument,
    origin_option,
    passphrase_option,
    refuse_options,
)
from chained_logging.cli.output import complain, say
from chained_logging.cli.types import Parsed
from chained_logging.errors import BrokenChain, BrokenLog
from chained_logging.log import AuditLog
from chained_logging.review.archive.move import Moved
from chained_logging.review.opening import is_url
from chained_logging.ship.retention import retention_days

archive_option = click.option(
    "--archive",
    metavar="STORE",
    help="Archive with older segments or months of the log: a folder, or s3://bucket/prefix.",
)


@click.command()
@log_argument(stores=True)
@click.option(
    "--to",
    "store",
    required=True,
    metavar="STORE",
    help="The archive: a folder, or s3://bucket/prefix, prepared with chained-logging init.",
)
@click.option(
    "--older-than",
    "days",
    required=True,
    type=Parsed("PERIOD", retention_days),
    help="Move segments whose last entry is older than this, such as 90d or 12m.",
)
@origin_option
@key_option("File with the log's private key, which signs the entries about it.")
@passphrase_option
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def archive(
    log: str,
    store: str,
    days: int,
    origin: str | None,
    key_file: str | None,
    passphrase_file: str | None,
    as_json: bool,
) -> None:
    """Move old sealed segments of LOG to an archive.

    LOG is in JSON Lines, with sealed segments (max_bytes, max_age). Each is compressed, verified in
    the archive, recorded in LOG, and then removed here. The newest sealed segment stays, and so
    does what was not shipped yet. Give the archive to chained-logging verify and query with
    --archive.

    LOG may be postgresql://…: then whole months are moved. The hashes of their entries stay in the
    database, and so does what a hold covers.

    Exit status 1: a segment is not intact, and stays; or moved entries may still be in the files of
    the database. 2: a segment could not be moved.
    """
    if is_url(log):
        refuse_options(True, "applies to files", "key_file", "passphrase_file")
        _tell(_months(log, origin, store, days), as_json, "files")
        return
    refuse_options(True, "is for the URL of a store", "origin")
    from chained_logging.review.archive.move import move
    from chained_logging.review.archive.stores import open_archive

    refuse_options(key_file is None, "needs --key", "passphrase_file")
    key = load_key(key_file, passphrase_file) if key_file else None
    with (
        AuditLog(existing(log), sign="follow", on_failure="raise", key=key) as audit,
        closing(open_archive(store)) as opened,
    ):
        try:
            moved = move(audit, opened, days)
        except BrokenLog as problem:
            complain(f"chained-logging: {problem}")
            sys.exit(1)
    _tell(moved, as_json, "segments")


def _months(url: str, origin: str | None, where: str, days: int) -> Moved:
    """Move months of a log in a central store."""
    from chained_logging.review.archive.months import move_months
    from chained_logging.review.archive.stores import open_archive
    from chained_logging.review.sources import only
    from chained_logging.ship import ArchivedDestination, open_destination

    with closing(open_destination(url)) as store, closing(open_archive(where)) as archive:
        if not isinstance(store, ArchivedDestination):
            raise click.UsageError(f"nothing is moved from {store.name} to an archive")
        try:
            moved = move_months(store, only(store, origin), archive, days)
        except BrokenChain as problem:
            complain(f"chained-logging: {problem}")
            sys.exit(1)
    return moved


def _tell(moved: Moved, as_json: bool, what: str) -> None:
    if as_json:
        click.echo(json.dumps(moved.to_dict()))
    else:
        say(
            f"{moved.archive}: {len(moved.files):,} {what} with {moved.entries:,} entries moved, "
            f"{moved.bytes:,} bytes here and {moved.packed:,} there"
        )
        if moved.stays is not None:
            complain(f"NOTE: {moved.stays}")
