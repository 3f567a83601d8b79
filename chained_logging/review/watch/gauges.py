"""What a watch says in numbers: one table, for every way in which metrics leave a program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, NamedTuple

from chained_logging.review.watch.places import Place
from chained_logging.review.watch.watch import Watch

Value = tuple[tuple[str, ...], float]
"""The values of a gauge's labels, and its number."""


class Gauge(NamedTuple):
    """A number that goes up and down.

    :ivar words: what it says.
    :ivar unit: in UCUM, as OpenTelemetry wants it.
    :ivar values: reads the numbers of a watch, which looked before. Nothing is looked at then.
    """

    name: str
    words: str
    labels: tuple[str, ...]
    unit: str
    values: Callable[[Watch], Iterator[Value]]


def _of_places(number: Callable[[Place], float | None], watch: Watch) -> Iterator[Value]:
    for place in watch.places:
        value = number(place)
        if value is not None:
            yield (place.name,), float(value)


def _states(watch: Watch) -> Iterator[Value]:
    for check in list(watch.checks.values()):
        yield (check.name, check.subject), -1.0 if check.ok is None else float(check.ok)


def _of_checks(name: str, watch: Watch) -> Iterator[Value]:
    for check in list(watch.checks.values()):
        if check.name == name and check.value is not None:
            yield (check.subject,), check.value


GAUGES: Final = (
    Gauge(
        "chained_logging_verified_timestamp_seconds",
        "When all of a place was last found intact, in seconds since 1970.",
        ("place",),
        "s",
        partial(_of_places, lambda place: place.verified and place.verified.at),
    ),
    Gauge(
        "chained_logging_verified_entries",
        "How many entries that were.",
        ("place",),
        "{entry}",
        partial(_of_places, lambda place: place.verified and place.verified.seq + 1),
    ),
    Gauge(
        "chained_logging_verification_cpu_seconds",
        "The processor time that verifying all of a place takes.",
        ("place",),
        "s",
        partial(_of_places, lambda place: place.seconds),
    ),
    Gauge(
        "chained_logging_check_ok",
        "Whether a check is well (1), is not (0), or could not be made (-1).",
        ("check", "subject"),
        "",
        _states,
    ),
    Gauge(
        "chained_logging_shipping_lag_seconds",
        "How long an entry waits.",
        ("destination",),
        "s",
        partial(_of_checks, "shipping"),
    ),
    Gauge(
        "chained_logging_spill_bytes",
        "Events that the log did not take.",
        ("log",),
        "By",
        partial(_of_checks, "spill"),
    ),
    Gauge(
        "chained_logging_disk_free_bytes",
        "What is left of the disk.",
        ("log",),
        "By",
        partial(_of_checks, "disk"),
    ),
    Gauge(
        "chained_logging_incomplete_ratio",
        "The share of the newest entries that lack a field.",
        ("log",),
        "1",
        partial(_of_checks, "incomplete"),
    ),
    Gauge(
        "chained_logging_witness_age_seconds",
        "Since a witness cosigned.",
        ("witness",),
        "s",
        partial(_of_checks, "witness"),
    ),
)
"""All of them. The documentation lists them too."""
