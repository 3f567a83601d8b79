"""OpenTelemetry logs: OTLP over HTTP in protobuf, acknowledged by the collector's answer.

The messages are made with ``opentelemetry-proto``. The SDK's exporter is not used: it does not say
if a collector rejected a part of the records (``partial_success``), and that part would be lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from chained_logging.errors import DestinationError, Refused
from chained_logging.event.entry import AuditEntry
from chained_logging.event.fields import OURSELVES
from chained_logging.formats.meaning import address, milliseconds, read
from chained_logging.net.client import Client
from chained_logging.ship.feeds.address import parsed, require_secure, secret
from chained_logging.ship.feeds.feed import Feed
from chained_logging.ship.feeds.post import post

AUTHORIZATION_VARIABLE: Final = "CHAINED_LOGGING_OTLP_AUTHORIZATION"
_PATH: Final = "/v1/logs"
_INFO: Final = (9, "INFO")
_SEVERITY: Final = {"failure": (13, "WARN"), "denied": (13, "WARN")}


class OtlpFeed(Feed):
    """See :class:`~chained_logging.ship.feeds.feed.Feed`.

    :param url: ``otlp+https://host``; without a path, ``/v1/logs`` is added. With the options
        ``format`` and ``authorization_file`` (the value of the header ``Authorization``); without
        that file, :data:`AUTHORIZATION_VARIABLE` is read.
    :raises ValueError: if it is no such URL.
    :raises ImportError: if opentelemetry-proto is not installed.
    :raises OSError: if a file cannot be read.
    :raises ForeignFile: if others can read it.
    """

    batch_entries = 512
    batch_bytes = 1_000_000

    def __init__(self, url: str) -> None:
        try:
            import opentelemetry.proto.collector.logs.v1.logs_service_pb2 as service
        except ImportError:
            raise ImportError(
                "OpenTelemetry needs the extra otlp: pip install chained_logging[otlp]"
            ) from None
        super().__init__(parsed(url, ("authorization_file",), 4318))
        require_secure(self.address)
        self._service: Any = service
        self._url = _url(self.address.url)
        self._headers = {"content-type": "application/x-protobuf"}
        authorization = secret(self.address, "authorization_file", AUTHORIZATION_VARIABLE)
        if authorization is not None:
            self._headers["authorization"] = authorization
        self._client = Client()

    def send(self, origin: str, entries: Sequence[AuditEntry]) -> None:
        request = self._service.ExportLogsServiceRequest()
        resource = request.resource_logs.add()
        _set(resource.resource, {"service.name": origin})
        scope = resource.scope_logs.add()
        scope.scope.name = OURSELVES
        for entry in entries:
            _fill(scope.log_records.add(), entry, self.payload(entry, origin).decode())
        answer = post(
            self._client, self.name, self._url, request.SerializeToString(), self._headers
        )
        self._require_all(answer.body)

    def _require_all(self, body: bytes) -> None:
        """Check that the collector has taken every record.

        :raises DestinationError: if its answer cannot be read.
        :raises Refused: if it rejected some.
        """
        response = self._service.ExportLogsServiceResponse()
        try:
            response.ParseFromString(body)
        except Exception as error:  # protobuf's DecodeError has no base of its own
            raise DestinationError(f"{self.name} did not answer in OTLP: {error}") from error
        rejected = response.partial_success.rejected_log_records
        if rejected:
            raise Refused(
                f"{self.name} rejected {rejected} entries: {response.partial_success.error_message}"
            )

    def close(self) -> None:
        self._client.close()


def _url(given: str) -> str:
    """Return the URL to post to: with the path that OTLP has, unless it has one of its own."""
    url = given.partition("+")[2]
    return url if "/" in url.partition("://")[2].rstrip("/") else url.rstrip("/") + _PATH


def _fill(record: Any, entry: AuditEntry, body: str) -> None:
    """Write an entry into a ``LogRecord``.

    :raises ValueError: if the entry was not written by a log.
    """
    moments = read(entry)
    record.time_unix_nano = _nanoseconds(moments.occurred)
    record.observed_time_unix_nano = _nanoseconds(moments.recorded)
    number, text = _SEVERITY.get(entry.result, _INFO)
    record.severity_number, record.severity_text = number, text
    record.event_name = f"{OURSELVES}.entry"
    record.body.string_value = body
    if entry.trace_id is not None:
        record.trace_id = bytes.fromhex(entry.trace_id)
    _set(
        record,
        {
            "log.record.uid": entry.id,  # records with one uid are one, says OpenTelemetry
            "user.id": entry.actor_id,
            "client.address": address(entry),
            "user_agent.original": entry.user_agent,
            "session.id": entry.session_id,
            f"{OURSELVES}.seq": entry.seq,
            f"{OURSELVES}.hash": entry.hash,
            f"{OURSELVES}.actor_type": entry.actor_type,
            f"{OURSELVES}.on_behalf_of": entry.on_behalf_of,
            f"{OURSELVES}.action": entry.action,
            f"{OURSELVES}.resource_type": entry.resource_type,
            f"{OURSELVES}.resource_id": entry.resource_id,
            f"{OURSELVES}.result": entry.result,
            f"{OURSELVES}.tenant_id": entry.tenant_id,
            f"{OURSELVES}.reason": entry.reason,
        },
    )


def _nanoseconds(moment: datetime) -> int:
    return max(0, milliseconds(moment) * 1_000_000 + moment.microsecond % 1000 * 1000)


def _set(owner: Any, attributes: dict[str, str | int | None]) -> None:
    for name, value in attributes.items():
        if value is None:
            continue
        pair = owner.attributes.add()
        pair.key = name
        if isinstance(value, int):
            pair.value.int_value = value
        else:
            pair.value.string_value = value
