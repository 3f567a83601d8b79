"""Standards, and which of their clauses a report says something about."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Final, NamedTuple

NAMES: Final = ("soc2", "hipaa", "pci", "gdpr")


class Clause(NamedTuple):
    """A clause, in the words of ``docs/compliance.md``.

    :ivar asks: what it asks.
    :ivar gives: what an audit log gives.
    :ivar yours: what stays the reader's own duty.
    :ivar shown: the sections of a report that show what is given. None may.
    """

    clause: str
    asks: str
    gives: str
    yours: str
    shown: tuple[str, ...]


class Standard(NamedTuple):
    """A standard.

    :ivar title: such as ``SOC 2``.
    :ivar full: with its edition.
    """

    title: str
    full: str
    clauses: tuple[Clause, ...]

    def shown_in(self, section: str) -> Iterator[Clause]:
        """Yield the clauses that a section of a report says something about."""
        return (clause for clause in self.clauses if section in clause.shown)


@cache
def standard(name: str) -> Standard:
    """Return a standard.

    :param name: of :data:`NAMES`.
    :raises ValueError: if there is no such standard.
    """
    if name not in NAMES:
        raise ValueError(f"there is no standard {name!r}: use {', '.join(NAMES)}")
    import tomllib  # here, since each command imports the names

    text = resources.files(__package__).joinpath("standards.toml").read_text(encoding="utf-8")
    found = tomllib.loads(text)[name]
    clauses = [Clause(**{**given, "shown": tuple(given["shown"])}) for given in found["clauses"]]
    return Standard(found["title"], found["name"], tuple(clauses))
