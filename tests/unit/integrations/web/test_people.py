"""FastAPI, Starlette and Litestar: whom an entry names, and what it says of logins."""

from __future__ import annotations

import contextlib
import json
import uuid
import warnings
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, Request, WebSocket
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
from web_site import Site, said

from chained_logging import AuditLog, context
from chained_logging.integrations.asgi import AuditMiddleware, set_actor
from chained_logging.integrations.web import Exchange, Person
from chained_logging.log import AuditWarning


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.log.close()


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


# --- Test clients, strict logs, trio.


def test_strict_log_under_a_test_client(tmp_path: Path) -> None:
    site = Site(tmp_path, log_options={"strict": True})
    site.app.get("/")(lambda: "x")
    assert site.client().get("/").status_code == 200
    (fields,) = site.found()
    assert (fields["ip_address"], fields["context"]["client"]) == ("127.0.0.1", "testclient")
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
