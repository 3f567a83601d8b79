"""FastAPI, Starlette and Litestar: whom an entry names, and what it says of logins."""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
import sys
import textwrap
import uuid
import warnings
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from chains import check_chain
from fastapi import BackgroundTasks, Depends, FastAPI, Form, HTTPException, Request, WebSocket
from fastapi.responses import PlainTextResponse, RedirectResponse, StreamingResponse
from fastapi.testclient import TestClient
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    BaseUser,
    SimpleUser,
    requires,
)
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.base import BaseHTTPMiddleware
from web_servers import entries

from chained_logging import AuditHandler, AuditLog, context
from chained_logging.event.entry import InvalidEntry
from chained_logging.integrations.asgi import AuditMiddleware, annotate, set_actor
from chained_logging.integrations.web import Exchange, Person
from chained_logging.integrations.web.account import Attempt, account_in
from chained_logging.integrations.web.login import LoginPages, comes_back
from chained_logging.log import AuditWarning


class Site:
    """A FastAPI application, its log and a client."""

    def __init__(self, folder: Path, app: Any = None, **options: Any) -> None:
        self.log = AuditLog(folder / "audit.jsonl", **options.pop("log_options", {}))
        self.logger = logging.Logger("shop")
        self.logger.addHandler(AuditHandler(log=self.log))
        self.app = FastAPI() if app is None else app
        self.audited = AuditMiddleware(self.app, log=self.log, **options)

    def client(self, **about: Any) -> TestClient:
        about = {"follow_redirects": False, "raise_server_exceptions": False, **about}
        return TestClient(self.audited, **about)

    def log_inside(self) -> None:
        self.logger.info("inside", extra={"audit": True, "resource": "report/7"})

    def found(self) -> list[dict[str, Any]]:
        return [f for f in entries(self.log.path) if f["resource_type"] != "report"]

    def inside(self) -> list[dict[str, Any]]:
        return [f for f in entries(self.log.path) if f["resource_type"] == "report"]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.log.close()


def said(fields: dict[str, Any]) -> tuple[str, str, str]:
    assert "invalid" not in fields["context"]
    return fields["actor_id"], fields["action"], fields["result"]


@dataclass
class User:
    id: int
    username: str
    is_superuser: bool = False
    email: str = "ann@example.com"


# --- Who it is.


@pytest.mark.parametrize("kind", ["def", "async def", "yield", "async yield"])
@pytest.mark.parametrize("view", ["def", "async def"])
def test_dependency_names_the_actor(site: Site, kind: str, view: str) -> None:
    def plain() -> User:
        set_actor(User(42, "ann"))
        return User(42, "ann")

    async def loop() -> User:
        return plain()

    def plain_yield() -> Iterator[User]:
        yield plain()

    async def loop_yield() -> AsyncIterator[User]:
        yield plain()

    dependency = {"def": plain, "async def": loop, "yield": plain_yield, "async yield": loop_yield}

    def show(tasks: BackgroundTasks) -> str:
        tasks.add_task(site.log_inside)
        site.log_inside()
        return "x"

    async def show_async(tasks: BackgroundTasks) -> str:
        return show(tasks)

    about = {"dependencies": [Depends(dependency[kind])]}
    site.app.get("/", **about)(show if view == "def" else show_async)
    assert site.client().get("/").status_code == 200
    (fields,) = site.found()
    assert said(fields) == ("42", "read", "success")
    assert fields["context"]["actor_name"] == "ann"
    assert [f["actor_id"] for f in site.inside()] == ["42", "42"]
    assert "ann@example.com" not in site.log.path.read_text()


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_context_of_a_dependency_is_the_requests(site: Site, kind: str) -> None:
    @contextlib.contextmanager
    def signed_in() -> Iterator[None]:
        with context(actor="system", tenant="not-7"):  # which is over before the view
            pass
        with context(actor="user-7", session_id="s", resource="user/7"):
            yield

    def plain() -> Iterator[None]:
        with signed_in():
            yield

    async def loop() -> AsyncIterator[None]:
        with signed_in():
            yield

    async def show() -> str:
        with context(actor="nested"):
            site.log_inside()
        site.log_inside()
        raise KeyError("x")

    dependency = plain if kind == "def" else loop
    site.app.get("/orders/{id}", dependencies=[Depends(dependency)])(show)
    assert site.client().get("/orders/1").status_code == 500
    (fields,) = site.found()
    assert said(fields) == ("user-7", "read", "failure")
    assert (fields["resource_id"], fields["session_id"]) == ("1", "s")
    assert "tenant_id" not in fields
    assert [f["actor_id"] for f in site.inside()] == ["nested", "user-7"]


