"""``watch`` and ``health``: a log that checks itself."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Any

import click

from chained_logging import config
from chained_logging.cli.alerts import opened
from chained_logging.cli.options import evidence_of, evidence_options, log_argument, seconds_option
from chained_logging.cli.output import complain, say
from chained_logging.cli.types import HTTP_ADDRESS
from chained_logging.review.watch.check import Check
from chained_logging.review.watch.conditions import Limits


def _limits(command: Any) -> Any:
    """Add the options of :class:`Limits`."""
    default = Limits()
    options = (
        ("--max-lag", "lag", "Seconds that an entry may wait for a destination."),
        ("--max-unverified", "unverified", "Seconds within which all of LOG must be verified."),
    )
    for flag, name, help in reversed(options):
        command = seconds_option(flag, name, default=getattr(default, name), least=0, help=help)(
            command
        )
    return command


@click.command()
@log_argument(exists=True)
@click.option(
    "--store", "stores", multiple=True, metavar="URL", help="Central store to verify. Repeatable."
)
@click.option("--origin", metavar="NAME", help="Name of the log in the stores, if they hold more.")
@click.option(
    "--budget",
    type=click.FloatRange(0, 100, min_open=True),
    metavar="PERCENT",
    default=1.0,
    show_default=True,
    help="Share of a processor for verifying everything again and again.",
)
@seconds_option(
    "--interval",
    default=5.0,
    least=0.01,
    help="Time between two rounds. New entries are verified in each.",
)
@click.option("--metrics", type=HTTP_ADDRESS, help="Serve OpenMetrics at this address.")
@click.option(
    "--otel",
    is_flag=True,
    help="Send the metrics to a collector of OpenTelemetry, as the variables OTEL_… say.",
)
@click.option("--to", "targets", multiple=True, metavar="TARGET", help="As for alerts. Repeatable.")
@click.option("--once", is_flag=True, help="Verify everything once, and exit.")
@_limits
@evidence_options
@click.option("--json", "as_json", is_flag=True, help="With --once: print the checks as JSON.")
def watch(
    log: str,
    stores: tuple[str, ...],
    origin: str | None,
    budget: float,
    interval: float,
    metrics: tuple[str, int] | None,
    otel: bool,
    targets: tuple[str, ...],
    once: bool,
    lag: float,
    unverified: float,
    as_json: bool,
    **evidence: Any,
) -> None:
    """Verify LOG and its copies again and again, and look after what is around it.

    What is wrong becomes an alert. Exit status with --once: 0 if all is well, 1 if something is
    not, 2 if something could not be looked at.
    """
    from chained_logging.review.watch.watch import Watch

    names = targets or tuple(config.alerting().get("to", ()))
    with opened(names) as receivers, contextlib.ExitStack() as stack:
        watching = Watch(
            log,
            stores,
            origin=origin,
            evidence=evidence_of(**evidence),
            limits=Limits(lag=lag, unverified=unverified),
            budget=budget / 100,
            targets=receivers,
        )
        stack.callback(watching.close)
        _publish(watching, metrics, otel, stack)
        if once:
            found = watching.round()
            _print(found, as_json)
            for problem in watching.problems:
                complain(problem)
            sys.exit(_status(found))
        _stand(watching, interval)


def _publish(
    watching: Any, metrics: tuple[str, int] | None, otel: bool, stack: contextlib.ExitStack
) -> None:
    """Serve or send the metrics for as long as a stack is not left."""
    if metrics is not None:
        from chained_logging.review.watch.metrics import serve

        stack.callback(serve(watching, *metrics))
    if otel:
        from chained_logging.review.watch.otel import export

        stack.callback(export(watching))


def _stand(watching: Any, interval: float) -> None:
    """Watch until a signal says to stop, and say what changes."""
    from chained_logging.net.signals import ended_by_signal

    ended = ended_by_signal()
    before: dict[tuple[str, str], Check] = {}
    told: list[str] = []
    while True:
        watching.round()
        for key, check in watching.checks.items():
            if key not in before or before[key].ok != check.ok:
                say(_line(check))
        before = dict(watching.checks)
        if watching.problems != told:  # once, until there is another problem
            told = watching.problems
            for problem in told:
                complain(problem)
        if ended.wait(interval):
            return


@click.command()
@log_argument(exists=True)
@click.option("--witness-key", "witness_keys", metavar="VKEY", multiple=True, help="As for verify.")
@_limits
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def health(
    log: str, witness_keys: tuple[str, ...], lag: float, unverified: float, as_json: bool
) -> None:
    """Say whether LOG is looked after. Nothing is verified: the log says when it last was.

    Exit status 0: all is well. 1: something is not. 2: something could not be looked at.
    """
    from chained_logging.review.watch.health import health as look

    found = look(log, Limits(lag=lag, unverified=unverified), witness_keys=witness_keys)
    if as_json:
        click.echo(json.dumps(found.to_dict()))
    else:
        _print(found.checks, as_json=False)
    sys.exit(_status(found.checks))


def _print(checks: Any, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([check.to_dict() for check in checks]))
        return
    for check in checks:
        say(_line(check))


def _line(check: Check) -> str:
    word = {True: "well", False: "WRONG", None: "unknown"}[check.ok]
    return f"{word:<8}{check.name:<12}{check.sentence}"


def _status(checks: Any) -> int:
    if any(check.ok is False for check in checks):
        return 1
    return 2 if any(check.ok is None for check in checks) else 0
