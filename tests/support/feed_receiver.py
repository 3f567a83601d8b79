"""A receiver of webhooks or OTLP on 127.0.0.1: ``python feed_receiver.py webhook|otlp PORT FILE``.

It appends each entry to a file before it answers: its id, a blank, the stored line. So it can be
killed at any moment.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="


def webhook(headers: dict[str, str], body: bytes) -> tuple[list[tuple[str, str]], bytes]:
    """Return the entries of a webhook, which the library has verified, and the answer."""
    from standardwebhooks.webhooks import Webhook

    Webhook(SECRET).verify(body, headers)
    said = json.loads(body)
    assert said["type"] == "audit_log.entries"
    return [(each["id"], each["entry"]) for each in said["data"]["entries"]], b""


def otlp(headers: dict[str, str], body: bytes) -> tuple[list[tuple[str, str]], bytes]:
    """Return the entries of an OTLP request, and the answer."""
    from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as service

    assert headers["content-type"] == "application/x-protobuf"
    request = service.ExportLogsServiceRequest.FromString(body)
    return list(_records(request)), service.ExportLogsServiceResponse().SerializeToString()


def _records(request: object) -> Iterator[tuple[str, str]]:
    for resource in request.resource_logs:  # type: ignore[attr-defined]
        for scope in resource.scope_logs:
            for record in scope.log_records:
                (uid,) = (one for one in record.attributes if one.key == "log.record.uid")
                yield uid.value.string_value, record.body.string_value


KINDS = {"webhook": webhook, "otlp": otlp}


def serve(kind: str, port: int, file: Path) -> None:
    """Receive until killed."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            entries, answer = KINDS[kind](headers, body)
            data = "".join(f"{id} {line}\n" for id, line in entries).encode()
            fd = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            assert os.write(fd, data) == len(data)
            os.close(fd)
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    HTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