def test_context_in_a_middleware_does_not_hide_who_comes_later(site: Site) -> None:
    class Tenant(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: Any) -> Any:
            with context(tenant="t-1"):
                return await call_next(request)

    @site.app.get("/")
    def show() -> str:
        set_actor("ann")
        site.log_inside()
        return "x"

    site.app.add_middleware(Tenant)
    site.client().get("/")
    (inside,) = site.inside()
    assert (inside["actor_id"], inside["tenant_id"]) == ("ann", "t-1")


class Backend(AuthenticationBackend):
    async def authenticate(self, conn: Any) -> Any:
        kind = conn.headers.get("x-user")
        return None if kind is None else (AuthCredentials(["authenticated"]), USERS[kind]())


class Member(BaseUser):
    """Without an identity of its own, as most are."""

    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def display_name(self) -> str:
        return "ann"


class Key(SimpleUser):
    @property
    def identity(self) -> str:
        return "key-1"


USERS = {"simple": lambda: SimpleUser("ann"), "member": Member, "key": lambda: Key("ann")}


def with_authentication(folder: Path) -> Site:
    app = FastAPI()
    site = Site(folder, app)
    app.add_middleware(AuthenticationMiddleware, backend=Backend())

    @app.get("/")
    async def show() -> str:
        site.log_inside()
        return "x"

    @app.get("/leave")
    async def leave(request: Request) -> str:
        site.log_inside()
        request.scope["user"] = None
        return "x"

    @app.get("/private")
    @requires("authenticated", redirect="enter")
    async def private(request: Request) -> str:
        return "x"

    @app.get("/enter")
    async def enter() -> str:
        return "x"

    @app.websocket("/chat")
    async def chat(socket: WebSocket) -> None:
        await socket.accept()
        site.log_inside()
        await socket.close()

    return site


@pytest.mark.parametrize(("kind", "id"), [("simple", "ann"), ("member", "ann"), ("key", "key-1")])
def test_user_of_starlettes_middleware(tmp_path: Path, kind: str, id: str) -> None:
    site = with_authentication(tmp_path)
    client = site.client(headers={"x-user": kind})
    client.get("/")
    client.get("/leave")
    with client.websocket_connect("/chat"):
        pass
    assert [f["actor_id"] for f in site.found()] == [id] * 4
    assert [f["actor_id"] for f in site.inside()] == [id] * 3
    site.log.close()


def test_nobody_of_starlettes_middleware(tmp_path: Path) -> None:
    site = with_authentication(tmp_path)
    client = site.client()
    client.get("/")
    assert client.get("/private").status_code == 303
    assert [said(f) for f in site.found()] == [
        ("anonymous", "read", "success"),
        ("anonymous", "read", "denied"),
    ]
    assert said(site.inside()[0])[0] == "anonymous"
    site.log.close()


@pytest.mark.parametrize(
    ("user", "id"),
    [
        ("ann", "ann"),
        (42, "42"),
        (uuid.UUID(int=1), str(uuid.UUID(int=1))),
        ({"sub": "ann", "exp": 1}, "ann"),
        (User(42, "ann"), "42"),
        (None, "anonymous"),
        ({"exp": 1}, "anonymous"),
    ],
)
@pytest.mark.parametrize("name", ["user", "current_user", "user_id"])
def test_user_that_a_middleware_leaves_in_the_state(
    site: Site, name: str, user: Any, id: str
) -> None:
    @site.app.middleware("http")
    async def sign_in(request: Request, call_next: Any) -> Any:
        setattr(request.state, name, user)
        return await call_next(request)

    @site.app.get("/")
    def show() -> str:
        return "x"

    site.client().get("/")
    assert said(site.found()[0])[0] == id


