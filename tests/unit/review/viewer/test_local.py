"""The address that is printed lets one browser in, once; no other name leads to it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from periods import event, write_log
from viewers import testclient

from chained_logging.review.reading import Reader, Rules
from chained_logging.review.viewer.local import LOOPBACK, Session, listen, local_app
from chained_logging.review.viewer.opened import OpenedLog

PORT = 8642


@dataclasses.dataclass
class Local:
    session: Session
    app: Any

    def browser(self, base: str = f"http://{LOOPBACK}:{PORT}") -> Any:
        return testclient.TestClient(self.app, base_url=base)


@pytest.fixture
def local(tmp_path: Path) -> Local:
    path = write_log(tmp_path / "audit.jsonl", [event(1)])
    session = Session(Reader("eve"), PORT, "complaint 7")
    return Local(session, local_app(OpenedLog(str(path)), session, PORT, Rules()))


def test_the_address_lets_in_once_and_the_cookie_stays(local: Local) -> None:
    browser = local.browser()
    assert browser.get("/").status_code == 401
    welcome = browser.get(local.session.path)
    cookie = welcome.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert local.session.path.removeprefix("/open/") not in cookie
    assert browser.get("/").status_code == browser.get("/entries").status_code == 200
    assert browser.get(local.session.path).status_code == 403
    other = local.browser()
    assert other.get(local.session.path).status_code == 403
    assert other.get("/").status_code == 401


@pytest.mark.parametrize("path", ["/open/", "/open/x", "/open/é", "/open/../open/"])
def test_a_wrong_token_opens_nothing_and_uses_nothing_up(local: Local, path: str) -> None:
    assert local.browser().get(path).status_code in (401, 403)
    assert local.browser().get(local.session.path).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}", "", "é"]
)
def test_no_other_name_leads_here(local: Local, host: str) -> None:
    browser = local.browser()
    for path in (local.session.path, "/", "/static/viewer.css"):
        assert browser.get(path, headers={"host": host.encode()}).status_code == 421
    assert browser.get(local.session.path).status_code == 200


def test_localhost_is_the_same_machine(local: Local) -> None:
    browser = local.browser(f"http://localhost:{PORT}")
    assert browser.get(local.session.path).status_code == 200
    assert browser.get("/").status_code == 200


def test_a_forged_cookie_is_refused(local: Local) -> None:
    for value in ("", "x", "é".encode().decode("latin-1")):
        headers = {"cookie": f"chained_logging_{PORT}={value}".encode("latin-1")}
        assert local.browser().get("/", headers=headers).status_code == 401


def test_it_listens_on_loopback_alone() -> None:
    with listen() as listening:
        assert listening.getsockname()[0] == LOOPBACK
        with pytest.raises(OSError, match="in use"):
            listen(listening.getsockname()[1])
