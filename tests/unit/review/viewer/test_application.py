"""The viewer within another application, which says who may see what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from periods import event, write_log
from viewers import Access, client, links, testclient

from chained_logging.review.viewer import app

applications = pytest.importorskip("starlette.applications")
routing = pytest.importorskip("starlette.routing")
exceptions = pytest.importorskip("starlette.exceptions")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_log(tmp_path / "audit.db", [event(1, tenant="t-1"), event(2, tenant="t-2")])


def mounted(path: Path, authorize: Any, at: str = "/admin/audit") -> Any:
    mount = routing.Mount(at, app(str(path), authorize=authorize))
    return testclient.TestClient(applications.Starlette(routes=[mount]))


def test_every_link_stays_under_the_path_that_it_is_mounted_at(path: Path) -> None:
    viewer = mounted(path, lambda request: Access("ann"))
    waiting = ["/admin/audit/"]
    for link in waiting:
        answer = viewer.get(link)
        assert answer.status_code == 200, link
        if answer.headers["content-type"].startswith("text/html") and len(waiting) < 40:
            found = [each for each in links(answer.text) if not each.startswith("#")]
            assert all(each.startswith("/admin/audit/") for each in found)
            waiting += [each for each in found if each not in waiting and "/proof" not in each]
    assert len(waiting) > 30


def test_who_it_is_may_be_asked_in_any_way(path: Path) -> None:
    async def asynchronous(request: Any) -> Access | None:
        return Access(request.headers["user"]) if "user" in request.headers else None

    for authorize in (asynchronous, lambda request: asynchronous(request)):
        viewer = mounted(path, authorize)
        assert viewer.get("/admin/audit/entries").status_code == 403
        answer = viewer.get("/admin/audit/entries", headers={"user": "ann"})
        assert "You are <bdi>ann</bdi>" in answer.text


def test_an_application_may_refuse_in_its_own_way(path: Path) -> None:
    def authorize(request: Any) -> Access:
        raise exceptions.HTTPException(401, headers={"WWW-Authenticate": "Basic"})

    answer = mounted(path, authorize).get("/admin/audit/")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Basic")


@pytest.mark.parametrize("answer", [None, True, "ann", {"user": "ann"}])
def test_what_is_not_an_access_is_refused(path: Path, answer: Any) -> None:
    viewer = mounted(path, lambda request: answer)
    for page in ("/", "/entries", "/entries.csv", "/entry/1", "/entry/1.json", "/actor?id=user-1"):
        assert viewer.get(f"/admin/audit{page}").status_code == 403


def test_each_request_is_asked_for_again(path: Path) -> None:
    allowed = [Access("ann", tenants=["t-1"])]
    viewer = mounted(path, lambda request: allowed[0] if allowed else None)
    assert viewer.get("/admin/audit/entry/1").status_code == 200
    assert viewer.get("/admin/audit/entry/2").status_code == 404
    allowed[0] = Access("bob", tenants=["t-2"])
    assert viewer.get("/admin/audit/entry/1").status_code == 404
    assert viewer.get("/admin/audit/entry/2").status_code == 200
    allowed.clear()
    assert viewer.get("/admin/audit/entry/2").status_code == 403


def test_the_footer_says_what_is_not_shown(path: Path) -> None:
    from chained_logging.review.viewer.access import FIELDS

    access = Access("ann", tenants=["t-1"], fields=FIELDS - {"ip_address"})
    html = client(path, access).get("/entries").text
    assert "You see the entries of t-1." in html
    assert "Hidden from you: ip_address." in html


def test_a_file_of_the_page_is_the_only_one_that_is_served(path: Path) -> None:
    viewer = client(path)
    assert viewer.get("/static/viewer.css").headers["content-type"].startswith("text/css")
    for name in ("__init__.py", "..%2faccess.py", "%2e%2e/access.py", ""):
        assert viewer.get(f"/static/{name}").status_code in (307, 404)