def test_state_of_the_lifespan_is_nobody(tmp_path: Path) -> None:
    async def lifespan(app: Any) -> AsyncIterator[dict[str, str]]:
        yield {"user": "a pool of users"}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from contextlib import asynccontextmanager

        site = Site(tmp_path, FastAPI(lifespan=asynccontextmanager(lifespan)))

    @site.app.get("/")
    def show() -> str:
        return "x"

    with site.client() as client:
        client.get("/")
    assert said(site.found()[0])[0] == "anonymous"
    site.log.close()


def test_row_that_was_deleted_or_has_expired(site: Site, tmp_path: Path) -> None:
    class Base(DeclarativeBase):
        pass

    class Account(Base):
        __tablename__ = "account"
        id: Mapped[int] = mapped_column(primary_key=True)
        username: Mapped[str]

    engine = create_engine(f"sqlite:///{tmp_path}/app.db")
    Base.metadata.create_all(engine)
    with Session(engine) as database:
        database.add(Account(id=7, username="ann"))
        database.commit()

    @site.app.delete("/me")
    def delete_me(request: Request) -> str:
        with Session(engine) as database:
            request.state.user = database.get(Account, 7)
            database.delete(request.state.user)
            database.commit()
        return "gone"

    assert site.client().delete("/me").status_code == 200
    assert said(site.found()[0]) == ("7", "delete", "success")
    engine.dispose()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("u-1", ("u-1", "user")),
        (42, ("42", "user")),
        (uuid.UUID(int=1), (str(uuid.UUID(int=1)), "user")),
        ((42, "admin"), ("42", "admin")),
        (Person("cron", "service"), ("cron", "service")),
        (User(42, "ann"), ("42", "user")),
        (User(42, "ann", is_superuser=True), ("42", "admin")),
        (None, ("anonymous", "user")),
    ],
)
def test_actor_of_a_callable(tmp_path: Path, value: Any, expected: Any) -> None:
    site = Site(tmp_path, actor=lambda exchange: value)
    site.client().get("/")
    (fields,) = site.found()
    assert (fields["actor_id"], fields["actor_type"]) == expected
    assert "invalid" not in fields["context"]
    site.log.close()


@pytest.mark.parametrize("value", [("u",), (1, 2), {"id": 1}, "", [], object(), 1.5, True])
def test_actor_that_is_none_is_marked(tmp_path: Path, value: Any) -> None:
    site = Site(tmp_path, actor=lambda exchange: value)
    assert site.client().get("/").status_code == 404
    (fields,) = site.found()
    assert "invalid" in fields["context"]
    assert "0x" not in json.dumps(fields["context"]["invalid"])
    site.log.close()


def test_actor_callable_that_needs_what_comes_later(tmp_path: Path) -> None:
    """It raises when the request comes, as nobody is in the scope yet."""
    site = Site(tmp_path, actor=lambda exchange: exchange.native["session"]["name"])

    @site.app.get("/")
    async def show(request: Request) -> str:
        request.scope["session"] = {"name": "ann"}
        return "x"

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        site.client().get("/")
    with pytest.warns(AuditWarning, match="actor raised KeyError"):
        site.client().get("/nothing")
    first, second = site.found()
    assert said(first)[0] == "ann"
    assert "actor_failed" not in first["context"]
    assert (second["actor_id"], second["context"]["actor_failed"]) == ("unknown", True)
    site.log.close()


# --- How it went.


def test_result_of_a_callable(tmp_path: Path) -> None:
    def result(exchange: Exchange) -> Any:
        if exchange.path == "/raises":
            raise RuntimeError
        return {"/soft": "failure", "/odd": "perhaps"}.get(exchange.path)

    site = Site(tmp_path, result=result)
    for path in ("/soft", "/odd", "/raises", "/other"):
        site.app.get(path)(lambda: "x")
    client = site.client()
    client.get("/soft")
    client.get("/other")
    with pytest.warns(AuditWarning, match="result raised ValueError"):
        client.get("/odd")
    with pytest.warns(AuditWarning, match="result raised RuntimeError"):
        client.get("/raises")
    assert [f["result"] for f in site.found()] == ["failure", "success", "success", "success"]
    assert [f["context"].get("result_failed") for f in site.found()] == [None, None, True, True]
    site.log.close()


