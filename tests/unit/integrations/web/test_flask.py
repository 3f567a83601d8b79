"""Flask and Flask-Login: whom an entry names, and what it says of logins."""

from __future__ import annotations

import logging
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from web_servers import entries

pytest.importorskip("flask_login")

from flask import Flask, Response, abort, g, redirect, request, session, url_for
from flask_login import (
    LoginManager,
    UserMixin,
    current_user,
    fresh_login_required,
    login_required,
    login_user,
    logout_user,
)
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from chained_logging import AuditHandler, AuditLog, context
from chained_logging.integrations.wsgi import AuditMiddleware, set_actor
from chained_logging.log import AuditWarning


class User(UserMixin):
    """A user as Flask-Login's documentation has it."""

    def __init__(self, id: str) -> None:
        self.id = id


class Site:
    """A Flask application, its log and a client."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.log = AuditLog(folder / "audit.jsonl")
        self.logger = logging.Logger("shop")
        self.logger.addHandler(AuditHandler(log=self.log))
        self.app = Flask("shop")
        self.app.secret_key = "for tests"
        self.app.wsgi_app = AuditMiddleware(  # type: ignore[method-assign]
            self.app.wsgi_app, log=self.log, **options
        )

    def log_inside(self) -> None:
        self.logger.info("inside", extra={"audit": True, "resource": "report/7"})

    def found(self) -> list[dict[str, Any]]:
        return entries(self.log.path)

    def last(self) -> dict[str, Any]:
        return [f for f in self.found() if f["resource_type"] != "report"][-1]

    def inside(self) -> dict[str, Any]:
        return [f for f in self.found() if f["resource_type"] == "report"][-1]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    manager = LoginManager(site.app)
    manager.login_view = "enter"
    manager.user_loader(User)

    @site.app.route("/enter", methods=["GET", "POST"])
    def enter() -> Any:
        if request.method == "POST" and request.form["password"] == "secret":
            login_user(User(request.form["username"]))
            return redirect(url_for("private"))
        if request.form.get("again"):
            return redirect(url_for("enter"))
        return "who are you?", int(request.form.get("status", 200))

    @site.app.get("/leave")
    def leave() -> Any:
        logout_user()
        site.log_inside()
        return redirect(url_for("enter"))

    @site.app.route("/private", methods=["GET", "POST"])
    @login_required
    def private() -> str:
        site.log_inside()
        return current_user.get_id()

    @site.app.get("/fresh")
    @fresh_login_required
    def fresh() -> str:
        return "x"

    @site.app.get("/public")
    def public() -> str:
        return "x"

    @site.app.get("/logs")
    def logs() -> str:
        site.log_inside()
        return "x"

    @site.app.get("/no")
    def no() -> str:
        abort(403)

    @site.app.get("/stream")
    def stream() -> Response:
        def chunks() -> Iterator[str]:
            yield "a"
            site.log_inside()
            yield "b"

        return Response(chunks())

    @site.app.get("/raises")
    def raises() -> str:
        raise ValueError("on purpose")

    yield site
    site.log.close()


def said(fields: dict[str, Any]) -> tuple[str, str, str]:
    assert "invalid" not in fields["context"]
    return fields["actor_id"], fields["action"], fields["result"]


def signed(site: Site, name: str = "ann") -> Any:
    client = site.app.test_client()
    client.post("/enter", data={"username": name, "password": "secret"})
    assert said(site.last()) == (name, "login", "success")
    return client


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/private", ("ann", "read", "success")),
        ("/public", ("ann", "read", "success")),  # the view did not ask
        ("/logs", ("ann", "read", "success")),
        ("/no", ("ann", "read", "denied")),
        ("/nothing", ("ann", "read", "failure")),
        ("/stream", ("ann", "read", "success")),
        ("/leave", ("ann", "logout", "success")),
        ("/raises", ("ann", "read", "failure")),
    ],
)
def test_signed_in_user_is_the_actor(site: Site, path: str, expected: Any) -> None:
    reply = signed(site).get(path)
    assert reply.data is not None
    assert said(site.last()) == expected
    if path in ("/private", "/logs", "/stream", "/leave"):
        assert said(site.inside()) == ("ann", "inside", "success")
    if path == "/raises":
        exception = {"message": "on purpose", "type": "ValueError"}
        assert site.last()["context"]["exception"] == exception


def test_nobody_is_anonymous_inside_too(site: Site) -> None:
    site.app.test_client().get("/logs")
    assert said(site.last()) == ("anonymous", "read", "success")
    assert said(site.inside()) == ("anonymous", "inside", "success")


@pytest.mark.parametrize("in_session", [False, True])
@pytest.mark.parametrize("method", ["get", "post"])
def test_who_is_sent_to_the_login_page_was_denied(
    site: Site, in_session: bool, method: str
) -> None:
    site.app.config["USE_SESSION_FOR_NEXT"] = in_session
    reply = getattr(site.app.test_client(), method)("/private")
    assert reply.status_code == 302
    assert said(site.last())[2] == "denied"


def test_login_that_is_not_fresh_is_denied(site: Site) -> None:
    client = signed(site)
    site.app.extensions["x"] = None
    with client.session_transaction() as held:
        held["_fresh"] = False
    site.app.login_manager.refresh_view = "enter"  # type: ignore[attr-defined]
    assert client.get("/fresh").status_code == 302
    assert said(site.last()) == ("ann", "read", "denied")


@pytest.mark.parametrize(
    ("more", "result"),
    [({}, "failure"), ({"again": "1"}, "failure"), ({"status": "401"}, "denied")],
)
def test_login_that_fails_names_the_account(site: Site, more: Any, result: str) -> None:
    form = {"username": "ann", "password": "hunter2hunter2", **more}
    site.app.test_client().post("/enter", data=form)
    assert said(site.last()) == ("anonymous", "login", result)
    assert site.last()["context"]["account"] == "ann"
    assert b"hunter2" not in site.log.path.read_bytes()


def test_form_of_the_login_page_is_no_login(site: Site) -> None:
    site.app.test_client().get("/enter")
    assert said(site.last()) == ("anonymous", "read", "success")


def test_loader_that_logs_is_asked_once(site: Site) -> None:
    loaded: list[str] = []

    def load(id: str) -> User:
        loaded.append(id)
        site.log_inside()
        return User(id)

    client = signed(site)
    site.app.login_manager.user_loader(load)  # type: ignore[attr-defined]
    for path in ("/private", "/public"):
        loaded.clear()
        client.get(path)
        assert loaded == ["ann"]
        assert said(site.last())[0] == "ann"


def test_loader_that_raises_breaks_no_page(site: Site) -> None:
    client = signed(site)

    def load(id: str) -> User:
        raise RuntimeError("the database is away")

    site.app.login_manager.user_loader(load)  # type: ignore[attr-defined]
    assert client.get("/public").status_code == 200
    fields = site.last()
    assert fields["actor_id"] == "unknown"  # not anonymous: nobody knows
    assert fields["context"]["actor_failed"] is True


def test_exception_that_leaves_the_application(site: Site) -> None:
    client = signed(site)
    site.app.testing = True
    with pytest.raises(ValueError, match="on purpose"):
        client.get("/raises")
    assert said(site.last()) == ("ann", "read", "failure")


def test_who_deletes_their_own_account(tmp_path: Path) -> None:
    class Base(DeclarativeBase):
        pass

    db = SQLAlchemy(model_class=Base)

    class Account(UserMixin, db.Model):  # type: ignore[name-defined]
        id: Mapped[int] = mapped_column(primary_key=True)
        username: Mapped[str]

    site = Site(tmp_path)
    site.app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path}/app.db"
    db.init_app(site.app)
    LoginManager(site.app).user_loader(lambda id: db.session.get(Account, int(id)))

    @site.app.get("/enter/<name>")
    def enter(name: str) -> str:
        login_user(db.session.execute(db.select(Account).filter_by(username=name)).scalar_one())
        return "x"

    @site.app.delete("/me")
    @login_required
    def delete_me() -> str:
        db.session.delete(current_user._get_current_object())
        db.session.commit()
        return "gone"

    @site.app.get("/me")
    @login_required
    def me() -> str:
        db.session.commit()  # which expires the user
        db.session.remove()
        return "x"

    with site.app.app_context():
        db.create_all()
        db.session.add(Account(username="ann"))
        db.session.commit()
    client = site.app.test_client()
    for method, path in (("get", "/enter/ann"), ("get", "/me"), ("delete", "/me")):
        assert getattr(client, method)(path).status_code == 200
    assert [said(f) for f in site.found()] == [
        ("1", "login", "success"),
        ("1", "read", "success"),
        ("1", "delete", "success"),
    ]
    assert site.found()[0]["context"]["actor_name"] == "ann"
    with site.app.app_context():
        db.engine.dispose()
    site.log.close()


def test_user_with_an_id_that_only_flask_login_knows(tmp_path: Path) -> None:
    class Opaque(UserMixin):
        __slots__ = ("_key",)

        def get_id(self) -> str:
            return "key-1"

    site = Site(tmp_path)
    LoginManager(site.app).request_loader(lambda request: Opaque())
    site.app.test_client().get("/")
    assert site.last()["actor_id"] == "key-1"
    site.log.close()


@pytest.mark.parametrize("name", ["user", "current_user", "flask_httpauth_user"])
@pytest.mark.parametrize("kind", ["text", "row", "object", "claims"])
def test_user_without_flask_login(tmp_path: Path, name: str, kind: str) -> None:
    site = Site(tmp_path)
    with sqlite3.connect(":memory:") as database:
        database.row_factory = sqlite3.Row
        row = database.execute("SELECT 7 AS id, 'ann' AS username, 'x' AS password").fetchone()
    database.close()
    users = {"text": "ann", "row": row, "object": User("ann"), "claims": {"sub": "ann"}}

    @site.app.before_request
    def load() -> None:
        setattr(g, name, users[kind])

    @site.app.get("/")
    def view() -> str:
        site.log_inside()
        return "x"

    site.app.test_client().get("/")
    expected = "7" if kind == "row" else "ann"
    assert said(site.last())[0] == said(site.inside())[0] == expected
    site.log.close()


def test_what_code_says_wins_over_flask_login(site: Site) -> None:
    @site.app.get("/service")
    def service() -> str:
        set_actor("cron", "service")
        return current_user.get_id()

    signed(site).get("/service")
    assert said(site.last())[0] == "cron"


def test_actor_named_inside_a_block_of_context(site: Site) -> None:
    @site.app.get("/tenant")
    def tenant() -> str:
        with context(tenant="t-1"):
            set_actor("ann")
            site.log_inside()
        return "x"

    site.app.test_client().get("/tenant")
    assert said(site.inside()) == ("ann", "inside", "success")
    assert site.inside()["tenant_id"] == "t-1"


@pytest.mark.parametrize(
    ("value", "id"),
    [
        (42, "42"),
        (uuid.UUID(int=1), str(uuid.UUID(int=1))),
        ((42, "admin"), "42"),
        (User("ann"), "ann"),
        (None, "anonymous"),
        (("u",), "unknown"),
        ({"id": 1}, "unknown"),
        ("", "unknown"),
        (object(), "unknown"),
    ],
)
def test_actor_of_a_callable(tmp_path: Path, value: Any, id: str) -> None:
    site = Site(tmp_path, actor=lambda exchange: value)
    site.app.get("/")(lambda: "x")
    assert site.app.test_client().get("/").status_code == 200
    fields = site.last()
    assert fields["actor_id"] == id
    assert ("invalid" in fields["context"]) == (id == "unknown")
    site.log.close()


def test_plain_session_and_a_page_named_login(tmp_path: Path) -> None:
    """No extension at all: the page's name is what says that somebody was sent away."""
    site = Site(tmp_path)

    @site.app.route("/account")
    def account() -> Any:
        return "x" if "name" in session else redirect("/auth/login")

    @site.app.route("/auth/login", methods=["GET", "POST"])
    def login() -> Any:
        return redirect("/auth/login?failed") if request.form else "who are you?"

    @site.app.post("/auth/register")
    def register() -> Any:
        return redirect("/auth/login")

    @site.app.get("/auth/logout")
    def logout() -> Any:
        return redirect("/auth/login")

    client = site.app.test_client()
    client.get("/account")
    client.post("/auth/login", data={"email": "ann@example.com", "password": "hunter2hunter2"})
    client.post("/auth/register", data={"x": "1"})
    client.get("/auth/logout")
    assert [said(f)[1:] for f in site.found()] == [
        ("read", "denied"),
        ("login", "failure"),
        ("create", "success"),
        ("read", "success"),
    ]
    assert site.found()[1]["context"]["account"] == "ann@example.com"
    site.log.close()


def test_application_that_is_not_what_it_seems(site: Site) -> None:
    site.app.login_manager.blueprint_login_views = {"x": ["unhashable"]}  # type: ignore[attr-defined]
    with pytest.warns(AuditWarning, match="flask raised TypeError"):
        reply = site.app.test_client().post("/enter", data={"username": "ann", "password": "x"})
    assert reply.status_code == 200
    assert site.last()["context"]["flask_failed"] is True
