"""The watch in the metrics of a program with OpenTelemetry, and at a collector."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from click.testing import CliRunner
from mail_server import free_port
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as service
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from chained_logging import AuditLog
from chained_logging.cli import cli
from chained_logging.review.watch.gauges import GAUGES
from chained_logging.review.watch.otel import observe
from chained_logging.review.watch.watch import Watch


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit.db"
    with AuditLog(path) as opened:
        opened.append("read", **EVENT)
    return path


def read(reader: InMemoryMetricReader) -> dict[str, Any]:
    data = reader.get_metrics_data()
    if data is None:
        return {}
    (resource,) = data.resource_metrics
    (scope,) = resource.scope_metrics
    assert scope.scope.name == "chained_logging"
    return {metric.name: metric for metric in scope.metrics}


def points(metric: Any) -> dict[tuple[str, ...], float]:
    return {tuple(point.attributes.values()): point.value for point in metric.data.data_points}


def test_the_program_reads_the_same_numbers_as_prometheus(log: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    with AuditLog(other) as opened:
        opened.append("read", **EVENT)
    watches = [Watch(str(log)), Watch(str(other))]
    reader = InMemoryMetricReader()
    observe(*watches, provider=MeterProvider([reader]))
    for watch in watches:
        watch.round()
    found = read(reader)
    for gauge in GAUGES:
        expected = {labels: value for watch in watches for labels, value in gauge.values(watch)}
        if not expected:  # nothing is shipped, and nobody witnesses
            assert gauge.name not in found
            continue
        assert points(found[gauge.name]) == expected
        assert (found[gauge.name].description, found[gauge.name].unit) == (gauge.words, gauge.unit)
    assert points(found["chained_logging_check_ok"])["intact", other.name] == 1.0


def test_what_is_wrong_shows_at_the_next_collection(log: Path) -> None:
    watch, reader = Watch(str(log)), InMemoryMetricReader()
    observe(watch, provider=MeterProvider([reader]))
    watch.round()
    watch.checks = {key: check._replace(ok=False) for key, check in watch.checks.items()}
    assert set(points(read(reader)["chained_logging_check_ok"]).values()) == {0.0}


def test_without_the_api_the_extra_is_named(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.metrics", None)
    with pytest.raises(ImportError, match=r"chained_logging\[otel\]"):
        observe(Watch(str(log)))


@pytest.fixture
def collector() -> Iterator[tuple[int, list[bytes]]]:
    """The port of a collector, and what it received."""
    received: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/metrics"
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port, received
    server.shutdown()
    server.server_close()
    thread.join()


def watch_once(log: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "clinic")
    return CliRunner().invoke(cli, ["watch", str(log), "--once", "--otel"]).exit_code


def test_the_command_sends_them_where_the_environment_says(
    log: Path, collector: tuple[int, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, received = collector
    assert watch_once(log, port, monkeypatch) != 2
    (resource,) = service.ExportMetricsServiceRequest.FromString(received[-1]).resource_metrics
    said = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert said["service.name"] == "clinic"
    (scope,) = resource.scope_metrics
    assert "chained_logging_verified_entries" in [metric.name for metric in scope.metrics]


def test_a_collector_that_is_down_is_seen_and_nothing_else_fails(
    log: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        status = watch_once(log, free_port(), monkeypatch)
    assert status in (0, 1)  # of the checks: the clock of a machine may be out of step
    assert "opentelemetry" in {record.name.partition(".")[0] for record in caplog.records}
