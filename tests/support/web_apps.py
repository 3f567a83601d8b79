"""The Flask application of the tests, and what those of FastAPI and Django share with it.

What they are configured with comes from the environment: AUDIT_LOG, and AUDIT_OPTIONS as JSON.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from typing import Any

from chained_logging import AuditHandler, AuditLog
from chained_logging.integrations.web import annotate, audited, set_actor

CHUNKS = [b"x" * 1000] * 5
WHOLE = b"".join(CHUNKS)


def configured() -> dict[str, Any]:
    """Return the middleware's options, with an open log."""
    options = json.loads(os.environ.get("AUDIT_OPTIONS", "{}"))
    log = AuditLog(os.environ["AUDIT_LOG"], **options.pop("log_options", {}))
    logger = logging.getLogger("app")
    logger.handlers[:] = [AuditHandler(log=log)]
    logger.setLevel(logging.INFO)
    return {"log": log, **options}


def note_request() -> None:
    """Count a request, apart from the log: for tests that must know how many came."""
    if "AUDIT_SEEN" in os.environ:
        fd = os.open(os.environ["AUDIT_SEEN"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, b"x")
        os.close(fd)


def log_inside() -> None:
    logging.getLogger("app").info("export", extra={"audit": True, "resource": "report/7"})


def flask() -> Any:
    """Return a Flask application."""
    from flask import Flask, Response, abort, request

    from chained_logging.integrations.wsgi import AuditMiddleware

    app = Flask(__name__)
    app.wsgi_app = AuditMiddleware(app.wsgi_app, **configured())  # type: ignore[method-assign]

    @app.before_request
    def signed_in() -> None:
        if request.path.startswith("/p/"):
            if request.headers.get("authorization") != "Bearer good":
                abort(401)
            set_actor("user-7", session_id="s-1")

    @app.get("/health")
    def health() -> str:
        return "well"

    @app.get("/patients/<id>")
    def show(id: str) -> dict[str, str]:
        return {"id": id}

    @app.post("/patients")
    def create() -> tuple[dict[str, str], int]:
        return {"id": "new"}, 201

    @app.put("/patients/<id>")
    def change(id: str) -> dict[str, str]:
        annotate(changed_fields=["name"], old_values={"name": "A"})
        return {"id": id}

    @app.delete("/patients/<id>")
    def remove(id: str) -> tuple[str, int]:
        return "", 204

    @app.get("/stream/<n>")
    def stream(n: str) -> Response:
        return Response(iter(CHUNKS))

    @app.get("/sized/<n>")
    def sized(n: str) -> Response:
        return Response(iter(CHUNKS), headers={"content-length": str(len(WHOLE))})

    @app.get("/endless")
    def endless() -> Response:
        def chunks() -> Iterator[bytes]:
            while True:
                yield b"tick\n"
                time.sleep(0.01)

        return Response(chunks())

    @app.get("/breaks")
    def breaks() -> Response:
        def chunks() -> Iterator[bytes]:
            yield b"half"
            raise ValueError("in the middle")

        return Response(chunks())

    @app.get("/raises")
    def raises() -> str:
        raise ValueError("on purpose")

    @app.get("/p/<patient_id>")
    @audited("patient_record", id="patient_id", action="export")
    def named(patient_id: str) -> str:
        log_inside()
        return "user-7"

    @app.get("/not-modified")
    def not_modified() -> tuple[str, int]:
        return "", 304

    @app.get("/file")
    def file() -> Response:
        from flask import send_file

        return send_file(__file__)

    @app.get("/inside")
    def inside() -> Response:
        def chunks() -> Iterator[bytes]:
            log_inside()
            yield b"x"

        return Response(chunks())

    return app


def __getattr__(name: str) -> Any:
    """Give a server its application: ``gunicorn web_apps:flask_app``."""
    if name != "flask_app":
        raise AttributeError(name)
    app = flask()

    def counted(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] != "/health":
            note_request()
        return app(environ, start_response)

    return counted
