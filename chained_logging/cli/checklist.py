"""``checklist``: what an auditor asks of a log, and what can be seen of it from here."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click

from chained_logging.cli.options import (
    evidence_of,
    evidence_options,
    log_argument,
    origin_option,
    refuse_options,
)
from chained_logging.cli.output import complain, write
from chained_logging.cli.reading import reason_option, record_reading
from chained_logging.cli.types import FilePath
from chained_logging.files.own import write_new
from chained_logging.review.checklist import table
from chained_logging.review.checklist.answer import Answer, Status
from chained_logging.review.checklist.asked import Checklist
from chained_logging.review.checklist.clauses import NAMES
from chained_logging.review.checklist.table import counted
from chained_logging.review.opening import is_url
from chained_logging.review.reading import Reading
from chained_logging.review.templating import require_jinja
from chained_logging.text import printable

_FORMS: Final = ("table", "oscal", "ocsf")


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
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMS),
    default="table",
    show_default=True,
    help="oscal: OSCAL assessment results. ocsf: a Compliance Finding a line.",
)
@click.option(
    "-o",
    "--output",
    "target",
    type=FilePath(dir_okay=False),
    metavar="FILE",
    help="Write the form to FILE, which must not exist. To FILE.html, write a page.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON with all the evidence.")
@origin_option
@evidence_options
@reason_option
def checklist(
    log: str,
    standard: str,
    stores: tuple[str, ...],
    form: str,
    target: str | None,
    as_json: bool,
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
    from chained_logging.review.checklist.checklist import gone_through

    refuse_options(not is_url(log), "is for the URL of a store", "origin")
    refuse_options(as_json, "cannot be combined with --json", "form")
    form = _form("json" if as_json else form, target)
    found = gone_through(log, standard, origin, stores, evidence_of(**evidence))
    record_reading(log, Reading("checklist", reason=reason, about={"standard": standard}))
    _write(found, form, target)
    complain(f"{standard}: {counted(found.answers)}")
    raise SystemExit(exit_status(found.answers))


def _form(form: str, target: str | None) -> str:
    """Return the form that was asked for, once it is clear that it can be written.

    :raises FileExistsError: if the file exists.
    """
    as_page = target is not None and Path(target).suffix.lower() == ".html"
    refuse_options(as_page, "cannot be combined with -o FILE.html", "form", "as_json")
    if as_page:
        require_jinja()
    if target is not None and os.path.lexists(target):
        raise FileExistsError(f"{target} is there already")
    return "page" if as_page else form


def _write(found: Checklist, form: str, target: str | None) -> None:
    if form == "page":
        from chained_logging.review.checklist.page import page

        data = page(found)
    else:
        data = "".join(f"{line}\n" for line in _lines(found, form)).encode()
    if target is None:
        write(data)
        return
    write_new(Path(target), data)
    complain(f"written to {target}")


def _lines(found: Checklist, form: str) -> Iterator[str]:
    if form == "oscal":
        from chained_logging.review.checklist import oscal

        return iter([json.dumps(oscal.document(found), indent=2)])
    if form == "ocsf":
        from chained_logging.review.checklist import ocsf

        return ocsf.lines(found)
    if form == "json":
        about = {"log": found.log, "standard": found.standard.name, "at": found.ended}
        return iter([json.dumps({**about, "answers": table.as_json(found.answers)})])
    return map(printable, table.lines(found.answers))


def exit_status(answers: Sequence[Answer]) -> int:
    """Return 1 if something is not met, 2 if a probe could not look, 0 otherwise."""
    statuses = {found.status for answer in answers for found in answer.found}
    return 1 if Status.NOT_MET in statuses else 2 if Status.UNSEEN in statuses else 0
