"""``review``: look at a period of a log, and sign what was found."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chained_logging import config
from chained_logging.cli.options import (
    existing,
    load_key,
    log_argument,
    output_option,
    passphrase_option,
)
from chained_logging.cli.output import say
from chained_logging.cli.query import SINCE, UNTIL
from chained_logging.cli.types import FilePath
from chained_logging.files.own import write_new
from chained_logging.review.period import Period
from chained_logging.review.reading import Reader
from chained_logging.review.reviews.schedule import EVERY, Every, last_whole
from chained_logging.text import printable

if TYPE_CHECKING:
    from chained_logging.format.vkey import VerifierKey
    from chained_logging.review.reviews.register import Overdue, Register
    from chained_logging.review.reviews.review import Review

_OWN = {
    "known": "signed with their own key, which you know",
    "unknown": "signed with a key that only the log names: compare it with theirs",
    "none": "no key of their own",
    "broken": "THE SIGNATURE DOES NOT HOLD: what is said was changed or forged",
}


@click.group()
def review() -> None:
    """Review a period of a log, and sign what you found."""


@review.command()
@log_argument(exists=True)
@click.option(
    "--period", type=click.Choice(EVERY), help="The last whole one, in UTC. The default is month."
)
@click.option("--since", type=SINCE, help="Or from this time on, as for query.")
@click.option("--until", type=UNTIL, help="And before this time, as for query.")
@click.option(
    "--emergency",
    "about",
    type=int,
    metavar="SEQ",
    multiple=True,
    help="Review this emergency access. Repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def start(
    log: str,
    period: Every | None,
    since: str | None,
    until: str | None,
    about: tuple[int, ...],
    as_json: bool,
) -> None:
    """Show what happened in a period of LOG, and begin its review."""
    from chained_logging.review.reviews.desk import start as begin
    from chained_logging.review.reviews.summary import lines

    now = dt.datetime.now(dt.UTC)
    asked = _asked(period, since, until, now)
    begun = begin(log, asked, Reader.of_this_process().name, about=about)
    if as_json:
        click.echo(json.dumps({"review": begun.seq, **begun.drawn}))
        return
    for line in lines(begun.drawn):
        say(line)
    say(f"Review {begun.seq} is begun: sign it with chained-logging review sign")


def _asked(period: Every | None, since: str | None, until: str | None, now: dt.datetime) -> Period:
    if since is None and until is None:
        return last_whole(period or "month", now)
    if since is None or until is None or period is not None:
        raise click.UsageError("give either --period, or --since and --until")
    return Period(since, until)


@review.command()
@log_argument(exists=True)
@click.argument("number", type=int)
@click.option("--conclusion", required=True, metavar="TEXT", help="What you found.")
@click.option("--name", metavar="TEXT", help="Your name as it is printed.")
@click.option(
    "--meaning",
    default="review",
    show_default=True,
    metavar="TEXT",
    help="What your signature means: review, approval, responsibility.",
)
@click.option(
    "--reviewer-key", type=FilePath(dir_okay=False), help="File with your own private key."
)
@passphrase_option
def sign(
    log: str,
    number: int,
    conclusion: str,
    name: str | None,
    meaning: str,
    reviewer_key: str | None,
    passphrase_file: str | None,
) -> None:
    """Sign the review NUMBER of LOG.

    The log records who signed, when, what the signature means, what you concluded, and the
    checkpoint that you refer to.
    """
    from chained_logging.review.reviews.desk import sign as signing

    key = load_key(reviewer_key, passphrase_file) if reviewer_key else None
    done = signing(
        log,
        number,
        Reader.of_this_process().name,
        conclusion,
        name=name,
        meaning=meaning,
        key=key,
        keys=_keys(),
    )
    last = done.signatures[-1]
    say(f"review {number} is signed by {last.name}: {_OWN[last.own]}")


@review.command("list")
@log_argument(exists=True)
@click.option("--every", type=click.Choice(EVERY), help="Which periods must be reviewed.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def list_(log: str, every: Every | None, as_json: bool) -> None:
    """List the reviews of LOG, and what is overdue.

    Exit status 0: nothing is overdue. 1: something is, or a signature does not hold.
    """
    from chained_logging.review.opening import open_log
    from chained_logging.review.reviews.desk import register_of

    asked = every or config.reviewing().get("every")
    with open_log(existing(log)) as engine:
        register, _ = register_of(log, engine, _keys())
        late = register.overdue(engine, asked, dt.datetime.now(dt.UTC))
    if as_json:
        click.echo(json.dumps(_listed(register, late)))
    else:
        _show(register, late)
    broken = any(
        one.own == "broken" for each in register.reviews.values() for one in each.signatures
    )
    sys.exit(1 if late or broken else 0)


def _listed(register: Register, late: Sequence[Overdue]) -> dict[str, Any]:
    return {
        "reviews": [
            {
                "review": each.seq,
                "started": each.started,
                "by": each.by,
                "since": each.since,
                "until": each.until,
                "about": list(each.about),
                "signatures": [vars(one) for one in each.signatures],
            }
            for each in register.reviews.values()
        ],
        "overdue": [one._asdict() for one in late],
    }


def _show(register: Register, late: Sequence[Overdue]) -> None:
    for each in register.reviews.values():
        _show_one(each)
    for one in late:
        say(f"OVERDUE  {one.title}")
    say(f"{len(register.reviews):,} reviews, {len(late):,} overdue")


def _show_one(each: Review) -> None:
    about = f" of emergency access {', '.join(map(str, each.about))}" if each.about else ""
    say(f"{each.seq}  {each.period}{about}, begun by {each.by}")
    for one in each.signatures:
        at = f"{one.signed_at[:16]}Z"
        said = printable(" ".join(one.conclusion.split()))
        say(f"    {at}  {one.name} ({one.who}), {one.meaning}: {said}")
        say(f"    {_OWN[one.own]}")
    if not each.signatures:
        say("    nobody has signed it")


@review.command()
@log_argument(exists=True)
@click.option("--every", type=click.Choice(EVERY), default="month", show_default=True)
@output_option("File to write, .ics. It must not exist.")
def calendar(log: str, every: Every, target: str) -> None:
    """Write a calendar that says when reviews of LOG are due."""
    from chained_logging.review.opening import open_log
    from chained_logging.review.reviews.calendar import calendar as made
    from chained_logging.review.reviews.desk import register_of

    with open_log(log) as engine:
        _, origin = register_of(log, engine)
    write_new(Path(target), made(origin, every, dt.datetime.now(dt.UTC)))


def _keys() -> list[VerifierKey]:
    from chained_logging.format.vkey import VerifierKey

    return [VerifierKey.parse(key) for key in config.reviewing().get("keys", ())]
