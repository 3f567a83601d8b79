"""A target by its name: ``stderr``, ``command:…``, ``smtp://…``, ``https://…``, ``apprise:…``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from chained_logging.net.urls import shown
from chained_logging.review.alerts.delivery.target import Target


def open_targets(names: Iterable[str]) -> list[Target]:
    """Return the targets that names describe.

    :raises ValueError: as :func:`open_target`, and if two are called the same: the log says by that
        name who took an alert, so the second one would get none.
    :raises ImportError: without the extra ``alerts``, which deliveries need.
    """
    targets = [open_target(name) for name in names]
    if targets:
        _require_retries()
    for called, count in Counter(target.name for target in targets).items():
        if count > 1:
            raise ValueError(
                f"{count} targets are called {called}, so the log could not say which of them took "
                "an alert: give one target several recipients, or each program a name of its own"
            )
    return targets


def _require_retries() -> None:
    try:
        import tenacity  # noqa: F401
    except ImportError:
        raise ImportError("targets need pip install 'chained_logging[alerts]'") from None


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
