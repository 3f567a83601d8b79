"""``keygen``, ``rotate-key`` and ``revoke-key``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from chained_logging.cli.options import (
    existing,
    key_option,
    load_key,
    log_argument,
    log_key_option,
    passphrase_option,
)
from chained_logging.cli.output import write
from chained_logging.cli.types import FilePath
from chained_logging.log import AuditLog


@click.command()
@click.argument("file", type=FilePath(dir_okay=False))
@click.option(
    "--origin", metavar="NAME", help="Name of a log. The public key is then printed as a vkey too."
)
@click.option(
    "--witness", metavar="NAME", help="Name of a witness, if the key is for a witness, not a log."
)
@passphrase_option
@click.option("--json", "as_json", is_flag=True, help="Print the public key as JSON.")
def keygen(
    file: str, origin: str | None, witness: str | None, passphrase_file: str | None, as_json: bool
) -> None:
    """Make a private key in FILE, and print its public key.

    FILE must not exist, and is created with mode 0600. If --passphrase-file or the environment
    variable CHAINED_LOGGING_PASSPHRASE gives a passphrase, the key is encrypted with it.
    """
    from chained_logging.format.vkey import COSIGNATURE, ED25519, VerifierKey
    from chained_logging.keys import PrivateKey, passphrase_from, public_pem

    if "" in (origin, witness):
        raise click.UsageError("the name must not be empty")
    if origin and witness:
        raise click.UsageError(
            "give --origin or --witness, never both: logs and witnesses have keys of their own"
        )
    key = PrivateKey.generate()
    name, kind = (witness, COSIGNATURE) if witness else (origin, ED25519)
    vkey = VerifierKey(name, kind, key.public_key).format() if name else None
    key.save(file, passphrase_from(file=passphrase_file))
    pem = public_pem(key.public_key)
    if as_json:
        click.echo(json.dumps({"pem": pem, "vkey": vkey}))
    else:
        click.echo(pem, nl=False)
        if vkey:
            click.echo(vkey)


@click.command("rotate-key")
@log_argument()
@log_key_option
@passphrase_option
@click.option("--json", "as_json", is_flag=True, help="Print the checkpoint and the vkey as JSON.")
def rotate_key(log: str, key_file: str, passphrase_file: str | None, as_json: bool) -> None:
    """Replace the key of LOG with a new one.

    The old key signs a last checkpoint, which is printed, and is then destroyed. The new key is
    written to the same file, with the same passphrase, and its vkey is printed on standard error.
    Give the vkey and the checkpoint to those who verify LOG.

    If the command is interrupted, run it again to finish.
    """
    from chained_logging.keys import passphrase_from
    from chained_logging.log.key_file import replace_key

    passphrase = passphrase_from(file=passphrase_file)
    note, vkey = replace_key(Path(existing(log)), Path(key_file), passphrase)
    if as_json:
        click.echo(json.dumps({"note": note.decode(), "vkey": vkey}))
        return
    write(note)
    sys.stdout.flush()
    click.echo(vkey, err=True)  # so that a redirection keeps the checkpoint alone


@click.command("revoke-key")
@log_argument()
@click.option(
    "--public-key",
    metavar="KEY",
    required=True,
    help="Public key to revoke, as a vkey or a file with one.",
)
@click.option("--reason", metavar="TEXT", required=True, help="Sentence that says what happened.")
@key_option("File with the log's private key, which signs the record.")
@passphrase_option
def revoke_key(
    log: str, public_key: str, reason: str, key_file: str | None, passphrase_file: str | None
) -> None:
    """Record in LOG that a key was stolen.

    From then on, a signature by that key alone proves nothing. With --key, the log's key signs the
    record. Without --key, anyone who can write to LOG could have made the record, and
    chained-logging verify reports that. Then rotate the log's key with chained-logging rotate-key.
    """
    from chained_logging.keys import load_public
    from chained_logging.keys.statements import named_key

    key = load_key(key_file, passphrase_file) if key_file else None
    with AuditLog(existing(log), key=key, sign="follow", on_failure="raise") as audit:
        entry = audit.revoke_key(named_key(audit.origin, load_public(public_key).raw), reason)
    write(entry.line + b"\n")
