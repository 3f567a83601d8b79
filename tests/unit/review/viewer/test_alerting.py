"""Alerts in the viewer: the worst first, with what they name, and who may deal with them can."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from findings import finding
from signed_logs import ORIGIN, Key
from viewers import as_copy, client, text

from chained_logging import AuditLog
from chained_logging.review.alerts.alert import RAISE, UNDELIVERED, context_of
from chained_logging.review.alerts.desk import Desk
from chained_logging.review.opening import stored
from chained_logging.review.viewer import Access
from chained_logging.verify import verify

OFFICER = Access("eve", reviews=True)
HERE = {"sec-fetch-site": "same-origin"}
SENTENCES = ["a low one", "<b>high</b> \x1b[2J one", "a critical one"]
LOW, HIGH, CRITICAL = 6, 7, 8


@pytest.fixture
def log(path: Path) -> Path:
    """A log with an alert of each of three severities, in its entries 6, 7 and 8."""
    with AuditLog(path, origin=ORIGIN, key=Key()) as opened:
        for _ in range(5):
            opened.append("read", **EVENT)
        for severity, sentence in zip(("low", "high", "critical"), SENTENCES, strict=True):
            entries = () if severity == "low" else (2, 4)
            found = finding(severity=severity, sentence=sentence, entries=entries, count=7)
            opened.note(RAISE, **context_of(found))
        opened.note(UNDELIVERED, alert=HIGH, target="smtp://mail.example.com", reason="down")
    return path


def acknowledge(viewer: Any, headers: dict[str, str] = HERE, **fields: object) -> Any:
    return viewer.post("/alerts/acknowledge", data=fields, headers=headers)


def decisions(log: Path) -> list[tuple[str, str | None, str | None]]:
    return [
        (one.action, one.on_behalf_of, one.reason)
        for one in stored(str(log))
        if one.action == "alert.acknowledge"
    ]


def headings(page: str) -> list[str]:
    return [text(found) for found in re.findall(r"<h3.*?</h3>", page, re.DOTALL)]


def test_the_worst_open_alert_is_first_with_what_it_names(log: Path) -> None:
    viewer = client(as_copy(log))
    page = viewer.get("/alerts").text
    first, second, third = headings(page)
    assert first == "critical a critical one"
    assert second == r"high <b>high</b> \x1b[2J one"
    assert third == "low a low one"
    assert "Entries 2 (proof), 4 (proof) and 5 more · in the list of entries" in text(page)
    assert "It did not reach smtp://mail.example.com." in text(page)
    for link in ("/entry/2", "/entry/4/proof", "/entries?seq=2-4", f"/entry/{HIGH}"):
        assert f'"{link}"' in page
        assert viewer.get(link).status_code == 200


def test_the_overview_leads_to_it(log: Path) -> None:
    page = client(as_copy(log)).get("/").text
    assert '<a href="/alerts">All alerts</a>' in page


def test_what_was_decided_stands_behind(log: Path) -> None:
    viewer = client(log, OFFICER)
    with Desk(str(log)) as desk:
        until = dt.datetime.now(dt.UTC) + dt.timedelta(days=3)
        desk.suppress("a-rule", "bob", until, "ida", "bob <moved>")
        desk.suppress("old-rule", None, dt.datetime.now(dt.UTC), "ida", "it ended")
    done = acknowledge(viewer, alert=CRITICAL, reason="It was <i>her</i> own record.")
    assert done.status_code == 200
    assert done.url.path == "/alerts"
    assert [each.split()[0] for each in headings(done.text)] == ["high", "low", "critical"]
    said = text(done.text)
    assert "Open 2" in said
    assert re.search(r"Acknowledged 1 .* eve, at [-0-9: ]+: It was <i>her</i> own record\.", said)
    assert re.search(r"a-rule about bob, until [-0-9: ]+: bob <moved> \(ida, ", said)
    assert "old-rule" not in said
    assert decisions(log) == [("alert.acknowledge", "eve", "It was <i>her</i> own record.")]
    assert verify(log).intact


@pytest.mark.parametrize(
    "headers",
    [{}, {"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}],
    ids=str,
)
def test_a_form_of_another_page_is_refused(log: Path, headers: dict[str, str]) -> None:
    answer = acknowledge(client(log, OFFICER), headers, alert=HIGH, reason="x")
    assert answer.status_code == 403
    assert decisions(log) == []


@pytest.mark.parametrize(
    "access",
    [
        Access("eve"),
        Access("eve", tenants=["t-1"], reviews=True),
        Access("eve", fields=["actor_id"], reviews=True),
    ],
    ids=["reader", "tenant", "fields"],
)
def test_who_may_not_decide_cannot(log: Path, access: Access) -> None:
    viewer = client(log, access)
    assert acknowledge(viewer, alert=HIGH, reason="x").status_code == 403
    assert decisions(log) == []
    page = viewer.get("/alerts")
    assert page.status_code == (200 if access.whole else 403)
    assert "<form" not in page.text
    assert "/alerts" not in viewer.get("/entries").text or access.whole


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"alert": "1", "reason": "it raises none"},
        {"alert": "9" * 30, "reason": "x"},
        {"alert": str(HIGH), "reason": " "},
    ],
    ids=str,
)
def test_a_form_that_cannot_be_taken_is_said(log: Path, fields: dict[str, str]) -> None:
    assert acknowledge(client(log, OFFICER), **fields).status_code == 400
    assert decisions(log) == []


def test_a_copy_takes_no_decision(log: Path) -> None:
    answer = acknowledge(client(as_copy(log), OFFICER), alert=HIGH, reason="x")
    assert answer.status_code == 403
    assert decisions(log) == []


def test_an_alert_is_dealt_with_once(log: Path) -> None:
    viewer = client(log, OFFICER)
    assert acknowledge(viewer, alert=HIGH, reason="first").status_code == 200
    again = acknowledge(viewer, alert=HIGH, reason="second")
    assert again.status_code == 400
    assert "was acknowledged by eve" in text(again.text)
    assert len(decisions(log)) == 1


def test_without_alerts_it_says_so(path: Path) -> None:
    with AuditLog(path) as opened:
        opened.append("read", **EVENT)
    assert "No alert is open." in text(client(as_copy(path)).get("/alerts").text)
