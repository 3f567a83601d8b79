"""The watch as metrics, for Prometheus and all that read its text format (OpenMetrics 1.0)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from chained_logging.review.watch.watch import Watch

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

_VALUES: Final = {
    "shipping": ("chained_logging_shipping_lag_seconds", "How long an entry waits.", "destination"),
    "spill": ("chained_logging_spill_bytes", "Events that the log did not take.", "log"),
    "disk": ("chained_logging_disk_free_bytes", "What is left of the disk.", "log"),
    "incomplete": (
        "chained_logging_incomplete_ratio",
        "The share of the newest entries that lack a field.",
        "log",
    ),
    "witness": ("chained_logging_witness_age_seconds", "Since a witness cosigned.", "witness"),
}
"""The checks with a number: the metric, what it says, and its label."""


class WatchCollector:
    """What ``prometheus_client`` asks at each scrape. Nothing is looked at then: the watch did."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def collect(self) -> Iterator[Any]:
        """Yield the metrics."""
        from prometheus_client.core import GaugeMetricFamily

        yield from self._of_places(GaugeMetricFamily)
        checks = list(self._watch.checks.values())
        state = GaugeMetricFamily(
            "chained_logging_check_ok",
            "Whether a check is well (1), is not (0), or could not be made (-1).",
            labels=["check", "subject"],
        )
        for check in checks:
            number = -1.0 if check.ok is None else float(check.ok)
            state.add_metric([check.name, check.subject], number)
        yield state
        for name, (metric, words, label) in _VALUES.items():
            family = GaugeMetricFamily(metric, words, labels=[label])
            for check in checks:
                if check.name == name and check.value is not None:
                    family.add_metric([check.subject], check.value)
            yield family

    def _of_places(self, family: Callable[..., GaugeMetricFamily]) -> Iterator[GaugeMetricFamily]:
        when = family(
            "chained_logging_verified_timestamp_seconds",
            "When all of a place was last found intact, in seconds since 1970.",
            labels=["place"],
        )
        entries = family(
            "chained_logging_verified_entries", "How many entries that were.", labels=["place"]
        )
        took = family(
            "chained_logging_verification_cpu_seconds",
            "The processor time that verifying all of a place takes.",
            labels=["place"],
        )
        for place in self._watch.places:
            if place.verified is not None:
                when.add_metric([place.name], place.verified.at)
                entries.add_metric([place.name], place.verified.seq + 1)
            took.add_metric([place.name], place.seconds)
        yield from (when, entries, took)


def serve(watch: Watch, host: str, port: int) -> Callable[[], None]:
    """Serve the metrics over HTTP, and return what ends that.

    :raises ImportError: if ``prometheus-client`` is not installed.
    :raises OSError: if the address cannot be used.
    """
    try:
        from prometheus_client import CollectorRegistry, start_http_server
    except ImportError:
        raise ImportError("metrics need pip install 'chained_logging[metrics]'") from None
    registry = CollectorRegistry()
    registry.register(WatchCollector(watch))
    server, thread = start_http_server(port, host, registry)

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return end
