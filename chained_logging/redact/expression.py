"""RE2's expressions, for programs that fork.

RE2 builds its automata while it searches, under its own locks, and releases Python's interpreter
lock meanwhile. A child that is forked while another thread searches inherits these locks closed,
with nobody to open them: its first search would wait forever. So a fork waits until no thread
searches. If it cannot (C code forks without notice, or a search takes long), the child compiles its
expressions again. Then only the locks that all expressions share are left.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import Any, Final
from weakref import WeakSet

import re2

Spans = Sequence[tuple[int, int]]
"""Where a match begins and ends, then each of its groups; -1 and -1 of one that matched nothing."""

_NOWHERE: Final = (-1, -1)
_METHODS: Final = ("search", "finditer", "sub")
_PATIENCE: Final = 0.5
"""Seconds that a fork and a search wait for one another: either may hold a lock the other needs."""
_PAUSE: Final = 0.0005


class Expression:
    """An expression of RE2, with methods that :mod:`re` has, and quicker ones for bytes.

    :raises re2.error: for what RE2 does not take: a back-reference, a look-around.
    """

    _search: Callable[..., Any]
    _finditer: Callable[..., Any]
    _sub: Callable[..., Any]
    _locate: Callable[[bytes, int, int], Spans]

    def __init__(self, pattern: str | bytes, options: Any) -> None:
        self._pattern = pattern
        self._options = options
        self._compile()
        _expressions.add(self)

    def search(self, *where: Any) -> Any:
        """Find the first match: in a text, from a position, up to a position."""
        return self._guarded(self._search, *where)

    def sub(self, *where: Any) -> Any:
        """Replace each match by a text, or by what a function returns for it."""
        return self._guarded(self._sub, *where)

    def finditer(self, *where: Any) -> Iterator[Any]:
        """Find one match after another."""
        found = self._finditer(*where)
        while (match := self._guarded(next, found, None)) is not None:
            yield match

    def find(self, data: bytes, at: int = 0) -> Spans | None:
        """Find the first match in bytes, from a position; return where it and its groups are."""
        _inside.add(token := object())  # as _guarded, without the call: each event is searched
        try:
            if _gate.locked():
                _wait(token)
            found: Spans = self._locate(data, at, len(data))
            return None if found[0] == _NOWHERE else found
        finally:
            _inside.discard(token)

    def each(self, data: bytes) -> Iterator[Spans]:
        """Find one match after another in bytes. None may be empty."""
        at = 0
        while (found := self.find(data, at)) is not None:
            yield found
            at = found[0][1]

    @staticmethod
    def _guarded(function: Callable[..., Any], *arguments: Any) -> Any:
        _inside.add(token := object())
        try:
            if _gate.locked():
                _wait(token)
            return function(*arguments)
        finally:
            _inside.discard(token)

    def _compile(self) -> None:
        made = re2.compile(self._pattern, self._options)
        for name in _METHODS:
            setattr(self, f"_{name}", getattr(made, name))
        self._locate = _finder(made)

    def _forget(self) -> None:
        """Compile at the next use: a child that never searches need not wait for it."""
        _abandoned.append(self._search)
        for name in _METHODS:
            setattr(self, f"_{name}", functools.partial(self._first, name))
        self._locate = functools.partial(self._first, "locate")

    def _first(self, name: str, *arguments: Any) -> Any:
        self._compile()
        return getattr(self, f"_{name}")(*arguments)


def _finder(made: Any) -> Callable[[bytes, int, int], Spans]:
    """Return a function that searches bytes from one position to another.

    google-re2 makes a generator and a match object for each search, which takes longer than most
    searches. So this calls what its wrapper calls, which is not documented, and the wrapper itself
    if a release changes that.
    """
    try:
        find = functools.partial(made._regexp.Match, re2._Anchor.UNANCHORED)
        (_, _), *_ = find(b"", 0, 0)
    except (AttributeError, TypeError, ValueError):
        return functools.partial(_found, made)
    return find


def _found(made: Any, data: bytes, at: int, end: int) -> Spans:
    found = made.search(data, at, end)
    return [found.span(group) for group in range(made.groups + 1)] if found else [_NOWHERE]


_expressions: WeakSet[Expression] = WeakSet()
_abandoned: list[Any] = []  # never taken down: a lock in them may be closed

# Who searches now. A search first says so and then looks at the gate, a fork first closes the gate
# and then looks who is inside: so that one of the two always sees the other.
_inside: set[object] = set()
_gate = Lock()  # closed while a thread forks


def _wait(token: object) -> None:
    """Stay outside until the fork is over, or for so long that it may be waiting for us."""
    deadline = time.monotonic() + _PATIENCE
    while _gate.locked() and time.monotonic() < deadline:
        _inside.discard(token)
        time.sleep(_PAUSE)
        _inside.add(token)


def _before_fork() -> None:
    _gate.acquire()  # several threads may fork
    deadline = time.monotonic() + _PATIENCE
    while _inside and time.monotonic() < deadline:
        time.sleep(_PAUSE)


def _after_fork_in_parent() -> None:
    _gate.release()


def _after_fork_in_child() -> None:
    global _gate
    quiet = _gate.locked() and not _inside
    _gate = Lock()
    _inside.clear()
    if not quiet:
        for expression in list(_expressions):
            expression._forget()
        re2.purge()  # its cache would give back what was just left


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
