"""The metrics, read by Prometheus's own parser."""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path

import pytest
from chains import EVENT
from mail_server import free_port
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from chained_logging import AuditLog
from chained_logging.review.watch.metrics import serve
from chained_logging.review.watch.watch import Watch


@pytest.fixture
def samples(path: Path) -> dict[tuple[str, ...], float]:
    with AuditLog(path) as log:
        log.append("read", **EVENT)
    watch, port = Watch(str(path)), free_port()
    watch.round()
    end = serve(watch, "127.0.0.1", port)
    try:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/metrics",
            headers={"Accept": "application/openmetrics-text; version=1.0.0"},
        )
        with urllib.request.urlopen(request) as answer:
            text = answer.read().decode()
    finally:
        end()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_they_say_when_the_log_was_verified_and_what_is_well(
    samples: dict[tuple[str, ...], float], path: Path
) -> None:
    age = time.time() - samples["chained_logging_verified_timestamp_seconds", path.name]
    assert 0 <= age < 60
    assert samples["chained_logging_verified_entries", path.name] == 2
    assert samples["chained_logging_check_ok", "intact", path.name] == 1
    assert samples["chained_logging_spill_bytes", path.name] == 0
    assert samples["chained_logging_disk_free_bytes", path.name] > 0
