"""The FastAPI application of the tests."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from fastapi import BackgroundTasks, Depends, FastAPI, Header, HTTPException, WebSocket
from fastapi.responses import PlainTextResponse, Response, StreamingResponse
from web_apps import CHUNKS, WHOLE, configured, log_inside, note_request

from chained_logging.integrations.asgi import AuditMiddleware, annotate, audited, set_actor


def signed_in(authorization: str = Header("")) -> str:  # synchronous: in a thread
    if authorization != "Bearer good":
        raise HTTPException(401)
    set_actor("user-7", session_id="s-1")
    return "user-7"


served = FastAPI()
served.add_middleware(AuditMiddleware, **configured())  # type: ignore[arg-type]


@served.get("/health")
async def health() -> str:
    return "well"


@served.api_route("/patients/{id}", methods=["GET", "HEAD"])
async def show(id: str) -> dict[str, str]:
    return {"id": id}


@served.post("/patients", status_code=201)
async def create() -> dict[str, str]:
    return {"id": "new"}


@served.put("/patients/{id}")
def change(id: str) -> dict[str, str]:
    annotate(changed_fields=["name"], old_values={"name": "A"})
    return {"id": id}


@served.delete("/patients/{id}", status_code=204)
async def remove(id: str) -> None: ...


@served.get("/stream/{n}")
async def stream(n: str) -> StreamingResponse:
    async def chunks() -> AsyncIterator[bytes]:
        for chunk in CHUNKS:
            yield chunk

    return StreamingResponse(chunks())


@served.get("/sized/{n}")
async def sized(n: str) -> StreamingResponse:
    async def chunks() -> AsyncIterator[bytes]:
        for chunk in CHUNKS:
            yield chunk

    return StreamingResponse(chunks(), headers={"content-length": str(len(WHOLE))})


@served.get("/endless")
async def endless() -> StreamingResponse:
    async def chunks() -> AsyncIterator[bytes]:
        while True:
            yield b"tick\n"
            await asyncio.sleep(0.01)

    return StreamingResponse(chunks())


@served.get("/breaks")
async def breaks() -> StreamingResponse:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"half"
        raise ValueError("in the middle")

    return StreamingResponse(chunks())


@served.get("/raises")
async def raises() -> None:
    raise ValueError("on purpose")


@served.get("/p/{patient_id}")
@audited("patient_record", id="patient_id", action="export")
async def named(patient_id: str, who: str = Depends(signed_in)) -> PlainTextResponse:
    log_inside()
    return PlainTextResponse(who)


@served.get("/q/{x}", dependencies=[Depends(audited("lab_result", id="x").dependency)])
async def named_too(x: str, who: str = Depends(signed_in)) -> str:
    return who


@served.get("/not-modified")
async def not_modified() -> Response:
    return Response(status_code=304)


@served.get("/background/{x}")
async def background(x: str, tasks: BackgroundTasks) -> str:
    tasks.add_task(log_inside)
    return x


@served.post("/echo")
async def echo(body: dict[str, Any]) -> dict[str, Any]:
    return body


@served.websocket("/chat/{room}")
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


served.mount("/tenants/{tenant}", sub)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Serve, and count."""
    if scope["type"] == "http" and scope["path"] != "/health":
        note_request()
    await served(scope, receive, send)
