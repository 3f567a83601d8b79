"""RE2's expressions, for programs that fork.

RE2 builds its automata while it searches, under locks of its own, and lets go of Python's
interpreter lock meanwhile. A child that is forked while another thread searches has these locks as
they were, and nobody to open them: its first search would wait for ever. So a child compiles its
expressions anew.
"""

from __future__ import annotations

import functools
import os
from typing import Any, Final
from weakref import WeakSet

import re2

_METHODS: Final = ("search", "match", "fullmatch", "finditer", "sub")


class Expression:
    """An expression of RE2, with the methods that :mod:`re` has.

    :raises re2.error: for what RE2 does not take: a back-reference, a look-around.
    """

    search: Any
    match: Any
    fullmatch: Any
    finditer: Any
    sub: Any

    def __init__(self, pattern: str | bytes, options: Any) -> None:
        self._pattern = pattern
        self._options = options
        self._compile()
        _expressions.add(self)

    def _compile(self) -> None:
        made = re2.compile(self._pattern, self._options)
        for name in _METHODS:  # bound once: a search costs no more than RE2's own
            setattr(self, name, getattr(made, name))

    def _forget(self) -> None:
        """Compile at the next use: a child that never searches need not wait for it."""
        _abandoned.append(self.search)
        for name in _METHODS:
            setattr(self, name, functools.partial(self._first, name))

    def _first(self, name: str, *arguments: Any, **options: Any) -> Any:
        self._compile()
        return getattr(self, name)(*arguments, **options)


_expressions: WeakSet[Expression] = WeakSet()
_abandoned: list[Any] = []  # never taken down: a lock in them may be closed


def _after_fork_in_child() -> None:
    for expression in list(_expressions):
        expression._forget()
    re2.purge()  # its cache would give back what was just left


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
