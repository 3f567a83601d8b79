"""What a checklist is about: a log, what is configured for it, and the stores that hold it."""

from __future__ import annotations

import datetime as dt
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chained_logging import config
from chained_logging.errors import ChainedLoggingError
from chained_logging.event.entry import AuditEntry
from chained_logging.event.values import timestamp_text
from chained_logging.format.vkey import VerifierKey
from chained_logging.net.urls import shown
from chained_logging.review.archive.moved import LastMoved, last_moved
from chained_logging.review.filter import Filter
from chained_logging.review.opening import is_url, named, open_log
from chained_logging.review.overview import origin_of
from chained_logging.review.period import instant
from chained_logging.review.query import Engine
from chained_logging.review.retention.policies import Policy, policies_from
from chained_logging.review.verdict import Evidence, Verdict, judge
from chained_logging.ship import Destination, open_destination
from chained_logging.ship.feeds import FEEDS
from chained_logging.ship.progress import Progress, read_all_progress

UNSEEABLE = (ChainedLoggingError, OSError, ValueError, ImportError)
"""What is raised where something cannot be looked at."""


@dataclass(frozen=True)
class Subject:
    """What is looked at. What it reads, it reads once.

    :param log: the path of a log, or the URL of a central store.
    :param origin: the name of the log, where a store holds several.
    :param stores: URLs of further stores that hold the log.
    :param evidence: what is known from outside the log.
    """

    log: str
    origin: str | None = None
    stores: tuple[str, ...] = ()
    evidence: Evidence = field(default_factory=Evidence)

    # --- The log.

    @property
    def name(self) -> str:
        """What the log is called: no folder, and nothing secret of a URL."""
        return named(self.log)

    @property
    def given(self) -> str:
        """The log as commands take it, and nothing secret of a URL."""
        return shown(self.log) if is_url(self.log) else shlex.quote(self.log)

    @property
    def path(self) -> Path | None:
        """The log's path; None if it is looked at in a central store."""
        return None if is_url(self.log) else Path(os.path.realpath(self.log))

    @property
    def written_here(self) -> Path | None:
        """The log's path, if programs write to it on this machine; None for a copy."""
        path = self.path
        return path if path is not None and os.path.exists(f"{path}.lock") else None

    @cached_property
    def engine(self) -> Engine:
        """The log, to be asked.

        :raises: as :func:`chained_logging.review.opening.open_log`.
        """
        return open_log(self.log, origin=self.origin)

    def close(self) -> None:
        """Close what is open."""
        if "engine" in self.__dict__:
            self.engine.close()

    @cached_property
    def verdict(self) -> Verdict:
        """What the verifier says, given also the checkpoints that stores hold.

        :raises: as :func:`chained_logging.review.verdict.judge`.
        """
        with TemporaryDirectory() as folder:
            files = list(self.evidence.checkpoints)
            for number, note in enumerate(self.kept_checkpoints.values()):
                file = Path(folder, f"{number}")
                file.write_text(note, encoding="utf-8")
                files.append(str(file))
            return judge(
                self.log, origin=self.origin, evidence=replace(self.evidence, checkpoints=files)
            )

    @cached_property
    def log_origin(self) -> str:
        """The log's own name.

        :raises ValueError: if it does not say it.
        """
        if self.origin is not None:
            return self.origin
        found = origin_of(self.engine)
        if found is None:
            raise ValueError("no entry of the log's own names its origin")
        return found

    @cached_property
    def archived(self) -> LastMoved | None:
        """Up to where the log was moved to an archive, if the verifier accepts what it says."""
        moved = last_moved(self.engine)
        return moved if moved is not None and self.verdict.intact else None

    def entry(self, seq: int) -> AuditEntry | None:
        """Return an entry; None if the log does not have it."""
        found = self.engine.entries(Filter(first_seq=seq, last_seq=seq), limit=1).entries
        return found[0] if found else None

    def age_of(self, seq: int) -> dt.timedelta | None:
        """Return how long ago the event of an entry was; None if the log does not have it."""
        entry = self.entry(seq)
        return None if entry is None else age(entry.timestamp)

    # --- What is configured.

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """The settings of this log; empty if the configuration is about another one.

        :raises ConfigError: if they cannot be read.
        """
        settings = config.load()
        known = settings.get("log")
        ours = self.path is not None and known is not None and same_file(known, self.path)
        return settings | config.reading() if ours else {}

    @cached_property
    def policies(self) -> list[Policy]:
        """The retention policies of this log.

        :raises ConfigError: if one is not valid.
        """
        return policies_from(config.retention()) if self.settings else []

    @cached_property
    def reviewer_keys(self) -> list[VerifierKey]:
        """The keys of the people who review this log.

        :raises ConfigError: if the configuration cannot be read.
        :raises ValueError: if one is not a key.
        """
        keys = config.reviewing().get("keys", ()) if self.settings else ()
        return [VerifierKey.parse(key) for key in keys]

    # --- Stores.

    @cached_property
    def urls(self) -> tuple[str, ...]:
        """The URLs of all stores that can be asked: given, configured, or the log itself."""
        itself = (self.log,) if is_url(self.log) else ()
        every = dict.fromkeys((*itself, *self.stores, *self.settings.get("ship", ())))
        return tuple(url for url in every if not is_feed(url))

    @cached_property
    def feeds(self) -> tuple[str, ...]:
        """The URLs of configured receivers that cannot be asked what they hold."""
        return tuple(url for url in self.settings.get("ship", ()) if is_feed(url))

    @cached_property
    def progress(self) -> list[Progress]:
        """How far the log came, by the shipper's own account.

        :raises: as :func:`chained_logging.ship.progress.read_all_progress`.
        """
        return [] if self.path is None else read_all_progress(self.path)

    @contextmanager
    def opened(self, url: str) -> Iterator[Destination]:
        """Open a store, and close it afterwards."""
        with closing(open_destination(url)) as destination:
            yield destination

    @cached_property
    def kept_checkpoints(self) -> dict[str, str]:
        """The newest checkpoint that each store holds of the log, by the store's name."""
        found = {}
        for url in () if is_url(self.log) else self.urls:
            try:
                with self.opened(url) as store:
                    *_, newest = store.checkpoints(self.log_origin)
                    found[store.name] = newest.note
            except UNSEEABLE:  # the probe of the store says why
                continue
        return found


def is_feed(url: str) -> bool:
    """Whether a destination cannot be asked what it holds."""
    return url.partition("://")[0].lower() in FEEDS


def same_file(one: str, other: Path) -> bool:
    """Whether two paths name one file."""
    return os.path.realpath(one) == os.path.realpath(other)


def age(timestamp: str) -> dt.timedelta:
    """Return how long ago that was."""
    return dt.datetime.now(dt.UTC) - instant(timestamp)


def before(length: dt.timedelta) -> str:
    """Return the time so long ago, in the form of an entry's ``timestamp``."""
    return timestamp_text(dt.datetime.now(dt.UTC) - length)
