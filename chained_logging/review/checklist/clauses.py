"""Clauses of standards, and the probes that each needs. ``clauses.toml`` has them."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Final, NamedTuple

NAMES: Final = ("hipaa", "pci", "soc2", "gdpr", "iso27001")


class Clause(NamedTuple):
    """A clause.

    :ivar clause: its number, as the standard has it.
    :ivar quote: what it says, word for word and in short; `…` is left out.
    :ivar probes: the probes that it needs, as for a point.
    :ivar gives: what an audit log gives.
    :ivar yours: what stays the reader's own duty.
    :ivar beyond: what of it nobody can see from a log; None if a log shows all of it.
    """

    clause: str
    quote: str
    probes: tuple[str, ...]
    gives: str
    yours: str
    beyond: str | None


class Standard(NamedTuple):
    """A standard.

    :ivar full: its name with its edition.
    :ivar days: for how many days entries are kept; 0 if it names no period.
    :ivar review: the most days between two reviews.
    """

    name: str
    title: str
    full: str
    days: int
    review: int
    clauses: tuple[Clause, ...]


@cache
def standard(name: str) -> Standard:
    """Return a standard.

    :param name: of :data:`NAMES`.
    :raises ValueError: if there is no such standard.
    """
    if name not in NAMES:
        raise ValueError(f"there is no standard {name!r}: use {', '.join(NAMES)}")
    import tomllib  # here, since each command imports the names

    text = resources.files(__package__).joinpath("clauses.toml").read_text(encoding="utf-8")
    found = tomllib.loads(text)[name]
    clauses = tuple(
        Clause(
            given["clause"],
            given["quote"],
            tuple(given["probes"]),
            given["gives"],
            given["yours"],
            given.get("beyond"),
        )
        for given in found["clauses"]
    )
    return Standard(name, found["title"], found["name"], found["days"], found["review"], clauses)
