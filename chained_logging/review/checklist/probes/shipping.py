"""What central stores hold of the log, and how entries get there."""

from __future__ import annotations

import datetime as dt
import ipaddress
from typing import Final
from urllib.parse import parse_qs, urlsplit

from chained_logging.format.record import Head
from chained_logging.net.urls import shown
from chained_logging.review.checklist.answer import Found, joined, met, not_met, saw, unseen
from chained_logging.review.checklist.subject import UNSEEABLE, Subject
from chained_logging.review.moments import spoken_length
from chained_logging.review.opening import is_url
from chained_logging.ship import Destination

LAG: Final = dt.timedelta(hours=1)
"""An entry that is older must have arrived."""


def shipped(subject: Subject, _: int = 0) -> Found:
    """Whether each central store holds all but the newest entries of the log."""
    if is_url(subject.log):
        return unseen(
            "the log is looked at in a store: what its own machine holds beyond that is not seen",
            mend="run chained-logging checklist on the machine that writes the log",
        )
    parts = [_arrived(subject, url) for url in subject.urls]
    parts += [_fed(subject, url) for url in subject.feeds]
    parts += _forgotten(subject)
    if not parts:
        return not_met(
            "the log is shipped nowhere",
            f"chained-logging init STORE, then chained-logging ship {subject.given} --to STORE",
            saw("destinations", "the configuration, and beside the log", "none"),
        )
    return joined(parts)


def _arrived(subject: Subject, url: str) -> Found:
    try:
        with subject.opened(url) as store:
            return _compared(subject, store, store.head(subject.log_origin))
    except UNSEEABLE as problem:
        return unseen(f"{shown(url)} could not be asked: {problem}")


def _compared(subject: Subject, store: Destination, head: Head) -> Found:
    """Return how far a store's own head is behind the log's."""
    entry = subject.entry(head.seq) if head.seq >= 0 else None
    seen = (
        saw(
            "the last entry that the store holds", store.name, head.seq if head.seq >= 0 else "none"
        ),
        saw("its hash", store.name, head.hash),
        saw("the hash of that entry in the log", subject.name, entry.hash if entry else "none"),
    )
    ship = f"chained-logging ship {subject.given} --to {shown(store.name)}"
    if head.seq < 0:
        return not_met(f"{store.name} holds no entry of the log", ship, *seen)
    if entry is None or entry.hash != head.hash:
        return not_met(
            f"{store.name} holds another history under the log's name",
            f"chained-logging verify {subject.given} --against {shown(store.name)}",
            *seen,
        )
    late = subject.age_of(head.seq + 1)
    if late is not None and late > LAG:
        return not_met(
            f"{store.name} ends at entry {head.seq:,}; the next one is {spoken_length(late)} old "
            "and has not arrived",
            ship,
            *seen,
        )
    return met(f"{store.name} holds the log up to entry {head.seq:,}", *seen)


def _fed(subject: Subject, url: str) -> Found:
    reason = f"{shown(url)} is a receiver that cannot be asked what it holds"
    known = [one for one in subject.progress if shown(one.destination) == shown(url)]
    seen = [saw("delivered up to entry", "the shipper's own account", one.seq) for one in known]
    return unseen(reason, *seen, mend=f"look for the newest entries of {subject.name} there")


def _forgotten(subject: Subject) -> list[Found]:
    """Return the destinations that the log was shipped to, and whose URLs are not known here."""
    known = {shown(url) for url in (*subject.urls, *subject.feeds)}
    return [
        unseen(
            f"{one.destination} was shipped to, and its URL is not configured",
            saw("delivered up to entry", "the shipper's own account", one.seq),
            mend=f"give it: --store {shown(one.destination)}",
        )
        for one in subject.progress
        if shown(one.destination) not in known
    ]


# --- On the way.


def transport(subject: Subject, _: int = 0) -> Found:
    """Whether entries travel encrypted to every destination."""
    urls = (*subject.urls, *subject.feeds)
    if not urls:
        return unseen("no destination is known here, so nothing is seen on the way")
    return joined([_protected(subject, url) for url in urls])


def _protected(subject: Subject, url: str) -> Found:
    scheme, where = url.partition("://")[0].lower(), shown(url)
    try:
        if scheme in ("postgresql", "postgres"):
            return _postgres(subject, url)
        if scheme == "s3":
            from chained_logging.ship.s3.store import ObjectStore

            return _judged(where, ObjectStore(url).endpoint())
        return _judged(where, where)
    except UNSEEABLE as problem:
        return unseen(f"{where} could not be asked: {problem}")


def _judged(where: str, endpoint: str) -> Found:
    parts = urlsplit(endpoint)
    seen = saw("the address", where, f"{parts.scheme}://{parts.hostname}")
    if parts.scheme in _ENCRYPTED:
        return met(f"{where} is reached over TLS", seen)
    if is_here(parts.hostname):
        return met(f"{where} is on this machine", seen)
    return not_met(f"{where} is reached without TLS", f"use TLS to reach {where}", seen)


def _postgres(subject: Subject, url: str) -> Found:
    from chained_logging.ship.postgres import PostgresDestination

    where = shown(url)
    with subject.opened(url) as store:
        assert isinstance(store, PostgresDestination)  # noqa: S101 -- for the type checker
        ((ssl,),) = store.session.rows("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    mode = parse_qs(urlsplit(url).query).get("sslmode", ["prefer"])[-1]
    seen = (saw("the connection is encrypted", where, ssl), saw("sslmode", where, mode))
    host = urlsplit(url).hostname
    if host is None or is_here(host):
        return met(f"{where} is on this machine", *seen)
    if not ssl or mode not in ("verify-ca", "verify-full"):
        return not_met(
            f"{where} could be answered by another server",
            "add ?sslmode=verify-full&sslrootcert=FILE to its URL",
            *seen,
        )
    return met(f"{where} is reached over TLS, and its certificate is checked", *seen)


_ENCRYPTED: Final = frozenset({"https", "tls", "syslog+tls", "otlp+https"})


def is_here(host: str | None) -> bool:
    """Whether a host is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
