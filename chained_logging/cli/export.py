"""``export``: the stored bytes, in another file or form."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from chained_logging.cli.options import log_argument
from chained_logging.cli.output import complain, write
from chained_logging.cli.reading import reason_option, record_reading
from chained_logging.cli.types import FilePath
from chained_logging.files.own import refuse_what_is_there
from chained_logging.formats.table import FORMATS
from chained_logging.review.export import converted, export_log, export_tiles, write_converted
from chained_logging.review.opening import stored_lines
from chained_logging.review.reading import Reading


@click.command()
@log_argument(exists=True)
@click.argument("file", type=FilePath(), required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["log", "tlog-tiles", *FORMATS]),
    default="log",
    show_default=True,
    help="Format of the copy. tlog-tiles (C2SP) is a folder for transparency-log monitors. fhir is "
    "release 4.",
)
@reason_option
def export(log: str, file: str | None, form: str, reason: str | None) -> None:
    """Copy the stored entries of LOG, byte for byte.

    The copy goes to FILE, which must not exist, or to standard output. The suffix of FILE (.jsonl
    or .db) decides its format. Entries and hashes stay the same.

    With --format tlog-tiles, FILE is a folder. The log is written there up to its newest
    checkpoint, as C2SP tlog-tiles. Each run adds what is new. Any web server can publish the
    folder.

    With --format ocsf, ecs, cef, csv, fhir or fhir-r5, each entry is converted for other programs.
    ocsf, ecs and fhir hold the stored entry too, so that its hash can still be checked.

    The log records an export: by whom, how many entries, and why.
    """
    if form == "tlog-tiles":  # publishing goes on by itself, as shipping does: nobody reads
        if file is None:
            raise click.UsageError("--format tlog-tiles needs FILE, the folder to write to")
        size, written = export_tiles(Path(log), Path(file))
        complain(f"{size} entries, {written} files written")
        return
    if file is not None:
        refuse_what_is_there(Path(file))
    record_reading(log, Reading("export", reason=reason, about={"format": form}))
    if file is None:
        for data in _printed(Path(log), form):
            write(data)
    else:
        complain(_copied(Path(log), Path(file), form))


def _printed(log: Path, form: str) -> Iterable[bytes]:
    """Return what goes to standard output."""
    if form in FORMATS:
        return converted(log, form)
    return stored_lines(log)


def _copied(log: Path, file: Path, form: str) -> str:
    """Make the copy, and return what there is to say about it."""
    if form in FORMATS:
        return f"{write_converted(log, form, file)} entries"
    count, last = export_log(log, file)
    return f"{count} entries, the last hash {last}"