@pytest.mark.parametrize(
    ("options", "location", "result"),
    [
        ({}, "/login", "denied"),
        ({}, "/accounts/sign-in/?next=%2F", "denied"),
        ({}, "https://id.example/login?next=/", "denied"),
        ({}, "login", "denied"),
        ({}, "/login.html", "denied"),
        ({}, "/enter?next=http%3A%2F%2Ftestserver%2F", "denied"),
        ({}, "/enter?next=/other", "success"),
        ({}, "/welcome", "success"),
        ({}, "/login/help", "success"),
        ({}, "//[", "success"),
        ({"login_url": "/enter"}, "/enter", "denied"),
        ({"login_url": ["/enter/"]}, "/enter?x=1", "denied"),
        ({"login_url": "/enter"}, "/login", "success"),
        (
            {"login_url": "https://id.example/authorize"},
            "https://id.example/authorize?a=b",
            "denied",
        ),
        ({"login_url": "https://id.example/authorize"}, "https://id.example/authorized", "success"),
        ({"login_url": []}, "/login", "success"),
    ],
)
def test_request_that_is_sent_to_the_login_page_was_denied(
    tmp_path: Path, options: Any, location: str, result: str
) -> None:
    site = Site(tmp_path, **options)
    site.app.get("/")(lambda: RedirectResponse(location))
    site.client().get("/")
    assert said(site.found()[0])[2] == result
    site.log.close()


@pytest.mark.parametrize(
    ("path", "method", "location", "result"),
    [
        ("/orders", "POST", "/login?next=/orders", "denied"),
        ("/register", "POST", "/login", "success"),
        ("/logout", "GET", "/login", "success"),
        ("/logout", "POST", "/login", "success"),
        ("/login", "GET", "/en/login", "success"),
        ("/login", "POST", "/login", "failure"),
        ("/login", "POST", "/home", "success"),
    ],
)
def test_not_all_who_are_sent_there_were_denied(
    site: Site, path: str, method: str, location: str, result: str
) -> None:
    site.app.api_route(path, methods=[method])(lambda: RedirectResponse(location, 303))
    site.client().request(method, path)
    assert said(site.found()[0])[2] == result


FORM = {"username": "ann", "password": "hunter2hunter2"}


@pytest.mark.parametrize("kind", ["form", "json", "multipart"])
@pytest.mark.parametrize("path", ["/login", "/token", "/auth/sign-in"])
def test_login_that_fails_names_the_account(site: Site, kind: str, path: str) -> None:
    @site.app.post(path)
    async def enter(request: Request) -> None:
        await request.body()
        raise HTTPException(401)

    client = site.client()
    if kind == "json":
        client.post(path, json=FORM)
    elif kind == "form":
        client.post(path, data=FORM)
    else:
        client.post(path, files={name: (None, value) for name, value in FORM.items()})
    (fields,) = site.found()
    assert said(fields) == ("anonymous", "login", "denied")
    assert fields["context"]["account"] == "ann"
    assert "hunter2" not in site.log.path.read_text()


def test_login_that_succeeds_names_the_actor(site: Site) -> None:
    @site.app.post("/login")
    def enter(username: str = Form()) -> str:
        set_actor(username)
        return "x"

    site.client().post("/login", data=FORM)
    (fields,) = site.found()
    assert said(fields) == ("ann", "login", "success")
    assert "account" not in fields["context"]


def test_refused_login_by_annotation(site: Site) -> None:
    @site.app.post("/enter")
    def enter(username: str = Form()) -> str:
        annotate(action="login", result="failure", account=username)
        return "try again"

    site.client().post("/enter", data=FORM)
    (fields,) = site.found()
    assert said(fields) == ("anonymous", "login", "failure")
    assert fields["context"]["account"] == "ann"


@pytest.mark.parametrize("field", ["kennung", ["x", "kennung"]])
def test_field_of_the_account_can_be_named(tmp_path: Path, field: Any) -> None:
    site = Site(tmp_path, login_url="/anmelden", login_field=field)

    @site.app.post("/anmelden")
    def enter(kennung: str = Form()) -> PlainTextResponse:
        return PlainTextResponse("x", 401)

    site.client().post("/anmelden", data={"kennung": "ann", "username": "not this"})
    assert site.found()[0]["context"]["account"] == "ann"
    site.log.close()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"ann"',
        b'{"username": 7}',
        b'{"username": null, "password": "ann"}',
        b"[" * 10_000,
        b"\xff\xfe",
        b'{"username": "' + b"x" * 100_000 + b'"}',
    ],
)
@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "text/plain",
        "\xff",
    ],
)
def test_body_that_names_no_account(body: bytes, kind: str) -> None:
    attempt = Attempt(("username",), certain=True)
    attempt.feed(body)
    account = attempt.account(kind)
    assert account is None or len(account) <= 256


