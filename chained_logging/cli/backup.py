"""``backup`` and ``backup-test``: a copy of the log apart from it, and whether it can be used."""

from __future__ import annotations

import json
import sys

import click

from chained_logging.cli.options import (
    digest_key_option,
    existing,
    load_key,
    log_argument,
    passphrase_option,
    refuse_options,
    seconds_option,
)
from chained_logging.cli.output import complain, say
from chained_logging.cli.types import FilePath
from chained_logging.errors import BrokenChain, BrokenLog, Refused
from chained_logging.log import AuditLog

_primary_option = click.option(
    "--primary",
    "destinations",
    multiple=True,
    metavar="URL",
    help="Central store of the log, from which the backup must be apart. Those to which the log "
    "was shipped are known. Repeatable.",
)


@click.command()
@log_argument(required=True)
@click.argument("destination")
@_primary_option
@click.option(
    "--same-place-anyway",
    "same_place",
    is_flag=True,
    help="Make the copy even if it would be lost together with the log. The log records that.",
)
@seconds_option("--patience", default=60.0, help="Time to keep trying a store that is down.")
@digest_key_option
@passphrase_option
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def backup(
    log: str,
    destination: str,
    destinations: tuple[str, ...],
    same_place: bool,
    patience: float,
    digest_key: str | None,
    passphrase_file: str | None,
    as_json: bool,
) -> None:
    """Copy LOG to another place, and verify the copy there.

    DESTINATION is a folder on another disk, or postgresql://… or s3://… of another server or
    account, prepared with chained-logging init. The log may be written to meanwhile. A repeat
    copies what is new. The private key is never copied.

    A copy on the same disk, or in the same PostgreSQL cluster, bucket or account as the log's
    central storage, is refused: it would be lost together with the log.

    The log records the backup. Exit status 1: the log, or what is in DESTINATION, is not intact, or
    is of another history. 2: the backup could not be made.
    """
    from chained_logging.review.backup.make import make_backup

    refuse_options(digest_key is None, "needs --key", "passphrase_file")
    refuse_options(not destination.startswith("s3:"), "applies to s3:// only", "digest_key")
    refuse_options("://" not in destination, "applies to stores only", "patience")
    signer = load_key(digest_key, passphrase_file) if digest_key else None
    with AuditLog(existing(log), sign="follow", on_failure="raise") as audit:
        try:
            done = make_backup(
                audit,
                destination,
                primaries=destinations,
                same_place=same_place,
                patience=patience,
                signer=signer,
            )
        except (BrokenChain, BrokenLog, Refused) as problem:
            complain(f"chained-logging: {problem}")
            sys.exit(1)
    if as_json:
        click.echo(json.dumps(done.to_dict()))
        return
    say(
        f"{done.destination}: {done.entries:,} entries, verified, the last hash {done.head_hash}, "
        f"in {done.seconds:,.1f} s"
    )
    for reason in done.same_place:
        complain(f"WARNING: not apart from the log: {reason}")
    for sentence in done.remarks:
        complain(f"NOTE: {sentence}")


@click.command("backup-test")
@log_argument(required=True)
@click.argument("destination")
@_primary_option
@click.option(
    "--scratch",
    type=FilePath(exists=True, file_okay=False),
    metavar="FOLDER",
    help="Folder in which the backup is restored; by default, the one for temporary files. It "
    "needs about three times the size of the log.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def backup_test(
    log: str,
    destination: str,
    destinations: tuple[str, ...],
    scratch: str | None,
    as_json: bool,
) -> None:
    """Restore a backup of LOG for a test, and compare it with LOG.

    The backup is restored in a folder of its own, verified, compared with LOG entry by entry, and
    removed again. The log records the result. Exit status 0: it can be restored, and is as LOG is,
    or merely behind. 1: it differs, or is damaged. 2: it could not be read.
    """
    from pathlib import Path

    from chained_logging.review.backup.trial import try_backup

    with AuditLog(existing(log), sign="follow", on_failure="raise") as audit:
        folder = Path(scratch) if scratch else None
        trial = try_backup(audit, destination, primaries=destinations, scratch=folder)
    if as_json:
        click.echo(json.dumps(trial.to_dict()))
    else:
        say(
            f"{trial.destination}: {trial.result}, {trial.entries:,} entries restored, "
            f"{trial.behind:,} behind, in {trial.seconds:,.1f} s"
        )
        for fault in trial.faults:
            say(f"  {fault}")
        for reason in trial.same_place:
            complain(f"WARNING: not apart from the log: {reason}")
        for sentence in trial.remarks:
            complain(f"NOTE: {sentence}")
    sys.exit({"intact": 0, "differs": 1}.get(trial.result, 2))
