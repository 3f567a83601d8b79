"""``checkpoint`` and ``prove``: what a log signs, and what can be shown of it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from chained_logging.cli.options import (
    existing,
    load_key,
    log_argument,
    log_key_option,
    passphrase_option,
    refuse_options,
)
from chained_logging.cli.output import complain, write
from chained_logging.log import AuditLog


@click.command()
@log_argument()
@log_key_option
@passphrase_option
@click.option(
    "--witness",
    "witnesses",
    multiple=True,
    metavar="URL",
    help="URL of a witness that cosigns the checkpoint. Repeatable.",
)
@click.option(
    "--witness-key",
    "witness_keys",
    multiple=True,
    metavar="VKEY",
    help="Public key of a witness, as a vkey or a file with one. Repeatable.",
)
@click.option(
    "--timestamp",
    metavar="URL",
    help="URL of an RFC 3161 authority that timestamps the checkpoint.",
)
def checkpoint(
    log: str,
    key_file: str,
    passphrase_file: str | None,
    witnesses: tuple[str, ...],
    witness_keys: tuple[str, ...],
    timestamp: str | None,
) -> None:
    """Sign a checkpoint of LOG, and print it.

    The checkpoint covers all entries, and is also stored beside LOG. Keep a copy where the log's
    administrators cannot change it, or let a witness or a timestamp authority sign it. Their
    signatures are stored beside LOG too, and chained-logging verify checks them. If one of them
    does not answer, it is named on standard error and the exit status is 1.
    """
    from chained_logging.transparency.anchor import anchor, check_urls
    from chained_logging.transparency.public_keys import witness_key

    if witnesses and not witness_keys:
        raise click.UsageError("--witness needs --witness-key, the key that it signs with")
    refuse_options(not witnesses, "needs --witness", "witness_keys")
    keys = [witness_key(text) for text in witness_keys]
    check_urls(witnesses, timestamp)  # before anything is written
    key = load_key(key_file, passphrase_file)
    with AuditLog(existing(log), key=key, sign="follow", on_failure="raise") as audit:
        audit.checkpoint()
        anchored = anchor(audit, witnesses=witnesses, witness_keys=keys, timestamp_url=timestamp)
    write(anchored.note)
    for failure in anchored.failures:
        complain(failure)
    sys.exit(1 if anchored.failures else 0)


@click.command()
@log_argument()
@click.option(
    "--seq", metavar="N", type=click.IntRange(min=0), help="Number of the entry to prove."
)
@click.option(
    "--from",
    "old",
    metavar="SIZE",
    type=click.IntRange(min=0),
    help="Earlier size of the log, in entries. The proof shows that it only grew since then.",
)
@click.option(
    "--to",
    "new",
    metavar="SIZE",
    type=click.IntRange(min=0),
    help="Later size of the log, in entries. The default is the size at the newest checkpoint.",
)
def prove(log: str, seq: int | None, old: int | None, new: int | None) -> None:
    """Print a proof that LOG contains an entry, or only grew.

    With --seq, the proof shows that LOG contains that entry. With --from, it shows that LOG at an
    earlier size is the beginning of LOG at a later size. LOG must have a checkpoint at each size.
    chained-logging verify-proof checks the proof without LOG.
    """
    from chained_logging.transparency.proof import GO_READERS, LogTree

    if (seq is None) == (old is None):
        raise click.UsageError(
            "give either --seq, to prove an entry, or --from, to prove that the log only grew"
        )
    tree = LogTree(Path(existing(log)))
    if old is None:
        proof = tree.inclusion(seq or 0, new)
        if len(proof.extra) > GO_READERS:
            complain(
                f"the entry has {len(proof.extra):,} bytes. verify-proof reads this proof, but "
                "readers written in Go accept lines of at most 64 KiB in base64"
            )
        write(proof.format())
    else:
        write(tree.consistency(old, new))
