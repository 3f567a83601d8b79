"""Where people sign in, and what an entry says of an attempt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import Form, HTTPException, Request
from fastapi.responses import PlainTextResponse, RedirectResponse
from web_site import Site, said

from chained_logging.integrations.asgi import annotate, set_actor
from chained_logging.integrations.web.login import LoginPages


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
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


@pytest.mark.parametrize("url", ["login", "", "http:login"])
def test_login_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must be a path or a URL"):
        LoginPages(url, "username")
