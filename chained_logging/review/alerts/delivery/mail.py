"""Alerts by mail: ``smtp://…`` with STARTTLS, or ``smtps://…``."""

from __future__ import annotations

import re
import smtplib
import ssl
from email.message import EmailMessage
from typing import Final

from chained_logging.review.alerts.delivery.target import Notification, Undelivered
from chained_logging.ship.feeds.address import is_loopback, parsed, secret

PASSWORD_VARIABLE: Final = "CHAINED_LOGGING_SMTP_PASSWORD"  # noqa: S105 -- a name
_OPTIONS: Final = ("from", "to", "user", "password_file")
_ADDRESS: Final = re.compile(r"[^\s@<>,;:\"\\]{1,64}@[^\s@<>,;:\"\\]{1,255}")
_SECONDS: Final = 30.0


class Mail:
    """See :class:`~chained_logging.review.alerts.delivery.target.Target`.

    :param url: ``smtp://HOST:587#from=audit@example.com&to=ann@example.com,bob@example.com``, with
        ``user`` and ``password_file`` for a server that asks for them. Without the file, the
        environment variable ``CHAINED_LOGGING_SMTP_PASSWORD`` holds the password.
    :raises ValueError: if it is no such URL.
    :raises OSError: if the file cannot be read; also LogError.
    """

    def __init__(self, url: str) -> None:
        secure = url.lower().startswith("smtps://")
        base, _, options = url.partition("#")
        encoded = f"{base}#{options.replace('@', '%40')}"  # elsewhere an @ ends a password
        self._address = address = parsed(encoded, _OPTIONS, 465 if secure else 587)
        self._secure = secure
        self.name = address.name
        self._from = self._mailbox("from")[0]
        self._to = self._mailbox("to")
        self._user = address.options.get("user")
        self._password = secret(address, "password_file", PASSWORD_VARIABLE)
        if self._user is not None and self._password is None:
            raise ValueError(
                f"{self.name}: a user needs a password: add password_file=FILE, or set "
                f"{PASSWORD_VARIABLE}"
            )

    def _mailbox(self, option: str) -> list[str]:
        found = self._address.options.get(option, "").split(",")
        if not all(map(_ADDRESS.fullmatch, found)):
            raise ValueError(f"{self.name}: {option} must be a mail address: #{option}=ann@…")
        return found

    def deliver(self, notification: Notification) -> None:
        """Send an alert to all recipients. Its ``Message-ID`` is the same each time."""
        message = self._message(notification)
        try:
            with self._connected() as server:
                if self._user is not None and self._password is not None:
                    server.login(self._user, self._password)
                refused = server.send_message(message)
        except smtplib.SMTPAuthenticationError:
            raise Undelivered("the server does not take the user and the password") from None
        except (OSError, smtplib.SMTPException) as error:
            raise Undelivered(_said(error)) from None
        if refused:
            raise Undelivered(f"the server refused {len(refused)} of {len(self._to)} recipients")

    def _connected(self) -> smtplib.SMTP:
        host, port = self._address.host, self._address.port
        context = ssl.create_default_context()
        if self._secure:
            return smtplib.SMTP_SSL(host, port, timeout=_SECONDS, context=context)
        server = smtplib.SMTP(host, port, timeout=_SECONDS)
        try:
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=context)
            elif not is_loopback(host):
                raise Undelivered("the server offers no STARTTLS: an alert must not be read")
        except BaseException:
            server.close()
            raise
        return server

    def _message(self, notification: Notification) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._from
        message["To"] = ", ".join(self._to)
        message["Subject"] = notification.subject  # printable, so it is one line
        domain = self._from.rpartition("@")[2]
        message["Message-ID"] = f"<{notification.alert.id or 'unrecorded'}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(notification.text)
        return message

    def close(self) -> None:
        """Do nothing: each mail has a connection of its own."""


def _said(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "the server refused all recipients"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the server answered {error.smtp_code}"
    return str(error) or type(error).__name__
