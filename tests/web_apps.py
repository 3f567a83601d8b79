"""The applications that the tests of the web run under real servers, all with the same routes.

What they are configured with comes from the environment: AUDIT_LOG, and AUDIT_OPTIONS as JSON.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from chained_logging import AuditHandler, AuditLog
from chained_logging.integrations.http import annotate, audited, set_actor

CHUNKS = [b"x" * 1000] * 5
WHOLE = b"".join(CHUNKS)


def configured() -> dict[str, Any]:
    """Return the middleware's options, with an open log."""
    options = json.loads(os.environ.get("AUDIT_OPTIONS", "{}"))
    log = AuditLog(os.environ["AUDIT_LOG"], **options.pop("log", {}))
    logger = logging.getLogger("app")
    logger.handlers[:] = [AuditHandler(log=log)]
    logger.setLevel(logging.INFO)
    return {"log": log, **options}


def log_inside() -> None:
    logging.getLogger("app").info("export", extra={"audit": True, "resource": "report/7"})


def fastapi() -> Any:
    """Return a FastAPI application."""
    from fastapi import BackgroundTasks, Depends, FastAPI, Header, HTTPException, WebSocket
    from fastapi.responses import PlainTextResponse, Response, StreamingResponse

    from chained_logging.integrations.asgi import AuditMiddleware

    def signed_in(authorization: str = Header("")) -> str:  # synchronous: in a thread
        if authorization != "Bearer good":
            raise HTTPException(401)
        set_actor("user-7", session_id="s-1")
        return "user-7"

    app = FastAPI()
    app.add_middleware(AuditMiddleware, **configured())  # type: ignore[arg-type]

    @app.get("/health")
    async def health() -> str:
        return "well"

    @app.api_route("/patients/{id}", methods=["GET", "HEAD"])
    async def show(id: str) -> dict[str, str]:
        return {"id": id}

    @app.post("/patients", status_code=201)
    async def create() -> dict[str, str]:
        return {"id": "new"}

    @app.put("/patients/{id}")
    def change(id: str) -> dict[str, str]:
        annotate(changed_fields=["name"], old_values={"name": "A"})
        return {"id": id}

    @app.delete("/patients/{id}", status_code=204)
    async def remove(id: str) -> None: ...

    @app.get("/stream/{n}")
    async def stream(n: str) -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            for chunk in CHUNKS:
                yield chunk

        return StreamingResponse(chunks())

    @app.get("/sized/{n}")
    async def sized(n: str) -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            for chunk in CHUNKS:
                yield chunk

        return StreamingResponse(chunks(), headers={"content-length": str(len(WHOLE))})

    @app.get("/endless")
    async def endless() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            while True:
                yield b"tick\n"
                await asyncio.sleep(0.01)

        return StreamingResponse(chunks())

    @app.get("/breaks")
    async def breaks() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"half"
            raise ValueError("in the middle")

        return StreamingResponse(chunks())

    @app.get("/raises")
    async def raises() -> None:
        raise ValueError("on purpose")

    @app.get("/p/{patient_id}")
    @audited("patient_record", id="patient_id", action="export")
    async def named(patient_id: str, who: str = Depends(signed_in)) -> PlainTextResponse:
        log_inside()
        return PlainTextResponse(who)

    @app.get("/q/{x}", dependencies=[Depends(audited("lab_result", id="x").dependency)])
    async def named_too(x: str, who: str = Depends(signed_in)) -> str:
        return who

    @app.get("/not-modified")
    async def not_modified() -> Response:
        return Response(status_code=304)

    @app.get("/background/{x}")
    async def background(x: str, tasks: BackgroundTasks) -> str:
        tasks.add_task(log_inside)
        return x

    @app.post("/echo")
    async def echo(body: dict[str, Any]) -> dict[str, Any]:
        return body

    @app.websocket("/chat/{room}")
    async def chat(socket: WebSocket, room: str) -> None:
        if room == "closed":
            await socket.close()
            return
        await socket.accept()
        if room == "breaks":
            raise ValueError("on purpose")
        await socket.send_text(await socket.receive_text())
        await socket.close()

    sub = FastAPI()

    @sub.get("/things/{t}")
    async def thing(t: str) -> str:
        return t

    app.mount("/tenants/{tenant}", sub)
    return app


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
    """Give servers their applications: ``uvicorn web_apps:fastapi_app``."""
    makers = {"fastapi_app": fastapi, "flask_app": flask}
    if name not in makers:
        raise AttributeError(name)
    return makers[name]()
