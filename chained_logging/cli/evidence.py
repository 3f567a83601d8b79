"""``evidence``: entries in one file, for somebody who checks them without the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from chained_logging.cli.options import (
    key_option,
    load_key,
    log_argument,
    origin_option,
    output_option,
    passphrase_option,
    refuse_options,
)
from chained_logging.cli.output import complain
from chained_logging.cli.query import filter_of, filter_options, say_times
from chained_logging.cli.reading import reason_option, record_reading
from chained_logging.cli.types import FilePath
from chained_logging.review.opening import is_url
from chained_logging.review.reading import Reading


@click.command()
@log_argument(exists=True, stores=True)
@output_option("File to write, such as evidence.zip. It must not exist.")
@filter_options
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="Draw N of these entries. The root of the checkpoint decides which, so anybody can draw "
    "them again.",
)
@click.option(
    "--size",
    type=click.IntRange(min=1),
    metavar="N",
    help="Size of the checkpoint to prove the entries to. The default is the newest.",
)
@click.option(
    "--attach",
    "attached",
    type=FilePath(dir_okay=False, exists=True),
    multiple=True,
    metavar="FILE",
    help="File to put into the package too, such as a report. Repeatable.",
)
@key_option("File with the log's private key, which signs what the package claims.")
@passphrase_option
@origin_option
@reason_option
def evidence(
    log: str,
    target: str,
    sample: int | None,
    size: int | None,
    attached: tuple[str, ...],
    key_file: str | None,
    passphrase_file: str | None,
    origin: str | None,
    reason: str | None,
    **filters: Any,
) -> None:
    """Write entries of LOG into a package that proves them.

    The package is a zip file with the entries, a signed checkpoint, one proof for all of them, the
    public keys, verify.py and a README for the auditor. LOG must have a checkpoint. Entries after
    it are left out.

    With --since, --until and --seq alone, the package holds a period: every entry from the first to
    the last one that fits. It then proves that no entry in between is missing. With any other
    option, that no further entry fits cannot be proven.

    chained-logging verify --evidence FILE checks the package, as does verify.py alone. LOG records
    who made it, with the hash of its manifest.
    """
    from chained_logging.review.evidence import make_evidence

    refuse_options(not is_url(log), "is for the URL of a store", "origin")
    refuse_options(key_file is None, "needs --key", "passphrase_file")
    wanted = filter_of(filters)
    say_times(wanted)
    extra = {Path(file).name: Path(file).read_bytes() for file in attached}
    if len(extra) < len(attached):
        raise click.UsageError("files to attach must have different names")
    made = make_evidence(
        log,
        Path(target),
        wanted,
        sample=sample,
        size=size,
        origin=origin,
        key=load_key(key_file, passphrase_file) if key_file else None,
        extra=extra,
    )
    about = {"manifest": made.manifest, "size": made.selection.size}
    try:
        record_reading(log, Reading("evidence", wanted, len(made.selection.chosen), reason, about))
    except BaseException:
        Path(target).unlink()
        raise
    complain(made.statement)
    if made.later:
        complain(
            f"{made.later:,} more after the checkpoint fit and are left out: run chained-logging "
            "checkpoint first to include them"
        )
    complain(f"{target}: its manifest has the SHA-256 {made.manifest}")
