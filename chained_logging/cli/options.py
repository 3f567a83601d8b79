"""Options and arguments that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from chained_logging import config
from chained_logging.cli.types import FileOrStore, FilePath
from chained_logging.log import AuditLog
from chained_logging.sinks import JSONL_SUFFIXES
from chained_logging.sinks.segments import segment_paths

if TYPE_CHECKING:
    from chained_logging.keys import PrivateKey
    from chained_logging.review.verdict import Evidence

_OWN_OPTIONS: Final = {
    *("log", "key", "origin", "strict", "durability", "sign", "ship"),
    "on_failure",  # commands raise
}


# --- The log.


def log_argument(
    *, exists: bool = False, stores: bool = False, required: bool = False
) -> Callable[[Any], Any]:
    """Return a decorator for the argument LOG: a file, or what the configuration names.

    The configured settings become the defaults of the command's options, for the configured log
    alone.

    :param exists: whether the file must be there.
    :param stores: whether it may be the URL of a central store.
    :param required: whether it must be given, since other arguments follow.
    """
    return click.argument(
        "log",
        type=(FileOrStore if stores else FilePath)(dir_okay=False, exists=exists),
        required=required,
        is_eager=True,  # before the options, whose defaults it sets
        callback=_configured,
    )


def _configured(ctx: click.Context, param: click.Parameter, given: str | None) -> str | None:
    if ctx.resilient_parsing:  # shell completion
        return given
    settings = config.load()
    named = settings.get("log")
    if given is None and named is None:
        raise click.UsageError(f"give LOG, or name it in {config.FILE}", ctx)
    if given is not None and (named is None or os.path.realpath(given) != os.path.realpath(named)):
        return given
    ctx.default_map = {
        "key_file": settings.get("key"),
        "origin": settings.get("origin"),
        "strict": settings.get("strict"),
        "fsync": settings.get("durability") == "fsync",
        "sign_each": settings.get("sign") == "each",
        "destinations": settings.get("ship"),
    }
    ctx.obj = {name: value for name, value in settings.items() if name not in _OWN_OPTIONS}
    return given if given is not None else str(param.type.convert(named, param, ctx))


def existing(log: str) -> str:
    """Return the path of a log that must exist, for commands that would make a new one.

    :raises FileNotFoundError: if it does not exist.
    """
    path = Path(log)
    if path.exists():
        return log
    # While a segment is sealed, the log has no other file for a moment.
    if path.suffix in JSONL_SUFFIXES and path.parent.is_dir() and segment_paths(path):
        return log
    raise FileNotFoundError(f"{log} does not exist")


def raw_public_key(public_key: str | None) -> bytes | None:
    """Return the 32 bytes of a public key, given as a text or a file; None if none is given."""
    from chained_logging.keys import load_public

    return load_public(public_key).raw if public_key is not None else None


origin_option = click.option(
    "--origin", metavar="NAME", help="Name of the log, if a store holds several."
)


def seconds_option(
    *names: str, default: float, help: str, least: float | None = None
) -> Callable[[Any], Any]:
    """Return a decorator for an option that is a time in seconds.

    :param names: as for ``click.option``.
    :param least: the shortest time that is taken; None for any.
    """
    return click.option(
        *names,
        metavar="SECONDS",
        type=float if least is None else click.FloatRange(min=least),
        default=default,
        show_default=True,
        help=help,
    )


def output_option(help: str) -> Callable[[Any], Any]:
    """Return a decorator for ``--output``, the one file that a command makes."""
    return click.option(
        "-o",
        "--output",
        "target",
        type=FilePath(dir_okay=False),
        required=True,
        metavar="FILE",
        help=help,
    )


# --- What to check a log with.


def evidence_options(command: Any) -> Any:
    """Add the options that :func:`evidence_of` takes."""
    options = (
        click.option(
            "--public-key", metavar="KEY", help="The log's first public key: a vkey, or a file."
        ),
        click.option(
            "--checkpoint",
            "checkpoints",
            type=FilePath(dir_okay=False, exists=True),
            multiple=True,
            help="File with a checkpoint that was kept elsewhere. Repeatable.",
        ),
        click.option(
            "--witness-key",
            "witness_keys",
            metavar="VKEY",
            multiple=True,
            help="Key of a witness: a vkey, or a file. Repeatable.",
        ),
        click.option(
            "--timestamp-root",
            type=FilePath(dir_okay=False, exists=True),
            help="File with root certificates in PEM of timestamp authorities.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def evidence_of(
    *,
    public_key: str | None,
    checkpoints: Sequence[str],
    witness_keys: Sequence[str],
    timestamp_root: str | None,
) -> Evidence:
    """Return what the options of :func:`evidence_options` give to check a log with.

    :raises OSError: if a file cannot be read.
    """
    from chained_logging.review.verdict import Evidence

    return Evidence(
        public_key=_text_of(public_key) if public_key is not None else None,
        witness_keys=[_text_of(key) for key in witness_keys],
        timestamp_roots=Path(timestamp_root).read_bytes() if timestamp_root is not None else None,
        checkpoints=checkpoints,
    )


def _text_of(given: str) -> str:
    """Return a key that is given, or the content of the file that is named instead."""
    if not os.path.exists(given):
        return given
    return Path(given).read_text(encoding="utf-8").strip()


# --- Keys. A passphrase comes from CHAINED_LOGGING_PASSPHRASE or a file, never from an argument,
# which every user of the machine can read.

passphrase_option = click.option(
    "--passphrase-file",
    type=FilePath(dir_okay=False),
    help="File whose first line is the key's passphrase.",
)


def key_option(
    help: str, *, name: str = "key_file", required: bool = False
) -> Callable[[Any], Any]:
    """Return a decorator for ``--key``, a file with a private key.

    :param name: the parameter's name. The configured log's key is the default of ``key_file``.
    """
    return click.option("--key", name, type=FilePath(dir_okay=False), required=required, help=help)


log_key_option = key_option("File with the log's private key.", required=True)
digest_key_option = key_option(
    "S3: file with the private key that signs digests.", name="digest_key"
)


def load_key(file: str, passphrase_file: str | None) -> PrivateKey:
    """Return the private key in a file.

    :raises OSError: if it cannot be read.
    :raises ValueError: if it is not a private key, or the passphrase is wrong or missing.
    """
    from chained_logging.keys import PrivateKey, passphrase_from

    return PrivateKey.load(file, passphrase_from(file=passphrase_file))


# --- Appending.


def writer_options(command: Any) -> Any:
    """Add the options that :func:`open_writer` takes."""
    options = (
        click.option(
            "--strict", is_flag=True, help="Refuse an event with a missing or invalid field."
        ),
        click.option(
            "--fsync",
            is_flag=True,
            help="Sync each entry to the disk at once. Without this option, a power failure can "
            "lose the newest entries.",
        ),
        click.option(
            "--origin", metavar="NAME", help="Name for a new log, such as example.com/audit."
        ),
        key_option("File with the log's private key, which signs checkpoints."),
        click.option("--sign-each", is_flag=True, help="Sign every entry, not only checkpoints."),
        passphrase_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def open_writer(
    log: str,
    *,
    strict: bool,
    fsync: bool,
    origin: str | None,
    key_file: str | None,
    sign_each: bool,
    passphrase_file: str | None,
) -> AuditLog:
    """Open a log as :func:`writer_options` say, and with what else the configuration sets.

    :raises: as :class:`~chained_logging.log.AuditLog`.
    """
    refuse_options(key_file is None, "needs --key", "sign_each", "passphrase_file")
    return AuditLog(
        log,
        durability="fsync" if fsync else "os",
        on_failure="raise",
        strict=strict,
        origin=origin,
        key=load_key(key_file, passphrase_file) if key_file else None,
        sign="each" if sign_each else "checkpoint",
        **(click.get_current_context().obj or {}),
    )


# --- Options that exclude each other.


def refuse_options(when: object, why: str, *options: str) -> None:
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
