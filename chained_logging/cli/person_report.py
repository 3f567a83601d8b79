"""``person-report``: who used a record, for the person concerned."""

from __future__ import annotations

import os
from pathlib import Path

import click

from chained_logging.cli.options import log_argument, origin_option
from chained_logging.cli.output import complain
from chained_logging.cli.query import SINCE, UNTIL
from chained_logging.cli.reading import reason_option, record_reading
from chained_logging.cli.types import FilePath
from chained_logging.files.own import refuse_what_is_there, write_new
from chained_logging.formats import csv
from chained_logging.review.filter import Filter
from chained_logging.review.opening import named, open_log
from chained_logging.review.person import PersonReport, Staff, page, read_people, table
from chained_logging.review.reading import Reading
from chained_logging.review.templating import require_jinja
from chained_logging.review.verdict import judge

_FORMS = (".html", ".csv")


@click.command("person-report")
@log_argument(exists=True, stores=True)
@click.option("--resource", metavar="TYPE/ID", help="The record, such as patient_record/456.")
@click.option("--subject", metavar="ID", help="Or the person: records of any type with this id.")
@click.option(
    *("-o", "--output", "files"),
    type=FilePath(),
    multiple=True,
    required=True,
    help="File to write, .html or .csv. Can be given several times. It must not exist.",
)
@click.option("--since", type=SINCE, help="Only from this time on, as for query.")
@click.option("--until", type=UNTIL, help="Only before this time, as for query.")
@click.option(
    "--staff",
    type=click.Choice(["names", "roles", "withheld"]),
    default="roles",
    show_default=True,
    help="How the people who used the record appear. withheld: as numbers.",
)
@click.option(
    "--people",
    type=FilePath(exists=True, dir_okay=False),
    help="CSV file with the columns actor_id, name and role.",
)
@origin_option
@reason_option
def person_report(
    log: str,
    resource: str | None,
    subject: str | None,
    files: tuple[str, ...],
    since: str | None,
    until: str | None,
    staff: Staff,
    people: str | None,
    origin: str | None,
    reason: str | None,
) -> None:
    """Write who used a record, in plain words, for the person concerned.

    The log is verified first, and the page says what that found. The log records who made the
    report, and why.
    """
    if [resource, subject].count(None) != 1:
        raise click.UsageError("give either --resource or --subject")
    for file in files:
        if Path(file).suffix not in _FORMS:
            raise click.UsageError(f"-o {file} must end with .html or .csv")
        refuse_what_is_there(Path(file))
    if any(file.endswith(".html") for file in files):
        require_jinja()
    known = read_people(Path(people)) if people is not None else {}
    verdict = judge(log, origin=origin, jobs=os.cpu_count() or 1)
    with open_log(log, origin=origin) as engine:
        period = Filter(since=since, until=until)
        report = PersonReport(engine, resource, subject, period, staff, known)
        count = len(report.occasions)
    about = {"subject": subject} if subject is not None else {}
    record_reading(log, Reading("person-report", report.filters[0], count, reason, about))
    for file in files:
        text = _form(report, file, log, verdict.headline, verdict.intact)
        write_new(Path(file), text.encode())
    complain(f"{count:,} {'occasion' if count == 1 else 'occasions'}")
    if not verdict.intact:
        complain(f"{verdict.headline}: run chained-logging verify")
        raise SystemExit(1 if verdict.status in ("tampered", "incomplete") else 2)


def _form(report: PersonReport, file: str, log: str, verdict: str, intact: bool) -> str:
    if file.endswith(".csv"):
        return "".join(map(csv.row, table(report.occasions)))
    return page(report, log=named(log), verdict=verdict, intact=intact)