def test_account_in_a_form() -> None:
    assert account_in({"password": "x"}) is None
    assert account_in({"user": {"email": " ann@example.com "}}) == "ann@example.com"
    assert account_in("ann") is None
    assert comes_back("next=%2Fa%2F", "/a")
    assert not comes_back("next=/b", "/a")
    assert not comes_back("&".join("a=/a" for _ in range(50)), "/a")  # too many to look at


@pytest.mark.parametrize("url", ["login", "", "http:login"])
def test_login_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must be a path or a URL"):
        LoginPages(url, "username")


# --- Test clients, strict logs, trio.


def test_strict_log_under_a_test_client(tmp_path: Path) -> None:
    site = Site(tmp_path, log_options={"strict": True})
    site.app.get("/")(lambda: "x")
    assert site.client().get("/").status_code == 200
    (fields,) = site.found()
    assert (fields["ip_address"], fields["context"]["client"]) == ("127.0.0.1", "testclient")
    site.log.close()


@pytest.mark.parametrize("durability", ["os", "fsync"])
@pytest.mark.parametrize("mode", ["before", "after"])
def test_under_trio(tmp_path: Path, durability: str, mode: str) -> None:
    pytest.importorskip("trio")
    site = Site(tmp_path, mode=mode, log_options={"durability": durability})

    @site.app.get("/stream")
    async def stream() -> StreamingResponse:
        async def chunks() -> AsyncIterator[str]:
            yield "a"
            yield "b"

        return StreamingResponse(chunks())

    @site.app.get("/raises")
    async def raises() -> str:
        raise ValueError("on purpose")

    with site.client(backend="trio") as client:
        assert client.get("/stream").text == "ab"
        assert client.get("/raises").status_code == 500
        assert client.get("/nothing").status_code == 404
    assert [f["result"] for f in site.found()] == ["success", "failure", "failure"]
    site.log.close()


@pytest.mark.parametrize("durability", ["os", "fsync"])
def test_log_that_refuses_under_trio(tmp_path: Path, durability: str) -> None:
    pytest.importorskip("trio")
    options = {"durability": durability, "strict": True}
    site = Site(tmp_path, actor=lambda exchange: "", log_options=options)
    client = site.client(backend="trio", raise_server_exceptions=True)
    with pytest.raises(InvalidEntry):
        client.get("/")
    site.log.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_user_of_litestars_middleware(tmp_path: Path) -> None:
    litestar = pytest.importorskip("litestar")
    from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
    from litestar.testing import TestClient as LitestarClient

    class Authenticate(AbstractAuthenticationMiddleware):
        async def authenticate_request(self, connection: Any) -> AuthenticationResult:
            return AuthenticationResult(user=User(42, "ann"), auth=None)

    @litestar.get("/")
    async def show() -> str:
        return "x"

    log = AuditLog(tmp_path / "audit.jsonl")
    app = litestar.Litestar([show], middleware=[Authenticate], logging_config=None)
    with LitestarClient(AuditMiddleware(app, log=log)) as client:
        client.get("/")
    log.close()
    assert said(entries(log.path)[0])[0] == "42"


def test_no_warning_breaks_a_request_under_w_error(tmp_path: Path) -> None:
    """``python -W error`` makes exceptions of warnings: the request must not see them."""
    code = """
    import logging, sys
    from chained_logging.integrations.wsgi import AuditMiddleware

    def broken(exchange):
        raise KeyError("x")

    def application(environ, start_response):
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    said = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append((record.name, record.levelname))
    logging.getLogger().addHandler(handler)
    app = AuditMiddleware(application, log="audit.jsonl", actor=broken)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/p/1", "REMOTE_ADDR": "10.0.0.1"}
    for _ in range(2):
        assert b"".join(app(dict(environ), lambda status, headers: None)) == b"ok"
    assert said == [("chained_logging", "WARNING")], said
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert [e["actor_id"] for e in check_chain(tmp_path / "audit.jsonl")[1:]] == ["unknown"] * 2
