"""Reviews in the viewer: only those may sign who may, and only from the viewer's own page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from viewers import client, text

from chained_logging import AuditLog
from chained_logging.review.opening import stored
from chained_logging.review.viewer import Access
from chained_logging.verify import verify

REVIEWER = Access("eve", reviews=True)
HERE = {"sec-fetch-site": "same-origin"}


@pytest.fixture
def log(path: Path) -> Path:
    with AuditLog(path) as opened:
        opened.append("read", **EVENT)
    return path


def send(viewer: Any, form: str, headers: dict[str, str] = HERE, **fields: object) -> Any:
    return viewer.post(f"/reviews/{form}", data=fields, headers=headers)


def actions(log: Path) -> list[str]:
    return [one.action for one in stored(str(log)) if one.action.startswith("review.")]


def test_a_review_is_begun_and_signed(log: Path) -> None:
    viewer = client(log, REVIEWER)
    assert "Nobody has reviewed this log." in text(viewer.get("/reviews").text)
    begun = send(viewer, "start", period="month")
    assert begun.status_code == 200
    assert "Nobody has signed it." in text(begun.text)
    (number,) = (one.seq for one in stored(str(log)) if one.action == "review.start")
    done = send(viewer, "sign", review=number, name="Eve", conclusion="<b>In order.</b>")
    said = text(done.text)
    assert "Eve (eve), review, at" in said
    assert "&lt;b&gt;In order.&lt;/b&gt;" in done.text
    assert verify(log).intact


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "origin": "http://testserver"},
    ],
    ids=str,
)
def test_a_form_of_another_page_is_refused(log: Path, headers: dict[str, str]) -> None:
    answer = send(client(log, REVIEWER), "start", headers, period="month")
    assert answer.status_code == 403
    assert actions(log) == []


def test_an_older_browser_says_where_the_form_is_from(log: Path) -> None:
    answer = send(client(log, REVIEWER), "start", {"origin": "http://testserver"}, period="month")
    assert answer.status_code == 200
    assert actions(log) == ["review.start"]


@pytest.mark.parametrize(
    "access",
    [
        Access("eve"),
        Access("eve", tenants=["t-1"], reviews=True),
        Access("eve", fields=["actor_id"], reviews=True),
    ],
    ids=["reader", "tenant", "fields"],
)
def test_who_may_not_review_cannot(log: Path, access: Access) -> None:
    viewer = client(log, access)
    assert send(viewer, "start", period="month").status_code == 403
    assert send(viewer, "sign", review=1, conclusion="x").status_code == 403
    assert actions(log) == []
    page = viewer.get("/reviews")
    assert page.status_code == (200 if access.whole else 403)
    assert "<form" not in page.text


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        ("start", {}),
        ("start", {"period": "decade"}),
        ("start", {"period": "month", "about": "x"}),
        ("start", {"period": "month", "about": "1"}),
        ("sign", {}),
        ("sign", {"review": "1", "conclusion": "x"}),
        ("sign", {"review": "9" * 30, "conclusion": "x"}),
        ("sign", {"review": "1", "conclusion": "x" * 70_000}),
    ],
    ids=str,
)
def test_a_form_that_cannot_be_taken_is_said(log: Path, form: str, fields: dict[str, str]) -> None:
    answer = send(client(log, REVIEWER), form, **fields)
    assert answer.status_code == 400
    assert "review.sign" not in actions(log)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_the_forms_take_nothing_but_forms(log: Path, method: str) -> None:
    answer = client(log, REVIEWER).request(method, "/reviews/start", headers=HERE)
    assert answer.status_code == 405
    assert actions(log) == []


def test_no_other_page_takes_a_form(log: Path) -> None:
    assert client(log, REVIEWER).post("/entries", headers=HERE).status_code == 405
