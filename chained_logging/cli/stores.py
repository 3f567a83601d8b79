"""``init`` and ``restore``: central storage, prepared and read back."""

from __future__ import annotations

import contextlib
from contextlib import closing
from pathlib import Path

import click

from chained_logging.cli.archive import archive_option
from chained_logging.cli.options import (
    key_option,
    load_key,
    log_argument,
    passphrase_option,
    raw_public_key,
    refuse_options,
)
from chained_logging.cli.output import complain, say
from chained_logging.cli.types import FilePath
from chained_logging.errors import DestinationError
from chained_logging.ship import Destination, init_destination, open_destination
from chained_logging.ship.feeds import FEEDS


@click.command()
@click.argument("destination")
@click.option(
    "--retention",
    metavar="PERIOD",
    help="How long to keep entries: hipaa, soc2, pci, pci-archive, federal, or a period such as "
    "400d or 6y.",
)
@click.option(
    "--mode",
    type=click.Choice(["COMPLIANCE", "GOVERNANCE"]),
    default="COMPLIANCE",
    show_default=True,
    help="S3: mode of Object Lock. In COMPLIANCE, not even the account's owner can delete entries.",
)
@click.option(
    "--print", "print_only", is_flag=True, help="PostgreSQL: print the SQL, and change nothing."
)
@click.option(
    "--partitions",
    metavar="N",
    type=int,
    default=16,
    show_default=True,
    help="NATS: number of partitions. It cannot be changed later.",
)
@click.option(
    "--replicas",
    metavar="N",
    type=int,
    default=1,
    show_default=True,
    help="NATS: number of servers that keep a copy of the stream.",
)
@click.option(
    "--max-bytes",
    metavar="N",
    type=click.IntRange(min=1),
    help="NATS: size in bytes at which the stream is full.",
)
@key_option("S3: file with a private key. Only this key can lengthen the retention later.")
@passphrase_option
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

    DESTINATION is postgresql://…, s3://bucket/prefix or nats://host/STREAM. Run the command once,
    with an administrator's rights; shipping needs fewer. Running it again is safe: nothing that is
    there is changed, and PostgreSQL gets partitions for further months.
    """
    scheme = destination.partition(":")[0]
    refuse_options(scheme != "s3", "applies to s3:// only", "mode", "key_file")
    refuse_options(key_file is None, "needs --key", "passphrase_file")
    refuse_options(
        scheme != "nats", "applies to nats:// only", "partitions", "replicas", "max_bytes"
    )
    refuse_options(print_only, "cannot be combined with --print", "retention")
    if print_only:
        if scheme not in ("postgresql", "postgres"):
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
        signer=load_key(key_file, passphrase_file) if key_file else None,
    ):
        say(sentence)


@click.command()
@click.argument("destination")
@log_argument()
@click.option(
    "--origin", metavar="NAME", help="Name of the log to restore, if DESTINATION holds several."
)
@click.option(
    "--or-from",
    "destinations",
    multiple=True,
    metavar="DESTINATION",
    help="Another destination of the log; also those that the configuration ships LOG to. The one "
    "that is furthest is restored. Repeatable.",
)
@click.option(
    "--public-key",
    type=FilePath(dir_okay=False),
    help="File with the log's first public key. Entries after the last signed one are then kept in "
    "a file of their own.",
)
@archive_option
def restore(
    destination: str,
    log: str,
    destinations: tuple[str, ...],
    origin: str | None,
    public_key: str | None,
    archive: str | None,
) -> None:
    """Rebuild a lost host's log from central storage, or from a backup in a folder.

    LOG becomes a copy of the log in DESTINATION, byte for byte. An entry records the restoration,
    and new entries continue the restored log. Do not use the lost host's old log again: the two
    logs would differ.

    Of several destinations, the one that is furthest is restored. If two hold different histories,
    nothing is restored, unless --public-key tells which one is the log's.

    The exit status is 1 if something in DESTINATION is missing or wrong, or if another destination
    disagrees or does not answer.
    """
    from chained_logging.review.archive.fetched import read_also, require_archive
    from chained_logging.review.furthest import furthest
    from chained_logging.review.restore import restore as restore_log

    raw = raw_public_key(public_key)
    with contextlib.ExitStack() as stack:
        stores = [stack.enter_context(closing(one)) for one in _all(destination, destinations)]
        name = _only(_origins(stores)) if origin is None else origin
        best = furthest(stores, name, raw)
        require_archive(best.store, name, archive)
        stack.enter_context(read_also(best.store, name, archive))
        done = restore_log(best, name, Path(log), public_key=public_key)
    done.problems += best.warnings
    if len(stores) > 1:
        complain(f"restored from {best.name}, which is furthest")
    complain(f"{done.entries} entries, the last hash {done.last_hash}")
    for sentence in done.sentences(Path(log)):
        complain(sentence)
    if done.problems:
        raise SystemExit(1)


def _all(destination: str, others: tuple[str, ...]) -> list[Destination]:
    """Open a destination, and others that can be read, each once."""
    readable = (one for one in others if one.partition("://")[0].lower() not in FEEDS)
    named = dict.fromkeys([destination, *readable])
    stores = [_opened(one) for one in named]
    return list({store.name: store for store in reversed(stores)}.values())[::-1]


def _origins(stores: list[Destination]) -> list[str]:
    """Return the logs that the destinations hold, as far as they answer."""
    found: set[str] = set()
    silent: list[DestinationError] = []
    for store in stores:
        try:
            found.update(store.origins())
        except DestinationError as error:
            silent.append(error)
    if len(silent) == len(stores):
        raise silent[0]
    return sorted(found)


def _opened(destination: str) -> Destination:
    if "://" in destination:
        return open_destination(destination)
    from chained_logging.review.backup.folder import FolderBackup

    return FolderBackup(Path(destination).resolve())


def _only(origins: list[str]) -> str:
    if len(origins) != 1:
        names = ", ".join(origins) or "no logs"
        raise click.UsageError(f"give the log's name with --origin; the destination holds {names}")
    return origins[0]
