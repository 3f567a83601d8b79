"""The watch as metrics, for Prometheus and all that read its text format (OpenMetrics 1.0)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from chained_logging.review.watch.gauges import GAUGES
from chained_logging.review.watch.watch import Watch


class WatchCollector:
    """What ``prometheus_client`` asks at each scrape. Nothing is looked at then: the watch did."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def collect(self) -> Iterator[Any]:
        """Yield the metrics."""
        from prometheus_client.core import GaugeMetricFamily

        for gauge in GAUGES:
            family = GaugeMetricFamily(gauge.name, gauge.words, labels=gauge.labels)
            for labels, value in gauge.values(self._watch):
                family.add_metric(labels, value)
            yield family


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
