"""What central stores promise: that entries are only added, and that nothing can take them away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from chained_logging.net.urls import shown
from chained_logging.review.checklist.answer import Found, joined, met, not_met, saw, unseen
from chained_logging.review.checklist.subject import UNSEEABLE, Subject
from chained_logging.ship import Destination
from chained_logging.ship.fault import FOREIGN

_INIT: Final = "chained-logging init s3://BUCKET/PREFIX --retention PERIOD, and ship there"


def append_only(subject: Subject, _: int = 0) -> Found:
    """Whether each central store refuses to change and delete entries."""
    parts = [asked(subject, url, _refuses(subject, url)) for url in subject.urls]
    if not parts:
        return not_met(
            "no store but the log's own file holds it, and its owner can change that",
            "chained-logging init postgresql://… or s3://…, and ship there",
            saw("central stores", "the configuration, and --store", "none"),
        )
    return joined(parts)


def worm(subject: Subject, _: int = 0) -> Found:
    """Whether a store holds the log that nobody can delete from before the time is over."""
    buckets = [url for url in subject.urls if url.lower().startswith("s3://")]
    if not buckets:
        return not_met(
            "no store with Object Lock holds the log",
            _INIT,
            saw("stores of S3", "the configuration, and --store", "none"),
        )
    return joined([asked(subject, url, _locked(subject)) for url in buckets])


def who_reads(subject: Subject, _: int = 0) -> Found:
    """Who may read the log in central stores."""
    databases = [url for url in subject.urls if url.startswith(("postgresql://", "postgres://"))]
    if not databases:
        return unseen("no PostgreSQL store is known here; who may read elsewhere is not seen")
    return joined([asked(subject, url, _readers) for url in databases])


def asked(subject: Subject, url: str, look: Callable[[Destination], Found]) -> Found:
    """Return what is found in a store, or why it could not be asked."""
    try:
        with subject.opened(url) as store:
            return look(store)
    except UNSEEABLE as problem:
        return unseen(f"{shown(url)} could not be asked: {problem}")


def _refuses(subject: Subject, url: str) -> Callable[[Destination], Found]:
    def look(store: Destination) -> Found:
        scheme = url.partition("://")[0].lower()
        if scheme in ("postgresql", "postgres"):
            from chained_logging.review.checklist.probes.postgres import refuses_changes
            from chained_logging.ship.postgres import PostgresDestination

            assert isinstance(store, PostgresDestination)  # noqa: S101 -- for the type checker
            return refuses_changes(store, ships=url in subject.settings.get("ship", ()))
        return _locked(subject)(store) if scheme == "s3" else _inspected(subject, store)

    return look


def _locked(subject: Subject) -> Callable[[Destination], Found]:
    def look(store: Destination) -> Found:
        from chained_logging.review.checklist.probes.s3 import locked
        from chained_logging.ship.s3 import S3Destination

        assert isinstance(store, S3Destination)  # noqa: S101 -- for the type checker
        return locked(store, subject.log_origin)

    return look


def _readers(store: Destination) -> Found:
    from chained_logging.review.checklist.probes.postgres import readers
    from chained_logging.ship.postgres import PostgresDestination

    assert isinstance(store, PostgresDestination)  # noqa: S101 -- for the type checker
    return readers(store)


def _inspected(subject: Subject, store: Destination) -> Found:
    faults = [one.reason for one in store.inspect(subject.log_origin) if one.kind != FOREIGN]
    seen = saw("faults of the store", store.name, len(faults))
    if faults:
        verify = f"chained-logging verify {shown(store.name)}"
        return not_met(f"in {store.name}: {'; '.join(faults[:5])}", verify, seen)
    return met(f"{store.name} is as init makes it", seen)
