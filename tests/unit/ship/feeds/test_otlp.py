"""OpenTelemetry logs: what a collector gets, and what its answer means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from feed_records import lines_of, records, web
from format_entries import EVENTS, ORIGIN
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as service

from chained_logging import AuditEntry
from chained_logging.errors import DestinationError, Refused
from chained_logging.ship.feeds.otlp import AUTHORIZATION_VARIABLE, OtlpFeed, _url

OK = service.ExportLogsServiceResponse().SerializeToString()


def sent(folder: Path, answer: bytes = OK) -> tuple[dict[str, str], Any]:
    batch = records(folder)
    with web(200, answer, "application/x-protobuf") as server:
        feed = OtlpFeed(f"otlp+{server.url}")
        feed.write(ORIGIN, batch, [])
        feed.close()
        ((headers, _, body),) = server.asked
    lowered = {name.lower(): text for name, text in headers.items()}
    return lowered, service.ExportLogsServiceRequest.FromString(body)


def test_each_entry_is_a_record_with_its_id(tmp_path: Path) -> None:
    headers, request = sent(tmp_path)
    assert headers["content-type"] == "application/x-protobuf"
    (resource,) = request.resource_logs
    (name,) = resource.resource.attributes
    assert (name.key, name.value.string_value) == ("service.name", ORIGIN)
    (scope,) = resource.scope_logs
    found = list(scope.log_records)
    lines = lines_of(tmp_path)
    assert [record.body.string_value for record in found] == lines
    for record, line in zip(found, lines, strict=True):
        entry = AuditEntry.from_line(line.encode())
        said = {each.key: each.value for each in record.attributes}
        assert said["log.record.uid"].string_value == entry.id
        assert said["chained_logging.seq"].int_value == entry.seq
        assert said["chained_logging.hash"].string_value == entry.hash
        assert said["user.id"].string_value == entry.actor_id
        assert record.trace_id.hex() == (entry.trace_id or "")
        microseconds = record.time_unix_nano // 1000 % 1_000_000
        assert f"{microseconds:06}" == entry.timestamp[20:26]
    named = dict(zip(["genesis", *EVENTS], found, strict=True))
    assert named["read"].severity_text == "INFO"
    assert named["denied"].severity_text == "WARN"


def test_a_part_that_was_rejected_is_an_alert(tmp_path: Path) -> None:
    answer = service.ExportLogsServiceResponse()
    answer.partial_success.rejected_log_records = 2
    answer.partial_success.error_message = "too old"
    with pytest.raises(Refused, match="rejected 2 entries: too old"):
        sent(tmp_path, answer.SerializeToString())


def test_a_warning_of_the_collector_rejects_nothing(tmp_path: Path) -> None:
    answer = service.ExportLogsServiceResponse()
    answer.partial_success.error_message = "a hint"
    sent(tmp_path, answer.SerializeToString())


def test_an_answer_of_something_else_is_not_an_acknowledgement(tmp_path: Path) -> None:
    with pytest.raises(DestinationError, match="did not answer in OTLP"):
        sent(tmp_path, b"<html>welcome</html>")


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("otlp+https://c.example", "https://c.example/v1/logs"),
        ("otlp+https://c.example:4318/", "https://c.example:4318/v1/logs"),
        ("otlp+https://c.example/otlp/v1/logs", "https://c.example/otlp/v1/logs"),
    ],
)
def test_the_path_is_that_of_otlp_unless_one_is_given(given: str, url: str) -> None:
    assert _url(given) == url


def test_an_authorization_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(AUTHORIZATION_VARIABLE, "Bearer hush")
    headers, _ = sent(tmp_path)
    assert headers["authorization"] == "Bearer hush"
