"""The commands, without logic of their own.

Exit status 0: done, or intact. 1: tampered with or incomplete. 2: could not be done or checked.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.core import ParameterSource

from chained_logging.cli.types import (
    FilePath,
    further_settings,
    log_argument,
    verifier_arguments,
    verifier_options,
)
from chained_logging.event.entry import AuditEntry, InvalidEntry, parse_event
from chained_logging.files.own import open_regular
from chained_logging.format.line import MAX_BODY
from chained_logging.log import AuditLog
from chained_logging.review.export import export_log, export_tiles
from chained_logging.review.query import Filter, read_entries
from chained_logging.ship import destination_name, init_destination, open_destination
from chained_logging.text import printable
from chained_logging.verify import main as verify_main

if TYPE_CHECKING:
    from chained_logging.format.vkey import VerifierKey
    from chained_logging.keys import PrivateKey

# The longest line of input. Values that an entry cannot hold are stored as their digests.
_MAX_INPUT = 10 * MAX_BODY


# A passphrase comes from CHAINED_LOGGING_PASSPHRASE or a file, never from an argument, which every
# user of the machine can read.
_passphrase_option = click.option(
    "--passphrase-file",
    type=FilePath(dir_okay=False),
    help="File whose first line is the key's passphrase.",
)
_key_option = click.option(
    "--key",
    "key_file",
    type=FilePath(dir_okay=False),
    required=True,
    help="File with the private key.",
)
_signing_key_option = click.option(
    "--key",
    "key_file",
    type=FilePath(dir_okay=False),
    help="File with the log's private key, which signs checkpoints.",
)
_digest_key_option = click.option(
    "--key",
    "digest_key",
    type=FilePath(dir_okay=False),
    help="S3: file with the private key that signs digests.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="chained_logging")
def cli() -> None:
    """Keep an audit log that anyone can check."""


def _refuse_options(when: object, why: str, *options: str) -> None:
    """Refuse options that would be ignored.

    :param when: whether to refuse them.
    :param why: the end of the sentence, such as ``needs --key``.
    :param options: the names of the parameters.
    :raises click.UsageError: if one of them was given on the command line.
    """
    context = click.get_current_context()
    for option in context.command.params if when else ():
        given = context.get_parameter_source(str(option.name)) is ParameterSource.COMMANDLINE
        if given and option.name in options:
            raise click.UsageError(f"{option.opts[0]} {why}")


@cli.command()
@log_argument()
@click.option("--strict", is_flag=True, help="Refuse an event with a missing or invalid field.")
@click.option("--fsync", is_flag=True, help="Sync each entry to the disk before the next.")
@click.option("--origin", help="Name to give to a new log, such as example.com/audit.")
@_signing_key_option
@click.option("--sign-each", is_flag=True, help="Sign every entry, not only checkpoints.")
@_passphrase_option
@click.option("--json", "as_json", is_flag=True, help="Print each stored entry as JSON.")
def append(
    log: str,
    strict: bool,
    fsync: bool,
    origin: str | None,
    key_file: str | None,
    sign_each: bool,
    passphrase_file: str | None,
    as_json: bool,
) -> None:
    """Append entries to LOG from JSON Lines on standard input.

    Each line is an object with the fields of an entry, by name or alias:
    {"action": "backup", "actor": "cron", "actor_type": "service",
    "resource": "database/main"}.

    Refused lines are reported with their numbers on standard error. The other
    lines are still appended, and the exit status is 1.
    """
    _refuse_options(key_file is None, "needs --key", "sign_each", "passphrase_file")
    refused = appended = incomplete = 0
    durability = "fsync" if fsync else "os"
    with AuditLog(
        log,
        durability=durability,  # type: ignore[arg-type]  # one of the two, as assigned above
        on_failure="raise",
        strict=strict,
        origin=origin,
        key=_load_key(key_file, passphrase_file) if key_file else None,
        sign="each" if sign_each else "checkpoint",
        **further_settings(),
    ) as audit:
        for number, line in _input_lines():
            try:
                entry = audit.append_many([_event(line)])[0]
            except InvalidEntry as problem:
                refused += 1
                click.echo(f"line {number}: {problem}", err=True)
            except ValueError as problem:
                refused += 1
                click.echo(f"line {number}: {printable(str(problem))}", err=True)
            else:
                appended += 1
                incomplete += entry.incomplete
                if as_json:
                    _write(entry.line + b"\n")
    summary = f"{appended} appended, {incomplete} of them incomplete, {refused} refused"
    click.echo(summary, err=True)
    sys.exit(1 if refused else 0)


def _input_lines() -> Iterator[tuple[int, bytes | None]]:
    """Yield numbered lines of standard input; None for one that is too long."""
    stdin = sys.stdin.buffer
    number = 0
    while line := stdin.readline(_MAX_INPUT):
        number += 1
        too_long = len(line) == _MAX_INPUT and not line.endswith(b"\n")
        while too_long and line and not line.endswith(b"\n"):
            line = stdin.readline(_MAX_INPUT)
        if too_long:
            yield number, None
        elif line.strip():
            yield number, line


def _event(line: bytes | None) -> dict[str, Any]:
    if line is None:
        raise ValueError(f"must have at most {_MAX_INPUT:,} bytes")
    return parse_event(line)


@cli.command()
@log_argument()
@click.option(
    "--socket",
    "socket_path",
    type=FilePath(),
    required=True,
    help="Path of the Unix socket to listen on.",
)
@click.option("--mode", default="600", show_default=True, help="File mode of the socket, in octal.")
@click.option(
    "--http", metavar="ADDRESS:PORT", help="Also listen for HTTP on this loopback address."
)
@click.option(
    "--token-file",
    type=FilePath(dir_okay=False),
    help="File whose first line is the token that HTTP clients must send.",
)
@click.option(
    "--connections",
    type=click.IntRange(min=1),
    default=128,
    show_default=True,
    help="Largest number of clients connected at the same time.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    default=30.0,
    show_default=True,
    help="Seconds that a client may take to send a line or request, or to read an answer.",
)
@click.option("--strict", is_flag=True, help="Refuse an event with a missing or invalid field.")
@click.option("--fsync", is_flag=True, help="Sync each entry to the disk before answering.")
@click.option("--origin", help="Name to give to a new log, such as example.com/audit.")
@_signing_key_option
@click.option("--sign-each", is_flag=True, help="Sign every entry, not only checkpoints.")
@_passphrase_option
def collect(
    log: str,
    socket_path: str,
    mode: str,
    http: str | None,
    token_file: str | None,
    connections: int,
    timeout: float,
    strict: bool,
    fsync: bool,
    origin: str | None,
    key_file: str | None,
    sign_each: bool,
    passphrase_file: str | None,
) -> None:
    """Receive events from other programs, and append them to LOG.

    The command listens on a Unix socket until it receives SIGTERM. Each line from a client is an
    event in JSON, and is answered with a line once the event is stored. docs/collector.md
    describes the protocol.
    """
    from chained_logging.collector import Collector, read_token
    from chained_logging.net.signals import ended_by_signal

    if not re.fullmatch("0?[0-7]{3}", mode):
        raise click.UsageError("--mode must be three octal digits, such as 660")
    address = None
    if http is not None:
        host, _, port = http.rpartition(":")
        if not re.fullmatch("[0-9]{1,5}", port):
            raise click.UsageError("--http must be an address and a port, such as 127.0.0.1:8181")
        if token_file is None:
            raise click.UsageError("--http needs a --token-file")
        address = (host.strip("[]"), int(port))
    _refuse_options(http is None, "needs --http", "token_file")
    _refuse_options(key_file is None, "needs --key", "passphrase_file")
    token = read_token(token_file) if token_file else None
    with AuditLog(
        log,
        durability="fsync" if fsync else "os",
        on_failure="raise",
        strict=strict,
        origin=origin,
        key=_load_key(key_file, passphrase_file) if key_file else None,
        sign="each" if sign_each else "checkpoint",
        **further_settings(),
    ) as audit:
        ended = ended_by_signal()
        collector = Collector(
            audit,
            socket_path,
            mode=int(mode, 8),
            http=address,
            token=token,
            connections=connections,
            timeout=timeout,
        )
        click.echo(f"collecting on {printable(socket_path)}", err=True)
        if address:
            port_used = collector.http_address[1]
            click.echo(f"collecting on http://{host}:{port_used}/v1/events", err=True)
        collector.run(ended)


@cli.command()
@click.argument("logs", nargs=-1, metavar="LOG...", type=click.Path())
@verifier_options()
def verify(logs: tuple[str, ...], **options: Any) -> None:
    """Check whether LOG is intact.

    LOG is a file, several files of one log, a folder with logs, or a central store
    (postgresql://... or s3://...). Without LOG, the configured log is checked.

    An auditor can run the same checks without this package: chained_logging/verify.py is a single
    file that needs only Python. It cannot read central stores.
    """
    from chained_logging import config
    from chained_logging.review.stores import CentralStores

    if not logs and not options["proof"]:
        named = config.load().get("log")
        if named is None:
            raise click.UsageError(f"give LOG, or name it in {config.FILE}, or give --proof")
        logs = (named,)
    sys.exit(verify_main([*verifier_arguments(options), "--", *logs], CentralStores()))


@cli.command("verify-proof")
@click.argument("file", type=FilePath(dir_okay=False))
@verifier_options(of_proof=True)
def verify_proof(file: str, **options: Any) -> None:
    """Check the proof in FILE, without the log.

    FILE comes from chained-logging prove. If it proves that a log only grew, give the earlier
    state with --checkpoint. The command is the same as chained_logging/verify.py --proof FILE.
    """
    sys.exit(verify_main([*verifier_arguments(options), f"--proof={file}"]))


# --- Keys.


def _load_key(file: str, passphrase_file: str | None) -> PrivateKey:
    from chained_logging.keys import PrivateKey, passphrase_from

    return PrivateKey.load(file, passphrase_from(file=passphrase_file))


def _existing(log: str) -> str:
    if not Path(log).exists():
        raise FileNotFoundError(f"{log} does not exist")
    return log


@cli.command()
@click.argument("file", type=FilePath(dir_okay=False))
@click.option("--origin", help="Name of the log, to print its public key as a vkey too.")
@click.option("--witness", metavar="NAME", help="Make the key of a witness with this name.")
@_passphrase_option
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


@cli.command()
@log_argument()
@_key_option
@_passphrase_option
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
@click.option("--timestamp", metavar="URL", help="URL of an RFC 3161 authority that timestamps it.")
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

    if witnesses and not witness_keys:
        raise click.UsageError("--witness needs --witness-key, the key that it signs with")
    _refuse_options(not witnesses, "needs --witness", "witness_keys")
    keys = [_witness_key(text) for text in witness_keys]
    check_urls(witnesses, timestamp)  # before anything is written
    key = _load_key(key_file, passphrase_file)
    with AuditLog(_existing(log), key=key, sign="follow", on_failure="raise") as audit:
        audit.checkpoint()
        anchored = anchor(audit, witnesses=witnesses, witness_keys=keys, timestamp_url=timestamp)
    _write(anchored.note)
    for failure in anchored.failures:
        click.echo(printable(failure), err=True)
    sys.exit(1 if anchored.failures else 0)


_VKEY = r"[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+={0,2}"


def _witness_key(text_or_file: str) -> VerifierKey:
    from chained_logging.format.spelling import NoteError
    from chained_logging.format.vkey import COSIGNATURES, VerifierKey

    text = text_or_file
    if os.path.exists(text):
        text = Path(text).read_text("utf-8", "replace")[:10_000].strip()
    vkeys = [line for line in map(str.strip, text.splitlines()) if re.fullmatch(_VKEY, line)]
    if len(vkeys) == 1:  # as keygen prints it, under the PEM
        text = vkeys[0]
    try:
        key = VerifierKey.parse(text)
    except NoteError:
        if "-----BEGIN " in text:
            error = NoteError("PEM holds no name; give the vkey that keygen prints below it")
        raise click.UsageError(f"{text_or_file} is not a witness's key: {error}") from None
    if key.type not in COSIGNATURES:
        raise click.UsageError(f"{text_or_file} is a log's key, not a witness's")
    return key


@cli.command()
@click.argument("folder", type=FilePath(file_okay=False))
@click.option("--name", required=True, help="Name of the witness: its URL without the scheme.")
@_key_option
@_passphrase_option
@click.option(
    "--log",
    "logs",
    multiple=True,
    required=True,
    metavar="VKEY",
    help="Public key of a log to cosign for, as a vkey or a file with one. Repeatable.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8330,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 picks a free one.",
)
def witness(
    folder: str,
    name: str,
    key_file: str,
    passphrase_file: str | None,
    logs: tuple[str, ...],
    host: str,
    port: int,
) -> None:
    """Run a witness for other people's logs.

    The witness cosigns a checkpoint only if it extends the last one that it cosigned for that log.
    It remembers that in FOLDER. Never restore FOLDER from a backup: the witness would forget
    what it signed.

    The witness speaks HTTP (C2SP tlog-witness). If requests come from other machines, put a reverse
    proxy with TLS in front of it. After a log's key was rotated, give both the old and the new
    key, each with --log.
    """
    from chained_logging.format.vkey import ED25519, VerifierKey
    from chained_logging.keys import load_public
    from chained_logging.transparency.witness import Witness, WitnessServer

    known: dict[str, list[VerifierKey]] = {}
    for text in logs:
        public = load_public(text)
        if public.name is None:
            raise click.UsageError(f"{text} must be a vkey, which contains the log's name")
        key = VerifierKey(public.name, ED25519, public.raw)
        known.setdefault(public.name, []).append(key)
    itself = Witness(Path(folder), name, _load_key(key_file, passphrase_file), known)
    with WitnessServer(itself, host, port) as server:
        click.echo(f"{itself.key.format()}\n{server.url}")
        sys.stdout.flush()
        server.serve_forever()


@cli.command("rotate-key")
@log_argument()
@_key_option
@_passphrase_option
@click.option("--json", "as_json", is_flag=True, help="Print the checkpoint and the vkey as JSON.")
def rotate_key(log: str, key_file: str, passphrase_file: str | None, as_json: bool) -> None:
    """Replace the key of LOG with a new one.

    The old key signs a last checkpoint, which is printed, and is then destroyed. The new key is
    written to the same file, with the same passphrase, and its vkey is printed on standard error.
    Give the vkey and the checkpoint to those who verify LOG.

    If the command is interrupted, run it again to finish.
    """
    from chained_logging.keys import PrivateKey, destroy, passphrase_from
    from chained_logging.keys.statements import verifier_key

    _existing(log)
    new_file = f"{key_file}.new"
    passphrase = passphrase_from(file=passphrase_file)
    new = note = None
    if _was_cut_short(new_file) and Path(key_file).exists():
        os.unlink(new_file)  # the log has it only once it is whole and on the disk
    if Path(new_file).exists():  # it was interrupted: the log may have the new key already, or not
        new = PrivateKey.load(new_file, passphrase)
        with contextlib.suppress(ValueError), AuditLog(log, key=new, sign="follow") as audit:
            note, vkey = audit.checkpoint(), verifier_key(audit.origin, new)
    if note is None:
        old = PrivateKey.load(key_file, passphrase)
        with AuditLog(log, key=old, sign="follow", on_failure="raise") as audit:
            if new is None:  # only once the old key has proved to be the log's
                new = PrivateKey.generate()
                new.save(new_file, passphrase)
            note, vkey = audit.rotate_key(new), verifier_key(audit.origin, new)
    if Path(key_file).exists():
        destroy(key_file)
    os.rename(new_file, key_file)
    if as_json:
        click.echo(json.dumps({"note": note.decode(), "vkey": vkey}))
        return
    _write(note)
    sys.stdout.flush()
    click.echo(vkey, err=True)  # so that a redirection keeps the checkpoint alone


def _was_cut_short(key_file: str) -> bool:
    """Whether a private key's file was being written when its writer was killed."""
    try:
        with open_regular(Path(key_file)) as file:
            return b"-----END" not in file.read(100_000)
    except FileNotFoundError:
        return False


@cli.command("revoke-key")
@log_argument()
@click.option("--public-key", required=True, help="Public key to revoke, as a vkey or a file.")
@click.option("--reason", required=True, help="Sentence that says what happened.")
@_signing_key_option
@_passphrase_option
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

    key = _load_key(key_file, passphrase_file) if key_file else None
    with AuditLog(_existing(log), key=key, sign="follow", on_failure="raise") as audit:
        entry = audit.revoke_key(named_key(audit.origin, load_public(public_key).raw), reason)
    _write(entry.line + b"\n")


@cli.command()
@log_argument()
@click.option("--seq", type=click.IntRange(min=0), help="Number of the entry to prove.")
@click.option(
    "--from",
    "old",
    type=click.IntRange(min=0),
    help="Earlier size of the log, in entries, to prove that it only grew since.",
)
@click.option(
    "--to",
    "new",
    type=click.IntRange(min=0),
    help="Size of the log that the proof is about. The default is that of the newest checkpoint.",
)
def prove(log: str, seq: int | None, old: int | None, new: int | None) -> None:
    """Print a proof that LOG contains an entry, or only grew.

    With --seq, the proof shows that LOG contains that entry. With --from, it shows that LOG at an
    earlier size is the beginning of LOG at a later size. Both sizes must be those of checkpoints.
    chained-logging verify-proof checks the proof without LOG.
    """
    from chained_logging.transparency.proof import GO_READERS, LogTree

    if (seq is None) == (old is None):
        raise click.UsageError(
            "give either --seq, to prove an entry, or --from, to prove that the log only grew"
        )
    tree = LogTree(Path(_existing(log)))
    if old is None:
        proof = tree.inclusion(seq or 0, new)
        if len(proof.extra) > GO_READERS:
            click.echo(
                f"the entry has {len(proof.extra):,} bytes. verify-proof reads this proof, but "
                "readers written in Go accept lines of at most 64 KiB in base64",
                err=True,
            )
        _write(proof.format())
    else:
        _write(tree.consistency(old, new))


# --- Central storage.


@cli.command()
@click.argument("destination")
@click.option(
    "--retention",
    help="How long entries are kept: hipaa, soc2, pci, or a period such as 400d or 6y.",
)
@click.option(
    "--mode",
    type=click.Choice(["COMPLIANCE", "GOVERNANCE"]),
    default="COMPLIANCE",
    show_default=True,
    help="S3: Object Lock mode. COMPLIANCE keeps even the account's owner from deleting.",
)
@click.option(
    "--print", "print_only", is_flag=True, help="PostgreSQL: print the SQL, and change nothing."
)
@click.option(
    "--partitions",
    default=16,
    show_default=True,
    help="NATS: number of partitions. It cannot be changed later.",
)
@click.option(
    "--replicas", default=1, show_default=True, help="NATS: number of servers that keep a copy."
)
@click.option(
    "--max-bytes", type=click.IntRange(min=1), help="NATS: bytes at which the stream is full."
)
@click.option(
    "--key",
    "key_file",
    type=FilePath(dir_okay=False),
    help="S3: file with the private key that alone can lengthen the retention later.",
)
@_passphrase_option
def init(
    destination: str,
    retention: str | None,
    mode: str,
    key_file: str | None,
    passphrase_file: str | None,
    print_only: bool,
    partitions: int,
    replicas: int,
    max_bytes: int | None,
) -> None:
    """Prepare central storage for logs.

    DESTINATION is postgresql://…, s3://bucket/prefix or nats://host/STREAM. Run it once, with
    an administrator's rights; the shipper needs fewer. Running it again changes nothing.
    """
    scheme = destination.partition(":")[0]
    _refuse_options(scheme != "s3", "applies to s3:// only", "mode", "key_file")
    _refuse_options(key_file is None, "needs --key", "passphrase_file")
    _refuse_options(
        scheme != "nats", "applies to nats:// only", "partitions", "replicas", "max_bytes"
    )
    _refuse_options(print_only, "cannot be combined with --print", "retention")
    if print_only:
        if not destination.startswith(("postgresql://", "postgres://")):
            raise click.UsageError("--print works for postgresql:// only")
        from chained_logging.ship import postgres

        click.echo(postgres.statements(), nl=False)
        return
    for sentence in init_destination(
        destination,
        retention=retention,
        mode=mode,
        partitions=partitions,
        replicas=replicas,
        max_bytes=max_bytes,
        signer=_load_key(key_file, passphrase_file) if key_file else None,
    ):
        click.echo(printable(sentence))


@cli.command()
@log_argument()
@click.option(
    "--to",
    "destinations",
    multiple=True,
    metavar="URL",
    help="Destination to ship to: postgresql://…, s3://… or nats://…. Repeatable.",
)
@click.option("--follow", is_flag=True, help="Keep shipping new entries until stopped.")
@click.option(
    "--status",
    "only_status",
    is_flag=True,
    help="Ship nothing; print how far behind each destination is.",
)
@click.option(
    "--interval",
    default=1.0,
    show_default=True,
    help="With --follow: seconds between two checks for new entries.",
)
@click.option(
    "--patience",
    default=60.0,
    show_default=True,
    help="Seconds to keep trying a destination that is down.",
)
@_digest_key_option
@_passphrase_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def ship(
    log: str,
    destinations: tuple[str, ...],
    follow: bool,
    only_status: bool,
    interval: float,
    patience: float,
    digest_key: str | None,
    passphrase_file: str | None,
    as_json: bool,
) -> None:
    """Copy all entries of LOG to central storage.

    Each entry arrives exactly once. Exit status 0: everything has arrived. 1: LOG is broken, or a
    destination holds a different history or lost entries. 2: a destination is down; run the
    command again to continue.
    """
    from chained_logging.net.signals import ended_by_signal, wait_for
    from chained_logging.ship.progress import read_place, read_places
    from chained_logging.ship.shipper import Shipper, status

    _refuse_options(
        only_status, "cannot be combined with --status", "follow", "digest_key", "patience"
    )
    _refuse_options(not follow, "needs --follow", "interval")
    _refuse_options(digest_key is None, "needs --key", "passphrase_file")
    s3 = any(url.startswith("s3:") for url in destinations)
    _refuse_options(not s3, "applies to s3:// only", "digest_key")
    with AuditLog(_existing(log), sign="follow", on_failure="raise") as audit:
        if only_status:
            places = read_places(audit.path)
            wanted = {destination_name(url) for url in destinations}
            rows = [status(audit, p) for p in places if not wanted or p.destination in wanted]
            _show_status(rows, as_json)
            sys.exit(1 if any(row["alert"] for row in rows) else 0)
        if not destinations:
            raise click.UsageError("give a destination with --to")
        signer = _load_key(digest_key, passphrase_file) if digest_key else None
        alerts: list[str] = []
        with _progress(not follow) as on_progress:
            shipper = Shipper(
                audit,
                destinations,
                interval=interval,
                signer=signer,
                on_alert=alerts.append,
                on_progress=on_progress,
            )
            if follow:
                ended = ended_by_signal()
                shipper.start()
                wait_for(ended)
                shipper.stop(patience)
                places = [read_place(audit.path, destination_name(url)) for url in destinations]
            else:
                places = shipper.ship(patience)
        _show_status([status(audit, place) for place in places], as_json)
    alert = alerts or any(place.alert for place in places)
    sys.exit(1 if alert else 2 if any(place.problem for place in places) else 0)


@cli.command()
@click.argument("stream")
@click.option(
    "--to",
    "destination",
    required=True,
    metavar="URL",
    help="Destination: postgresql://… or s3://bucket/prefix.",
)
@click.option(
    "--partitions", help="Partitions to read, such as 0-7 or 1,3. The default is all of them."
)
@click.option("--once", is_flag=True, help="Stop when the stream is empty.")
@click.option("--status", "only_status", is_flag=True, help="Move nothing; print what is waiting.")
@click.option("--resume", metavar="ORIGIN", help="Continue the stopped log of this name.")
@click.option(
    "--patience", default=60.0, show_default=True, help="With --once: seconds to keep trying."
)
@_digest_key_option
@_passphrase_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def land(
    stream: str,
    destination: str,
    partitions: str | None,
    once: bool,
    only_status: bool,
    resume: str | None,
    patience: float,
    digest_key: str | None,
    passphrase_file: str | None,
    as_json: bool,
) -> None:
    """Move entries from a stream into PostgreSQL or S3.

    The command reads STREAM (nats://…) until it is stopped. Any number of these commands can run at
    the same time. If something is wrong with a log, that log is stopped and the others continue.
    Exit status 0: done. 1: a log is stopped. 2: entries are left in the stream, or the command
    failed.
    """
    from chained_logging.net.signals import ended_by_signal
    from chained_logging.ship.land import Landing

    _refuse_options(only_status, "cannot be combined with --status", "once", "resume", "digest_key")
    _refuse_options(resume is not None, "cannot be combined with --resume", "once")
    _refuse_options(not once, "needs --once", "patience")
    _refuse_options(digest_key is None, "needs --key", "passphrase_file")
    _refuse_options(not destination.startswith("s3:"), "applies to s3:// only", "digest_key")
    signer = _load_key(digest_key, passphrase_file) if digest_key else None
    landing = Landing(
        stream,
        lambda: open_destination(destination, signer=signer),
        partitions=None if partitions is None else _numbers(partitions),
    )
    complete = True
    try:
        if resume is not None:
            landing.resume(resume)
        elif once:
            complete = landing.land(patience)
        elif not only_status:
            landing.run(ended_by_signal())
        status = landing.status()
    finally:
        landing.close()
    if as_json:
        click.echo(json.dumps(status))
    else:
        waiting = status["messages_waiting"] + status["messages_unacknowledged"]
        oldest = f", the oldest for {status['oldest_seconds']:,.0f} s" if waiting else ""
        click.echo(f"{status['destination']}: {waiting:,} messages wait{oldest}")
        for origin, reason in status["stopped"].items():
            click.echo(printable(f"ALERT: {origin} is stopped: {reason}"))
    sys.exit(1 if status["stopped"] else 0 if complete else 2)


def _numbers(text: str) -> list[int]:
    """Return the numbers of a list such as 0-7,9."""
    numbers: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isdecimal() and (last.isdecimal() if dash else True)) or len(part) > 20:
            raise click.UsageError("--partitions must be numbers such as 0-7 or 1,3")
        numbers.update(range(int(first), min(int(last or first), 100_000) + 1))
    return sorted(numbers)


