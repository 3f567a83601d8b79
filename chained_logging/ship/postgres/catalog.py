"""The catalog of a database, as a whole, compared with what ``schema.sql`` makes of it.

``catalog.txt`` is what ``catalog.sql`` returned from a database in which ``schema.sql`` was just
run. It is kept in the package and not in the database, where somebody who weakens the schema could
change the list too.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import cache
from importlib import resources
from typing import Final

from chained_logging.ship.postgres.connection import Session

_PARTITION: Final = re.compile(
    r"^table chained_logging\.entries_([0-9]{4})_(0[1-9]|1[0-2])$", re.MULTILINE
)
_DURABLE: Final = ("fsync", "full_page_writes")


def text(name: str) -> str:
    """Return a file of this package."""
    return (resources.files("chained_logging.ship.postgres") / name).read_text("utf-8")


def catalog(session: Session) -> dict[str, str]:
    """Return every object of the schema, and what else affects its answers (roles, settings, and
    additions to PostgreSQL's own catalog), each with its definition on one line."""
    return {
        name: definition.replace("\n", "\\n")
        for name, definition in session.rows(text("catalog.sql"))
    }


def weakened(session: Session) -> list[str]:
    """Return in sentences how the catalog differs from the one that init makes."""
    found = catalog(session)
    if "schema chained_logging" not in found:
        return ["the schema chained_logging is gone, or was not made"]
    expected = _expected(found)
    reasons = [f"{name} is gone" for name in expected if name not in found]
    for name, definition in sorted(found.items()):
        if name not in expected:
            reasons.append(f"{name} was added" + (f": {definition}" if definition else ""))
        elif definition != expected[name]:
            reasons.append(f"{name} was changed: it is {definition or 'without'}")
    for setting in _DURABLE:
        if session.rows(f"SHOW {setting}") != [("on",)]:
            reasons.append(f"the server runs with {setting} = off, and may forget at a crash")
    return reasons


@cache
def _made() -> dict[str, str]:
    return dict(line.split("\t", 1) for line in text("catalog.txt").splitlines())


def _expected(found: dict[str, str]) -> dict[str, str]:
    """Return what the catalog should hold, given which months are there.

    A month has what the default partition has, under its own name.
    """
    expected = dict(_made())
    default = {key: value for key, value in expected.items() if "entries_default" in key}
    for year, month in sorted(set(_PARTITION.findall("\n".join(found)))):
        first = dt.date(int(year), int(month), 1)
        after = (first + dt.timedelta(days=31)).replace(day=1)
        bound = f"FOR VALUES FROM ('{first} 00:00:00+00') TO ('{after} 00:00:00+00')"
        for key, value in default.items():
            name = f"entries_{year}_{month}"
            value = value.replace("entries_default", name)
            if key == "table chained_logging.entries_default":
                value = value.replace("DEFAULT", bound)
            expected[key.replace("entries_default", name)] = value
    return expected
