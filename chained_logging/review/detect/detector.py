"""The detector that runs rules over a log."""

from __future__ import annotations

import datetime as dt
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from chained_logging.review.detect.bench import Bench, RuleError
from chained_logging.review.detect.finding import SHOWN, Finding
from chained_logging.review.detect.reading import Entry, entries
from chained_logging.review.detect.rule import SUBJECT, Rule, needed, shipped
from chained_logging.review.detect.windows import Match, Windows
from chained_logging.review.query import Engine
from chained_logging.text import printable

BATCH: Final = 5_000
"""Entries that are tried at a time."""
CONTEXT: Final = 5_000
"""Entries before the new ones that are looked at for correlations, at most."""
APART: Final = 3_600
"""Seconds after which a match of the same rule, about the same subject, is a finding of its own."""
_SHORT: Final = 200  # characters of a value in a sentence
EVERYBODY: Final = "everybody"
"""The subject of a correlation that has no group."""


class RuleDetector:
    """Looks for entries that fit rules: a :class:`~chained_logging.review.detect.finding.Detector`.

    It keeps what correlations need from one call to the next. Where a call does not go on where
    the one before ended, it reads the entries before again.

    :param rules: those to run; those of the package if None.
    :param name: what messages call it, and its position is kept under.
    :raises RuleError: if a rule is over one that is not there, or they ask for too many fields.
    """

    def __init__(self, rules: Iterable[Rule] | None = None, *, name: str = "rules") -> None:
        self.name = name
        self._rules = list(shipped() if rules is None else rules)
        self._bench = _bench(self._rules)
        self._over = _parts(self._rules)
        self._reached: int | None = None
        self._windows: dict[str, Windows] = {}

    def findings(self, log: Engine, after: int, upto: int) -> Iterator[Finding]:
        """Yield what fits a rule among the entries with ``after < seq <= upto``."""
        if self._reached != after:
            self._begin(log, after, upto)
        self._reached = None  # until all is read
        found = _Found()
        self._try(entries(log, after, upto), found)
        self._reached = upto
        yield from found.all()

    def _begin(self, log: Engine, after: int, upto: int) -> None:
        """Bring the correlations to where they would be had all before been read by this object."""
        self._windows = {r.name: Windows(r.correlation) for r in self._rules if r.correlation}
        if self._windows and upto > after:
            self._try(entries(log, max(-1, after - CONTEXT), after), None)

    def _try(self, read: Iterator[Entry], found: _Found | None) -> None:
        """Try all rules on some entries.

        :param found: takes the findings; None where the entries are only context.
        """
        batch: list[Entry] = []
        while batch := batch or list(itertools.islice(read, BATCH)):
            tried = self._bench.put(batch)
            self._try_bench(batch[tried - 1].seq, found)
            batch = batch[tried:]

    def _try_bench(self, last: int, found: _Found | None) -> None:
        """Try all rules on the entries on the bench, of which `last` is the last one."""
        fitting = [
            (at, seq, number, timestamp)
            for number, rule in enumerate(self._rules)
            if rule.sql is not None and (found is not None or rule.name in self._over)
            for seq in self._fitting(rule)
            for at, timestamp in (self._moment(seq),)
        ]
        for at, seq, number, timestamp in sorted(fitting):
            match = Match((seq,), at, timestamp, timestamp)
            self._take(self._rules[number], match, seq, found)
        # One entry whose clock is ahead makes nothing old.
        latest = min(self._moment(last)[0], time.time())
        for windows in self._windows.values():
            windows.forget(latest)

    def _moment(self, seq: int) -> tuple[float, str]:
        """Return when an entry was, in seconds of Unix time and as it says."""
        return _moment(self._bench.value(seq, "timestamp") or "")

    def _fitting(self, rule: Rule) -> list[int]:
        try:
            return self._bench.fitting(rule.sql or "0")
        except RuleError as problem:
            raise RuleError(f"the rule {rule.name} {problem}") from None

    def _take(self, rule: Rule, match: Match, seq: int, found: _Found | None) -> None:
        """Take a match of a rule, whose last entry is on the bench.

        :param seq: of that entry.
        """
        if found is not None and rule.raises:
            found.add(rule, self._subject(rule, seq), match, lambda: self._shown(seq))
        for over, number in self._over.get(rule.name, ()):
            part = over.correlation.parts[number]  # type: ignore[union-attr]  # it is over parts
            group = tuple([(self._bench.value(seq, name) or "").lower() for name in part.group])
            value = self._bench.value(seq, part.value) if part.value else ""
            if "" in group or value is None:
                continue
            made = self._windows[over.name].add(group, number, match, value.lower())
            if made is not None:
                self._take(over, made, seq, found)

    def _subject(self, rule: Rule, seq: int) -> str:
        fields = rule.correlation.parts[0].group if rule.correlation else (SUBJECT,)
        return ", ".join(self._bench.value(seq, name) or "unknown" for name in fields) or EVERYBODY

    def _shown(self, seq: int) -> str:
        """Return what an entry says, in words."""
        action, kind, id, ip = (_short(self._bench.value(seq, name)) for name in _SHOWN_FIELDS)
        return f"{action} of {kind}/{id}" + (f" from {ip}" if ip else "")