def _show_status(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        lag = f"{row['lag_entries']:,} entries and {row['lag_seconds']:,.0f} s behind"
        text = f"{row['destination']}: up to seq {row['seq']}, {lag}"
        if row["problem"]:
            text += f"; {'ALERT' if row['alert'] else 'waiting'}: {row['problem']}"
        click.echo(printable(text))


@contextlib.contextmanager
def _progress(wanted: bool) -> Iterator[Callable[[str, int, int], None] | None]:
    """A progress bar over all destinations, on a terminal."""
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    counts: dict[str, tuple[int, int]] = {}
    with click.progressbar(length=1, label="shipping", file=sys.stderr) as bar:

        def show(name: str, there: int, total: int) -> None:
            counts[name] = (there, total)
            bar.length = max(1, sum(total for _, total in counts.values()))
            bar.update(sum(there for there, _ in counts.values()) - bar.pos)

        yield show


@cli.command()
@click.argument("destination")
@log_argument()
@click.option("--origin", help="Name of the log to restore, if DESTINATION holds several.")
@click.option(
    "--public-key",
    metavar="FILE",
    help="File with the log's first public key. Entries that no key vouches for are set aside.",
)
def restore(destination: str, log: str, origin: str | None, public_key: str | None) -> None:
    """Rebuild a lost host's log from central storage.

    LOG becomes a copy of the log in DESTINATION, byte for byte. An entry records the restoration,
    and new entries continue the restored log. The lost host must not return with its old log. The
    exit status is 1 if something in DESTINATION is missing or wrong.
    """
    from chained_logging.review.restore import restore as restore_log

    store = open_destination(destination)
    try:
        origins = store.origins()
        if origin is None:
            if len(origins) != 1:
                names = ", ".join(origins) or "no logs"
                raise click.UsageError(
                    f"give the log's name with --origin; the destination holds {names}"
                )
            (origin,) = origins
        done = restore_log(store, origin, Path(log), public_key=public_key)
    finally:
        store.close()
    click.echo(f"{done.entries} entries, the last hash {done.last_hash}", err=True)
    for sentence in done.sentences(Path(log)):
        click.echo(printable(sentence), err=True)
    if done.problems:
        raise SystemExit(1)


def _filters(command: Any) -> Any:
    options = (
        click.option("--actor", help="Show only entries with this actor_id."),
        click.option("--on-behalf-of", help="Show only entries whose actor acted for this person."),
        click.option("--tenant", help="Show only entries with this tenant_id."),
        click.option("--trace-id", help="Show only entries of this trace (32 hexadecimal digits)."),
        click.option("--action", help="Show only entries with this action."),
        click.option(
            "--resource",
            help="Show only entries about this resource, also among several: TYPE, TYPE/ID, a URL, "
            "an ARN or a path.",
        ),
        click.option(
            "--result",
            help="Show only entries with this result: success, failure, denied, unknown.",
        ),
        click.option(
            "--since", help="Show only entries from this time on (RFC 3339, or a date; UTC)."
        ),
        click.option(
            "--until", help="Show only entries before this time (RFC 3339, or a date; UTC)."
        ),
        click.option(
            "--incomplete", is_flag=True, help="Show only entries with a missing or invalid field."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@cli.command()
@log_argument(exists=True)
@_filters
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="Show only the last N matches."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print stored entries as JSON, one on each line."
)
def show(log: str, limit: int | None, as_json: bool, **options: Any) -> None:
    """Print the entries of LOG as a table.

    The entries are not verified: use chained-logging verify for that. Control characters are shown
    as escapes.
    """
    from collections import deque

    matching = read_entries(Path(log))
    if not as_json or any(options.values()):  # otherwise each is printed as stored
        wanted = _filter(options)
        matching = (e for e in _legible(matching, log) if wanted.matches(e))
    entries: Iterator[AuditEntry] = (
        iter(deque(matching, maxlen=min(limit, sys.maxsize))) if limit else matching
    )
    if as_json:
        for entry in entries:
            _write(entry.line + b"\n")
        return
    widths = (8, 27, 20, 16, 30, 8, 15)
    heads = ("seq", "timestamp", "actor", "action", "resource", "result", "address")
    click.echo("  ".join(h.ljust(w) for h, w in zip(heads, widths, strict=True)).rstrip())
    count = 0
    for entry in entries:
        count += 1
        cells = (
            str(entry.seq),
            entry.timestamp,
            _actor(entry),
            entry.action,
            _resource(entry),
            entry.result,
            entry.ip_address or "-",
        )
        mark = "  incomplete: " + ", ".join(entry.context["invalid"]) if entry.incomplete else ""
        row = "  ".join(_cell(printable(c), w) for c, w in zip(cells, widths, strict=True))
        click.echo(row.rstrip() + printable(mark))
    click.echo(f"{count} {'entry' if count == 1 else 'entries'}", err=True)


def _actor(entry: AuditEntry) -> str:
    who: str = entry.actor_id + ("" if entry.actor_type == "user" else f" ({entry.actor_type})")
    return f"{who} for {entry.on_behalf_of}" if entry.on_behalf_of else who


def _resource(entry: AuditEntry) -> str:
    """Return the cell of an entry's resource, with how many others it names."""
    more = f" +{len(entry.resources)}" if entry.resources else ""
    width = 30 - len(more)
    return _cell(f"{entry.resource_type}/{entry.resource_id}", width).rstrip() + more


def _legible(entries: Iterator[AuditEntry], log: str) -> Iterator[AuditEntry]:
    """Yield entries; raise at one that was changed so much that it cannot be shown."""
    for number, entry in enumerate(entries, 1):
        try:
            fields: Any = entry.fields
        except (ValueError, RecursionError):
            fields = None
        if not isinstance(fields, dict):
            raise ValueError(f"{log}: entry {number}, counted from 1, is not a JSON object")
        texts = ["timestamp", "actor_id", "actor_type", "action"]
        texts += ["resource_type", "resource_id", "result"]
        wrong = [name for name in texts if not isinstance(fields.get(name), str)]
        if not isinstance(fields.get("ip_address"), str | None):
            wrong.append("ip_address")
        if not isinstance(fields.get("on_behalf_of"), str | None):
            wrong.append("on_behalf_of")
        if not _are_records(fields.get("resources", [])):
            wrong.append("resources")
        context = fields.get("context")
        if not isinstance(context, dict) or not isinstance(context.get("invalid", {}), dict):
            wrong.append("context")
        if wrong:
            raise ValueError(
                f"{log}: entry {number}, counted from 1, was not written by a log "
                f"({', '.join(wrong)}). chained-logging verify reports every fault"
            )
        yield entry


def _are_records(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(record, dict)
        and isinstance(record.get("type"), str)
        and isinstance(record.get("id"), str)
        for record in value
    )


def _cell(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[: width - 1] + "…"


def _filter(options: dict[str, Any]) -> Filter:
    return Filter(
        actor=options["actor"],
        on_behalf_of=options["on_behalf_of"],
        tenant=options["tenant"],
        trace_id=(options["trace_id"] or "").lower() or None,
        action=options["action"],
        resource=options["resource"],
        result=options["result"],
        since=_moment(options["since"], "--since"),
        until=_moment(options["until"], "--until"),
        incomplete=options["incomplete"],
    )


def _moment(text: str | None, option: str) -> str | None:
    if text is None:
        return None
    from chained_logging.event.values import timestamp_text

    try:
        moment = dt.datetime.fromisoformat(text)
        return timestamp_text(moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC))
    except (ValueError, OverflowError):
        raise click.UsageError(
            f"{option} must be a date or an RFC 3339 time, not {printable(text)!r}"
        ) from None


@cli.command()
@log_argument(exists=True)
@click.argument("file", type=FilePath(), required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["log", "tlog-tiles"]),
    default="log",
    show_default=True,
    help="Format of the copy. tlog-tiles (C2SP) is a folder for transparency-log monitors.",
)
def export(log: str, file: str | None, form: str) -> None:
    """Copy the stored entries of LOG, byte for byte.

    The copy goes to FILE, which must not exist, or to standard output. The suffix of FILE (.jsonl
    or .db) decides its format. Entries and hashes stay the same.

    With --format tlog-tiles, FILE is a folder. The log is written there up to its newest
    checkpoint, as C2SP tlog-tiles. Each run adds what is new. Any web server can publish the
    folder.
    """
    if form == "tlog-tiles":
        if file is None:
            raise click.UsageError("--format tlog-tiles needs FILE, the folder to write to")
        size, written = export_tiles(Path(log), Path(file))
        click.echo(f"{size} entries, {written} files written", err=True)
        return
    if file is None:
        for entry in read_entries(Path(log)):
            _write(entry.line + b"\n")
        return
    count, last = export_log(Path(log), Path(file))
    click.echo(f"{count} entries, the last hash {last}", err=True)


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)


def main() -> NoReturn:
    """Run a command. A failure prints one sentence and exits with 2, never with a traceback."""
    try:
        cli(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as problem:
        problem.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:  # the reader stopped reading: `show | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except (OSError, ValueError, ImportError) as problem:
        click.echo(f"chained-logging: {printable(str(problem))}", err=True)
        sys.exit(2)
    sys.exit(0)
