"""``report``: a period of a log for an auditor, as one file."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from chained_logging.cli.options import (
    evidence_of,
    evidence_options,
    log_argument,
    origin_option,
    output_option,
    refuse_options,
)
from chained_logging.cli.output import complain
from chained_logging.cli.reading import reason_option, record_reading
from chained_logging.cli.types import Parsed
from chained_logging.errors import ChainedLoggingError
from chained_logging.files.own import write_new
from chained_logging.review.filter import ANY
from chained_logging.review.moments import moment, spoken
from chained_logging.review.opening import is_url, open_log
from chained_logging.review.period import Period, instant
from chained_logging.review.query import Engine
from chained_logging.review.reading import Reading
from chained_logging.review.report.standards import NAMES
from chained_logging.review.selection import MAX_SAMPLE, USUAL_SAMPLE

if TYPE_CHECKING:
    from chained_logging.review.report.contents import Contents
    from chained_logging.review.verdict import Verdict

_FROM: Final = Parsed("TIME", moment)
_TO: Final = Parsed("TIME", lambda text: moment(text, latest=True))
_TIMES: Final = (
    "such as 2026-10-01 or 2026-10-01T09:30. A time is local unless it ends with Z or an offset."
)
_TICK: Final = dt.timedelta(microseconds=1)
_STATUS: Final = {"intact": 0, "tampered": 1, "incomplete": 1}


@click.command()
@log_argument(exists=True, stores=True)
@click.option(
    "--standard", type=click.Choice(NAMES), required=True, help="Whose clauses are named."
)
@click.option("--from", "since", type=_FROM, help=f"Beginning of the period, {_TIMES}")
@click.option("--to", "until", type=_TO, help=f"End of the period, not included, {_TIMES}")
@output_option(
    "File to write, report.html or report.pdf. It must not exist. A PDF needs Chromium or "
    "WeasyPrint."
)
@click.option(
    "--sample",
    "count",
    type=click.IntRange(0, MAX_SAMPLE),
    default=USUAL_SAMPLE,
    show_default=True,
    metavar="N",
    help="Number of entries to draw, each with its proof.",
)
@click.option(
    "--size",
    type=click.IntRange(min=1),
    metavar="N",
    help="Report on the first N entries of the log. The default is up to the newest checkpoint.",
)
@click.option(
    "--checklist",
    "with_checklist",
    is_flag=True,
    help="Add what chained-logging checklist says now. The file is then another one each time.",
)
@origin_option
@evidence_options
@reason_option
def report(
    log: str,
    standard: str,
    since: str | None,
    until: str | None,
    target: str,
    count: int,
    size: int | None,
    with_checklist: bool,
    origin: str | None,
    reason: str | None,
    **evidence: Any,
) -> None:
    """Write a report on a period of LOG for an auditor.

    The report is one HTML file that loads nothing, or a PDF. It says first whether LOG is intact,
    and what is not covered. Then it shows the period by actor, action and resource, failed
    attempts, changes, exports, administrators, who read LOG, keys, recoveries, and a sample with
    proofs. For each section it names the clauses of the standard. The period is the last 30 days
    with entries, unless you say otherwise.

    The report stands on LOG up to its newest checkpoint, so the same command makes the same file
    again. LOG records who made it. The exit status is 1 if LOG is not intact, and 2 if that could
    not be checked.
    """
    from chained_logging.review.checklist.checklist import gone_through
    from chained_logging.review.report.page import page
    from chained_logging.review.report.pdf import printer
    from chained_logging.review.templating import require_jinja
    from chained_logging.review.verdict import judge

    refuse_options(not is_url(log), "is for the URL of a store", "origin")
    wanted, path = (since, until), Path(target)
    require_jinja()
    print_pdf = printer() if path.suffix.lower() == ".pdf" else None
    if os.path.lexists(path):
        raise FileExistsError(f"{path} is there already")
    given = evidence_of(**evidence)
    verdict = judge(log, origin=origin, evidence=given, jobs=os.cpu_count() or 1)
    checklist = gone_through(log, standard, origin, (), given) if with_checklist else None
    found = _contents(log, origin, verdict, (standard, wanted, size, count), reason)
    html = page(found, checklist)
    write_new(path, print_pdf(html) if print_pdf else html)
    _say(found, path)
    raise SystemExit(_STATUS.get(verdict.status, 2))


_Wanted = tuple[str, tuple[str | None, str | None], int | None, int]


def _contents(
    log: str, origin: str | None, verdict: Verdict, wanted: _Wanted, reason: str | None
) -> Contents:
    """Return what the report says, once the reading is recorded."""
    from chained_logging.review.report.contents import Asked, contents, size_of, unread

    standard, times, size, count = wanted
    about = {"standard": standard}
    try:
        engine = open_log(log, origin=origin, indexed=True)
    except (ChainedLoggingError, OSError, ValueError) as problem:
        if verdict.status == "intact":
            raise
        asked = Asked(log, standard, _period(times, verdict), 0, count, origin)
        record_reading(log, Reading("report", asked.period.within(ANY), 0, reason, about))
        return unread(asked, verdict, str(problem))
    with engine:
        period = _period(times, verdict, engine)
        asked = Asked(log, standard, period, size_of(engine, verdict, size), count, origin)
        entries = engine.count(asked.wanted)
        record_reading(log, Reading("report", period.within(ANY), entries, reason, about))
        return contents(engine, asked, verdict)


def _period(
    times: tuple[str | None, str | None], verdict: Verdict, engine: Engine | None = None
) -> Period:
    """Return the period that was asked for; else days up to the log's newest entry."""
    since, until = times
    newest = verdict.report.last_timestamp or "1970-01-01T00:00:00Z"
    if engine is not None:
        newest = engine.scope().latest or newest
    if until is None:
        until = Period.ending(instant(newest), 1).until
    if since is None:
        since = Period.ending(instant(until) - _TICK, 30).since
    return Period(since, until)


def _say(found: Contents, path: Path) -> None:
    period = found.asked.period
    complain(f"{spoken(period.since)} up to {spoken(period.until)}: {found.verdict.headline}")
    if found.later and found.checked.signed_seq is not None:
        complain(
            f"the newest checkpoint does not cover {found.later:,} later entries, and neither does "
            "the report: run chained-logging checkpoint first to include them"
        )
    complain(f"written to {path}")
