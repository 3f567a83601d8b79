"""``checklist``: what an auditor asks of a log, and what can be seen of it from here."""

from __future__ import annotations

import json
from typing import Any

import click

from chained_logging.cli.options import (
    evidence_of,
    evidence_options,
    log_argument,
    origin_option,
    refuse_options,
)
from chained_logging.cli.output import complain, say
from chained_logging.cli.reading import reason_option, record_reading
from chained_logging.review.checklist.answer import Answer, Status
from chained_logging.review.checklist.clauses import NAMES
from chained_logging.review.checklist.table import as_json, counted, lines
from chained_logging.review.opening import is_url
from chained_logging.review.reading import Reading


@click.command()
@log_argument(exists=True, stores=True)
@click.option(
    "--standard", type=click.Choice(NAMES), required=True, help="Whose clauses are asked."
)
@click.option(
    "--store",
    "stores",
    metavar="URL",
    multiple=True,
    help="Central store that holds LOG, beside those that are configured. Repeatable.",
)
@click.option("--json", "as_lines", is_flag=True, help="Print JSON with all the evidence.")
@origin_option
@evidence_options
@reason_option
def checklist(
    log: str,
    standard: str,
    stores: tuple[str, ...],
    as_lines: bool,
    origin: str | None,
    reason: str | None,
    **evidence: Any,
) -> None:
    """Go through ten points and a standard's clauses, and say of each whether LOG meets it.

    Each answer is met, not met, or not checkable from here, with what was looked at and the command
    that mends it. What is configured and was not seen to work is not met. Run it on the machine
    that writes LOG, with URLs in --store that may read the stores.

    The exit status is 1 if something is not met, and 2 if nothing is but something could not be
    looked at.
    """
    from chained_logging.review.checklist.checklist import checked

    refuse_options(not is_url(log), "is for the URL of a store", "origin")
    answers = checked(log, standard, origin=origin, stores=stores, evidence=evidence_of(**evidence))
    record_reading(log, Reading("checklist", reason=reason, about={"standard": standard}))
    if as_lines:
        click.echo(json.dumps({"standard": standard, "answers": as_json(answers)}))
    else:
        for line in lines(answers):
            say(line)
    complain(f"{standard}: {counted(answers)}")
    raise SystemExit(exit_status(answers))


def exit_status(answers: list[Answer]) -> int:
    """Return 1 if something is not met, 2 if a probe could not look, 0 otherwise."""
    statuses = {found.status for answer in answers for found in answer.found}
    return 1 if Status.NOT_MET in statuses else 2 if Status.UNSEEN in statuses else 0
