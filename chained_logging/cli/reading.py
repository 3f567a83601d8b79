"""What commands that show entries have in common: the reading is recorded in the log."""

from __future__ import annotations

from pathlib import Path

import click

from chained_logging import config
from chained_logging.cli.output import complain
from chained_logging.review.reading import NotRecorded, Reader, Reading, Rules, record

reason_option = click.option(
    "--reason", metavar="TEXT", help="Why you read the log. The log records it."
)


def record_reading(log: str, reading: Reading) -> int | None:
    """Record a reading before it is shown, or say why that cannot be done.

    :returns: the ``seq`` of the entry, if it is in the log that is read.
    :raises NotRecorded: if the configuration demands a record or a reason that is missing.
    """
    rules = Rules(**config.reading())
    rules.check(reading)
    try:
        path, entry = record(log, reading, Reader.of_this_process(), rules.elsewhere)
    except NotRecorded as error:
        if rules.recorded:
            raise
        complain(f"this reading is not recorded: {error}")
        return None
    return entry.seq if path == Path(log).resolve() else None
