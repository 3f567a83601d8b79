"""Webhooks, verified by the library of Standard Webhooks."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from feed_records import lines_of, records, web
from format_entries import ORIGIN
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from chained_logging.errors import Refused
from chained_logging.ship.feeds import webhook
from chained_logging.ship.feeds.webhook import AUTHORIZATION_VARIABLE, SECRET_VARIABLE, WebhookFeed

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, SECRET)


def lowered(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): text for name, text in headers.items()}


def sent(folder: Path, options: str = "") -> tuple[dict[str, str], Any]:
    """Send a batch; return the headers of the request and its verified content."""
    with web() as server:
        feed = WebhookFeed(f"{server.url}{options}")
        feed.write(ORIGIN, records(folder), [])
        feed.close()
        ((headers, path, body),) = server.asked
    assert path == "/tsa?key=1234"
    Webhook(SECRET).verify(body, lowered(headers))
    return lowered(headers), json.loads(body)


def test_a_batch_has_the_stored_lines_and_a_signature(tmp_path: Path) -> None:
    headers, said = sent(tmp_path)
    assert headers["content-type"] == "application/json"
    assert "authorization" not in headers
    assert said["type"] == "audit_log.entries"
    assert said["data"]["origin"] == ORIGIN
    lines = lines_of(tmp_path)
    assert [each["entry"] for each in said["data"]["entries"]] == lines
    for each in said["data"]["entries"]:
        entry = json.loads(each["entry"])
        assert (each["id"], each["seq"], each["hash"]) == (
            *(entry["id"], entry["seq"], entry["hash"]),
        )


def test_another_format_is_an_object(tmp_path: Path) -> None:
    _, said = sent(tmp_path, "#format=ecs")
    assert said["data"]["format"] == "ecs"
    assert {each["entry"]["ecs"]["version"] for each in said["data"]["entries"]} == {"8.17.0"}


def test_a_batch_that_comes_again_has_the_same_id(tmp_path: Path) -> None:
    batch = records(tmp_path)
    with web() as server:
        for _ in range(2):
            WebhookFeed(server.url).write(ORIGIN, batch, [])
        WebhookFeed(server.url).write(ORIGIN, batch[1:], [])
        ids = [lowered(headers)["webhook-id"] for headers, _, _ in server.asked]
    assert ids[0] == ids[1] != ids[2]


def test_the_signature_is_that_of_the_specification() -> None:
    key = webhook.key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = webhook.signed(
        key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_body_that_was_changed_does_not_verify(tmp_path: Path) -> None:
    with web() as server:
        WebhookFeed(server.url).write(ORIGIN, records(tmp_path), [])
        ((headers, _, body),) = server.asked
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"ann", b"bob"), lowered(headers))


def test_an_authorization_is_sent_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AUTHORIZATION_VARIABLE, "Splunk hush")
    headers, _ = sent(tmp_path)
    assert headers["authorization"] == "Splunk hush"
    file = tmp_path / "authorization"
    file.write_text("Bearer of the file\n")
    file.chmod(0o600)
    (tmp_path / "again").mkdir()
    headers, _ = sent(tmp_path / "again", f"#authorization_file={file}")
    assert headers["authorization"] == "Bearer of the file"


@pytest.mark.parametrize("secret", ["hush", "whsec_", "whsec_aHVzaA==", "whsec_" + "A" * 400])
def test_a_secret_that_is_none_is_refused_without_it(
    monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, secret)
    with pytest.raises(ValueError, match="must be whsec_ and base64 of 24 to 64 bytes") as refused:
        WebhookFeed("https://siem.example/")
    assert "hush" not in str(refused.value)
    assert "AAAA" not in str(refused.value)


def test_without_a_secret_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET_VARIABLE)
    with pytest.raises(ValueError, match="a webhook needs a secret: add #secret_file=FILE"):
        WebhookFeed("https://siem.example/")


def test_a_message_names_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AUTHORIZATION_VARIABLE, "Bearer hush")
    with web(401) as server, pytest.raises(Refused, match="answered 401") as refused:
        WebhookFeed(server.url).write(ORIGIN, records(tmp_path), [])
    for hidden in ("hush", SECRET, "1234"):
        assert hidden not in str(refused.value)
