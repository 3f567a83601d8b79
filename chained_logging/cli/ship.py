"""``ship``: entries to central storage."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from chained_logging.cli.options import (
    digest_key_option,
    existing,
    load_key,
    log_argument,
    passphrase_option,
    refuse_options,
    seconds_option,
)
from chained_logging.cli.output import say
from chained_logging.log import AuditLog
from chained_logging.ship import destination_name

if TYPE_CHECKING:
    from chained_logging.review.alerts.follow import AlertThread
    from chained_logging.ship.shipper import Shipper

_LAST_ROUND: Final = 5.0
"""Seconds that raising alerts may take to end. Shipping goes on meanwhile."""


@click.command()
@log_argument()
@click.option(
    "--to",
    "destinations",
    multiple=True,
    metavar="URL",
    help="Destination to ship to: postgresql://…, s3://… or nats://…; or a feed: syslog+tls://…, "
    "https://… or otlp+https://…. Repeatable.",
)
@click.option("--follow", is_flag=True, help="Keep shipping new entries until stopped.")
@click.option(
    "--status",
    "only_status",
    is_flag=True,
    help="Ship nothing; print how far behind each destination is.",
)
@seconds_option(
    "--interval", default=1.0, help="With --follow: time between two checks for new entries."
)
@seconds_option("--patience", default=60.0, help="Time to keep trying a destination that is down.")
@digest_key_option
@passphrase_option
@click.option(
    "--alerts",
    "alert_targets",
    multiple=True,
    metavar="TARGET",
    help="With --follow: look for what somebody should see, and tell it there, as alerts --follow "
    "--to. Repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the status as JSON.")
def ship(
    log: str,
    destinations: tuple[str, ...],
    follow: bool,
    only_status: bool,
    interval: float,
    patience: float,
    digest_key: str | None,
    passphrase_file: str | None,
    alert_targets: tuple[str, ...],
    as_json: bool,
) -> None:
    """Copy all entries of LOG to central storage.

    Each entry arrives exactly once; at a feed, at least once. Exit status 0: everything has
    arrived. 1: LOG is broken, or a destination holds a different history or lost entries. 2: a
    destination is down, or alerts could not be raised; run the command again to continue.
    """
    from chained_logging.ship.progress import read_progress
    from chained_logging.ship.shipper import Shipper, status

    refuse_options(
        only_status, "cannot be combined with --status", "follow", "digest_key", "patience"
    )
    refuse_options(not follow, "needs --follow", "interval", "alert_targets")
    refuse_options(digest_key is None, "needs --key", "passphrase_file")
    s3 = any(url.startswith("s3:") for url in destinations)
    refuse_options(not s3, "applies to s3:// only", "digest_key")
    with AuditLog(existing(log), sign="follow", on_failure="raise") as audit:
        if only_status:
            rows = _rows(audit, destinations)
            _print_status(rows, as_json)
            sys.exit(1 if any(row["alert"] for row in rows) else 0)
        if not destinations:
            raise click.UsageError("give a destination with --to")
        alerts: list[str] = []
        alerting = _alerting(audit, alert_targets)
        with _bar(not follow) as on_progress:
            shipper = Shipper(
                audit,
                destinations,
                interval=interval,
                signer=load_key(digest_key, passphrase_file) if digest_key else None,
                on_alert=alerts.append,
                on_progress=on_progress,
            )
            if follow:
                _follow(shipper, patience, alerting)
                reached = [read_progress(audit.path, destination_name(url)) for url in destinations]
            else:
                reached = shipper.ship(patience)
        _print_status([status(audit, each) for each in reached], as_json)
    alert = alerts or any(each.alert for each in reached)
    waiting = any(each.problem for each in reached)
    unalerted = alerting is not None and alerting.problem is not None
    sys.exit(1 if alert else 2 if waiting or unalerted else 0)


def _alerting(audit: AuditLog, targets: Sequence[str]) -> AlertThread | None:
    """Return what raises the log's alerts, if there are targets for them."""
    from chained_logging.review.alerts.follow import AlertThread

    return AlertThread(audit.path, targets) if targets else None


def _follow(shipper: Shipper, patience: float, alerting: AlertThread | None) -> None:
    """Ship until a signal says to stop, then deliver the rest."""
    from chained_logging.net.signals import ended_by_signal, wait_for

    ended = ended_by_signal()
    shipper.start()
    if alerting is not None:  # a thread of its own: what it meets does not reach the shipper
        alerting.start()
    wait_for(ended)
    if alerting is not None:
        alerting.stop(_LAST_ROUND)  # first, so that what it raised last is shipped as well
    shipper.stop(patience)


def _rows(audit: AuditLog, destinations: Sequence[str]) -> list[dict[str, Any]]:
    """Return the status of these destinations, or of all to which the log was ever shipped."""
    from chained_logging.ship.progress import read_all_progress
    from chained_logging.ship.shipper import status

    wanted = {destination_name(url) for url in destinations}
    reached = read_all_progress(audit.path)
    return [status(audit, one) for one in reached if not wanted or one.destination in wanted]


def _print_status(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        lag = f"{row['lag_entries']:,} entries and {row['lag_seconds']:,.0f} s behind"
        text = f"{row['destination']}: up to seq {row['seq']}, {lag}"
        if row["problem"]:
            text += f"; {'ALERT' if row['alert'] else 'waiting'}: {row['problem']}"
        say(text)


@contextlib.contextmanager
def _bar(wanted: bool) -> Iterator[Callable[[str, int, int], None] | None]:
    """Show a progress bar over all destinations, if standard error is a terminal."""
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    counts: dict[str, tuple[int, int]] = {}
    with click.progressbar(length=1, label="shipping", file=sys.stderr) as bar:

        def show(name: str, there: int, total: int) -> None:
            counts[name] = (there, total)
            bar.length = max(1, sum(total for _, total in counts.values()))
            bar.update(sum(there for there, _ in counts.values()) - bar.pos)

        yield show
