"""Alerts as webhooks, verified by the library of Standard Webhooks."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from alerts import ID, notification
from feed_records import web
from standardwebhooks.webhooks import Webhook as Library

from chained_logging.review.alerts.delivery.target import Undelivered
from chained_logging.review.alerts.delivery.webhook import Webhook
from chained_logging.ship.feeds.webhook import SECRET_VARIABLE

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, SECRET)


def test_it_is_signed_and_has_one_id() -> None:
    with web() as server:
        hook = Webhook(server.url)
        hook.deliver(notification())
        hook.deliver(notification())
        hook.close()
        asked = list(server.asked)
    ids = set()
    for headers, _, body in asked:
        lowered = {name.lower(): text for name, text in headers.items()}
        said = Library(SECRET).verify(body, lowered)
        assert (said["type"], said["data"]["id"]) == ("alert.raise", ID)
        ids.add(lowered["webhook-id"])
    assert ids == {f"msg_{ID}"}


def test_a_receiver_that_is_not_there_is_said_without_its_parameters() -> None:
    hook = Webhook("http://127.0.0.1:1/hook?token=hunter2")
    with pytest.raises(Undelivered, match=r"127\.0\.0\.1:1") as caught:
        hook.deliver(notification())
    assert "hunter2" not in str(caught.value) + hook.name


def test_a_secret_can_come_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET_VARIABLE)
    with pytest.raises(ValueError, match="needs a secret"):
        Webhook("https://example.com/hook")
    file = tmp_path / "secret"
    file.write_text(SECRET)
    file.chmod(0o600)
    assert Webhook(f"https://example.com/hook#secret_file={file}").name.endswith("/hook")


def test_nothing_travels_in_the_clear() -> None:
    with pytest.raises(ValueError, match="use https"):
        Webhook("http://example.com/hook")