_SHOWN_FIELDS: Final = ("action", "resource_type", "resource_id", "ip_address")


class _Gathered(NamedTuple):
    """Matches that make one finding."""

    rule: Rule
    shown: str
    seqs: set[int]
    times: list[str]  # the earliest and the latest
    at: float

    def finding(self, subject: str) -> Finding:
        entries = tuple(sorted(self.seqs)[:SHOWN])
        many = f", {len(self.seqs)} entries" if len(self.seqs) > 1 else ""
        sentence = f"{self.rule.why} {_short(subject)}: {self.shown}{many}."
        return Finding(
            *(self.rule.name, self.rule.severity, subject, entries, len(self.seqs)),
            *(*self.times, sentence),
        )


class _Found:
    """Gathers matches of one rule about one subject that are near each other into one finding."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], _Gathered] = {}
        self._closed: list[Finding] = []

    def add(self, rule: Rule, subject: str, match: Match, shown: Callable[[], str]) -> None:
        key = rule.name, subject
        gathered = self._open.get(key)
        if gathered is not None and abs(match.at - gathered.at) > APART:
            self._closed.append(gathered.finding(subject))
            gathered = None
        if gathered is None:
            gathered = _Gathered(rule, shown(), set(), [match.first, match.last], match.at)
        gathered.seqs.update(match.seqs)
        gathered.times[:] = min(gathered.times[0], match.first), max(gathered.times[1], match.last)
        self._open[key] = gathered._replace(at=match.at)

    def all(self) -> list[Finding]:
        """Return all findings, in the order of time."""
        still = [gathered.finding(subject) for (_, subject), gathered in self._open.items()]
        return sorted([*self._closed, *still], key=lambda found: (found.first, found.entries))


def _bench(rules: list[Rule]) -> Bench:
    """Return the bench on which rules are tried."""
    conditions = [rule for rule in rules if rule.sql is not None]
    needs = tuple(need for rule in conditions for need in rule.needs)
    names = {*needed(rules), *dict(needs), "timestamp", *_SHOWN_FIELDS}
    of_all = {field for rule in conditions if not rule.needs for field in rule.fields}
    return Bench(names, needs, of_all)


Over = dict[str, list[tuple[Rule, int]]]


def _parts(rules: list[Rule]) -> Over:
    """Return the correlations that each rule is a part of, and which part."""
    found: Over = {}
    known: set[str] = set()
    for rule in rules:
        for number, part in enumerate(rule.correlation.parts if rule.correlation else ()):
            if part.rule not in known:
                raise RuleError(
                    f"the rule {rule.name} must come after {part.rule}, which it is over"
                )
            found.setdefault(part.rule, []).append((rule, number))
        known.add(rule.name)
    return found


@lru_cache(maxsize=4096)  # several rules fit one entry
def _moment(timestamp: str) -> tuple[float, str]:
    try:
        return dt.datetime.fromisoformat(timestamp).timestamp(), timestamp
    except ValueError:
        return 0.0, timestamp


def _short(text: str | None) -> str:
    text = printable(text or "")
    return text if len(text) <= _SHORT else text[:_SHORT] + "…"
