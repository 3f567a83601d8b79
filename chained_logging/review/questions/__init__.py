"""Questions that auditors ask, each as a file of SQL that an auditor can read.

A question selects from ``found``: the entries that a filter finds, with the columns
:data:`chained_logging.review.conditions.FOUND`. SQLite and PostgreSQL answer its SQL
alike. The lines at its top say what it asks, which field of a filter it ``needs``, and by which
filter the log is ``narrowed`` first, which only saves time.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Final, NamedTuple

from chained_logging.review.filter import Filter

NAMES: Final = (
    *("actor-activity", "resource-access", "failed-attempts", "logins", "exports"),
    *("admin-actions", "changes"),
)


class Question(NamedTuple):
    """A question, as its file has it.

    :ivar asks: what it asks, as a sentence.
    :ivar needs: the field of a filter that must be given; None if it is about all entries.
    :ivar narrowed: a filter that finds at least what the question is about.
    """

    name: str
    asks: str
    needs: str | None
    narrowed: Filter
    sql: str


@cache
def question(name: str) -> Question:
    """Return a question by its name.

    :raises ValueError: if no question has that name.
    """
    if name not in NAMES:
        raise ValueError(f"there is no question {name!r}: ask {', '.join(NAMES)}")
    text = resources.files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
    head, sql = text.split("\n\n", 1)
    asks, *more = (line.removeprefix("-- ") for line in head.splitlines())
    said = dict(line.split(": ", 1) for line in more)
    return Question(name, asks, said.get("needs"), Filter.parse(said.get("narrowed", "")), sql)


def narrowed(wanted: Filter, by: Filter) -> Filter:
    """Return a filter with what another one says of the fields that it leaves open."""
    given = {name: values for name, values in vars(by).items() if values and not vars(wanted)[name]}
    return wanted.narrowed(**given)
