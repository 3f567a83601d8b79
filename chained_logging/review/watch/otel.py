"""The watch as metrics of OpenTelemetry, through its API: the program configures where they go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from chained_logging.review.watch.gauges import GAUGES, Gauge
from chained_logging.review.watch.watch import Watch

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation

NEEDED = "metrics of OpenTelemetry need pip install 'chained_logging[otel]'"


def observe(*watches: Watch, provider: MeterProvider | None = None) -> None:
    """Have the numbers of watches among the program's metrics, for as long as it runs.

    Call it once, with all watches. Nothing is looked at when metrics are collected: the rounds of a
    watch do that (:meth:`Watch.round <chained_logging.review.watch.watch.Watch.round>`).

    :param provider: takes the metrics; None for the one that the program has set.
    :raises ImportError: if ``opentelemetry-api`` is not installed.
    """
    meter = _meter(provider)
    for gauge in GAUGES:
        meter.create_observable_gauge(
            gauge.name,
            [partial(_observed, watches, gauge)],
            unit=gauge.unit,
            description=gauge.words,
        )


def _meter(provider: MeterProvider | None) -> Meter:
    try:
        from opentelemetry.metrics import get_meter
    except ImportError:
        raise ImportError(NEEDED) from None
    return get_meter("chained_logging", meter_provider=provider)


def _observed(
    watches: tuple[Watch, ...], gauge: Gauge, _: CallbackOptions
) -> Iterator[Observation]:
    from opentelemetry.metrics import Observation

    for watch in watches:
        for labels, value in gauge.values(watch):
            yield Observation(value, dict(zip(gauge.labels, labels, strict=True)))


def export(watch: Watch) -> Callable[[], None]:
    """Send the numbers of a watch to a collector (OTLP over HTTP), and return what ends that.

    The environment says where the collector is and how often it gets them, as for every program
    with OpenTelemetry: ``OTEL_EXPORTER_OTLP_…`` and ``OTEL_METRIC_EXPORT_INTERVAL``. A thread
    sends, so that a collector that is down delays no round.

    :raises ImportError: if the SDK or its exporter is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    except ImportError:
        raise ImportError(NEEDED) from None
    provider = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())])
    observe(watch, provider=provider)
    return provider.shutdown
