"""Alerts by mail, to a real server."""

from __future__ import annotations

import email
import email.policy
import ssl
from pathlib import Path

import pytest
from alerts import ID, notification
from mail_server import mail_server
from rsyslogd import make_certificates

from chained_logging.review.alerts.delivery.mail import PASSWORD_VARIABLE, Mail
from chained_logging.review.alerts.delivery.target import Undelivered

PEOPLE = "from=log@example.com&to=ann@example.com,bob@example.com"


def test_all_recipients_get_one_mail_with_one_id() -> None:
    with mail_server() as inbox:
        Mail(f"smtp://127.0.0.1:{inbox.port}#{PEOPLE}").deliver(notification())
    ((recipients, content),) = inbox.mails
    assert recipients == ["ann@example.com", "bob@example.com"]
    mail = email.message_from_bytes(content, policy=email.policy.default)
    assert mail["Subject"] == "[high] a-rule: ann"
    assert mail["Message-ID"] == f"<{ID}@example.com>"
    assert mail["From"] == "log@example.com"
    assert "Ann did it." in mail.get_content()


def test_what_others_wrote_adds_no_header() -> None:
    hostile = notification(subject="ann\r\nBcc: eve@example.com\r\n\r\nhello", sentence="é\n.\n")
    with mail_server() as inbox:
        Mail(f"smtp://127.0.0.1:{inbox.port}#{PEOPLE}").deliver(hostile)
    ((recipients, content),) = inbox.mails
    assert "eve@example.com" not in recipients
    mail = email.message_from_bytes(content, policy=email.policy.default)
    assert mail["Bcc"] is None


def test_a_server_that_refuses_has_not_taken_it() -> None:
    with mail_server() as inbox:
        inbox.refuses = True
        mail = Mail(f"smtp://127.0.0.1:{inbox.port}#{PEOPLE}")
        with pytest.raises(Undelivered, match="451"):
            mail.deliver(notification())


def test_a_server_that_is_not_there_is_said() -> None:
    with pytest.raises(Undelivered, match="refused"):
        Mail(f"smtp://127.0.0.1:1#{PEOPLE}").deliver(notification())


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    with mail_server(tls_context=context(tmp_path), require_starttls=True) as inbox:
        mail = Mail(f"smtp://127.0.0.1:{inbox.port}#{PEOPLE}")
        with pytest.raises(Undelivered, match="certificate"):
            mail.deliver(notification())
    assert inbox.mails == []


def test_it_is_encrypted_and_signed_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = context(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv(PASSWORD_VARIABLE, "correct")
    options = {
        "tls_context": tls,
        "require_starttls": True,
        "auth_required": True,
        "authenticator": lambda server, session, envelope, kind, data: accepted(data),
    }
    with mail_server(**options) as inbox:
        url = f"smtp://127.0.0.1:{inbox.port}#{PEOPLE}&user=log"
        Mail(url).deliver(notification())
        monkeypatch.setenv(PASSWORD_VARIABLE, "hunter2")
        with pytest.raises(Undelivered, match="the user and the password") as caught:
            Mail(url).deliver(notification())
    assert len(inbox.mails) == 1
    assert "hunter2" not in str(caught.value)


def accepted(data: object) -> object:
    from aiosmtpd.smtp import AuthResult

    password = getattr(data, "password", b"")
    return AuthResult(success=password == b"correct", handled=False)


def context(folder: Path) -> ssl.SSLContext:
    """Return the TLS context of a server at 127.0.0.1."""
    make_certificates(folder)
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return found


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("to=ann@example.com", "from must be"),
        ("from=log@example.com", "to must be"),
        ("from=log@example.com&to=ann", "to must be"),
        ("from=a@b,c@d&to=x@y%0aBcc:z@y", "to must be"),
        (f"{PEOPLE}&user=log", "needs a password"),
        (f"{PEOPLE}&password=hunter2", "unknown option password"),
    ],
)
def test_a_url_that_says_too_little_is_refused(options: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        Mail(f"smtp://mail.example.com#{options}")
    assert "hunter2" not in str(caught.value)
