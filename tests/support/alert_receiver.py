"""A receiver of alerts on 127.0.0.1: ``python alert_receiver.py PORT FILE``.

It verifies each webhook, and appends the alert's id to a file before it answers. So it can be
killed at any moment.
"""

from __future__ import annotations

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from feed_receiver import SECRET
from standardwebhooks.webhooks import Webhook


def serve(port: int, file: Path) -> None:
    """Receive until killed."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            Webhook(SECRET).verify(
                body, {name.lower(): text for name, text in self.headers.items()}
            )
            with file.open("a") as taken:
                taken.write(json.loads(body)["data"]["id"] + "\n")
                taken.flush()
                os.fsync(taken.fileno())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    HTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
