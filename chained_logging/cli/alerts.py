"""``alerts``, ``acknowledge`` and ``suppress``: what somebody should look at."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chained_logging import config
from chained_logging.cli.options import log_argument, origin_option, refuse_options, seconds_option
from chained_logging.cli.output import complain, say
from chained_logging.cli.types import FilePath
from chained_logging.review.detect.finding import SEVERITIES, Severity
from chained_logging.review.reading import Reader

if TYPE_CHECKING:
    from chained_logging.review.alerts.alert import Alert
    from chained_logging.review.alerts.delivery.target import Target
    from chained_logging.review.alerts.desk import Desk
    from chained_logging.review.alerts.round import Outcome, Rounds

into_option = click.option(
    "--into",
    type=FilePath(dir_okay=False),
    metavar="LOG",
    help="Log that holds the alerts, if LOG is a copy or a central store.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one alert a line.")


@click.command()
@log_argument(exists=True, stores=True)
@click.option("--follow", is_flag=True, help="Keep looking until stopped.")
@seconds_option(
    "--interval", default=5.0, least=0.01, help="With --follow: time between two rounds."
)
@click.option(
    "--to",
    "targets",
    multiple=True,
    metavar="TARGET",
    help="Where to deliver alerts: stderr, command:PROGRAM, smtp://…, smtps://…, https://… or "
    "apprise:FILE. Repeatable.",
)
@click.option(
    "--least",
    type=click.Choice(SEVERITIES),
    default="low",
    show_default=True,
    help="Leave out what is less severe.",
)
@click.option(
    "--rules",
    type=FilePath(exists=True),
    multiple=True,
    metavar="PATH",
    help="File or folder of rules in Sigma's form, to run besides the package's. Repeatable.",
)
@into_option
@origin_option
@json_option
def alerts(
    log: str,
    follow: bool,
    interval: float,
    targets: tuple[str, ...],
    least: Severity,
    rules: tuple[str, ...],
    into: str | None,
    origin: str | None,
    as_json: bool,
) -> None:
    """Look for what somebody should see in LOG, record it as alerts, and list the open ones.

    Exit status 0: no alert is open. 1: some are. 2: the log could not be looked at, or an alert
    could not be delivered.
    """
    from chained_logging.review.alerts.desk import Desk
    from chained_logging.review.detect.shipped import shipped

    refuse_options(not follow, "needs --follow", "interval")
    configured = config.alerting()
    with (
        opened(targets or tuple(configured.get("to", ()))) as receivers,
        Desk(log, into=into or configured.get("into"), origin=origin) as desk,
    ):
        if desk.why_not is not None:
            complain(f"alerts are not recorded: {desk.why_not}")
        rounds = desk.rounds(shipped(map(Path, rules)), receivers, least=least)
        if follow:
            _follow(rounds, interval)
            return
        outcome = rounds.round()
        _tell(outcome)
        found = desk.book.open() if desk.why_not is None else outcome.raised
        _print(found, desk, as_json)
    sys.exit(2 if outcome.problems else 1 if found else 0)


@click.command()
@log_argument(exists=True, stores=True)
@click.argument("seq", type=int)
@click.option("--reason", required=True, metavar="TEXT", help="What you found, and did about it.")
@into_option
@origin_option
def acknowledge(log: str, seq: int, reason: str, into: str | None, origin: str | None) -> None:
    """Record that you dealt with the alert SEQ of LOG."""
    from chained_logging.review.alerts.desk import Desk

    with Desk(log, into=into or config.alerting().get("into"), origin=origin) as desk:
        desk.acknowledge(seq, Reader.of_this_process().name, reason)
        left = len(desk.book.open())
    say(f"alert {seq} is acknowledged; {left:,} {'alert is' if left == 1 else 'alerts are'} open")


@click.command()
@log_argument(exists=True, stores=True)
@click.option("--rule", required=True, metavar="NAME", help="Rule whose findings are not raised.")
@click.option("--subject", metavar="TEXT", help="Only those about this subject.")
@click.option(
    "--days",
    type=click.IntRange(0, 366),
    required=True,
    help="For how long. 0 ends an earlier suppression.",
)
@click.option("--reason", required=True, metavar="TEXT", help="Why nobody needs to see them.")
@into_option
@origin_option
def suppress(
    log: str,
    rule: str,
    subject: str | None,
    days: int,
    reason: str,
    into: str | None,
    origin: str | None,
) -> None:
    """Raise no alerts of a rule for some days.

    The log records who decided that, why, and until when.
    """
    from chained_logging.review.alerts.desk import Desk

    until = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
    with Desk(log, into=into or config.alerting().get("into"), origin=origin) as desk:
        desk.suppress(rule, subject, until, Reader.of_this_process().name, reason)
    about = "" if subject is None else f" about {subject}"
    say(
        f"{rule}{about} raises no alerts until {until:%Y-%m-%d %H:%M} UTC"
        if days
        else f"{rule}{about} raises alerts again"
    )


@contextlib.contextmanager
def opened(names: Sequence[str]) -> Iterator[list[Target]]:
    """Open targets of alerts by their names, and close them at the end."""
    from chained_logging.review.alerts.delivery.targets import open_targets

    with contextlib.ExitStack() as stack:
        targets = open_targets(names)
        for target in targets:
            stack.callback(target.close)
        yield targets


def _follow(rounds: Rounds, interval: float) -> None:
    from chained_logging.net.signals import ended_by_signal
    from chained_logging.review.alerts.follow import follow

    told: list[str] = []

    def tell(outcome: Outcome) -> None:
        if outcome.problems != told:  # once, until there is another problem
            _tell(outcome)
            told[:] = outcome.problems
        for alert in outcome.raised:
            say(_line(alert))

    follow(rounds, ended_by_signal(), tell, interval)


def _tell(outcome: Outcome) -> None:
    for problem in outcome.problems:
        complain(problem)
    if outcome.suppressed:
        complain(f"suppressed: {outcome.suppressed:,}")


def _print(found: Sequence[Alert], desk: Desk, as_json: bool) -> None:
    for alert in found:
        if as_json:
            click.echo(json.dumps(_shown(alert, desk)))
        else:
            say(_line(alert))
    if not as_json:
        say(f"{len(found):,} {'alert is' if len(found) == 1 else 'alerts are'} open")


def _shown(alert: Alert, desk: Desk) -> dict[str, Any]:
    return alert.to_dict(desk.origin)


def _line(alert: Alert) -> str:
    found = alert.finding
    number = alert.seq if alert.id else "-"
    return f"{number}  {found.last[:16]}Z  {found.severity:<8}  {found.rule}: {found.sentence}"
