"""Feeds: receivers that take entries and cannot be asked what they hold, such as a SIEM.

Our own progress beside the log says where to go on. It moves on once the receiver has acknowledged
a batch, so each entry arrives at least once. A receiver drops repetitions by their ``id``.

**What a feed delivers is a copy, not evidence**: nothing is read back, so nobody can tell what the
receiver has made of it. ``docs/feeds.md`` says more.

From below upward: :mod:`.address` reads a URL, :mod:`.feed` is what all have, then :mod:`.syslog`,
:mod:`.webhook` and :mod:`.otlp`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from chained_logging.ship.feeds.feed import Feed


def _syslog(url: str) -> Feed:
    from chained_logging.ship.feeds.syslog import SyslogFeed

    return SyslogFeed(url)


def _webhook(url: str) -> Feed:
    from chained_logging.ship.feeds.webhook import WebhookFeed

    return WebhookFeed(url)


def _otlp(url: str) -> Feed:
    from chained_logging.ship.feeds.otlp import OtlpFeed

    return OtlpFeed(url)


FEEDS: Final[Mapping[str, Callable[[str], Feed]]] = {
    "syslog+tls": _syslog,
    "https": _webhook,
    "http": _webhook,
    "otlp+https": _otlp,
    "otlp+http": _otlp,
}
"""What opens a feed, by the scheme of its URL."""
