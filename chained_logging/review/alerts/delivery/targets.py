"""A target by its name: ``stderr``, ``command:…``, ``smtp://…``, ``https://…``, ``apprise:…``."""

from __future__ import annotations

from chained_logging.net.urls import shown
from chained_logging.review.alerts.delivery.target import Target


def open_target(name: str) -> Target:
    """Return the target that a name describes.

    :raises ValueError: if there is no such target, or an option is missing. The message holds no
        secret.
    :raises ImportError: if it needs a package that is not installed.
    :raises OSError: if a file with a secret cannot be read; also LogError.
    """
    kind, _, rest = name.partition(":")
    match kind.lower():
        case "stderr" if not rest:
            from chained_logging.review.alerts.delivery.terminal import StandardError

            return StandardError()
        case "command":
            from chained_logging.review.alerts.delivery.command import Command

            return Command(rest)
        case "smtp" | "smtps":
            from chained_logging.review.alerts.delivery.mail import Mail

            return Mail(name)
        case "http" | "https":
            from chained_logging.review.alerts.delivery.webhook import Webhook

            return Webhook(name)
        case "apprise":
            from chained_logging.review.alerts.delivery.chat import Apprise

            return Apprise(rest)
    raise ValueError(
        f"{shown(name)} is not a target of alerts: use stderr, command:PROGRAM, "
        "smtp://…, smtps://…, https://… or apprise:FILE"
    )
