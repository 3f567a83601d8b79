"""The addresses of pages, and what an address asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, quote

from chained_logging.errors import ChainedLoggingError
from chained_logging.review.filter import ANY, Filter

CURSOR: Final = "before"
"""The parameter that says where the page before ended."""
_LOCAL: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?)?")
_MOST: Final = 300  # parameters


class Misasked(ChainedLoggingError, ValueError):
    """An address asks for what cannot be asked. The message says what must hold."""


class Asked(NamedTuple):
    """What an address asks for.

    :ivar cursor: where the page before ended; None for the first page.
    :ivar own: the parameters of the page itself.
    :ivar exact: whether the filter is written in the one form that it has.
    """

    wanted: Filter
    cursor: int | None
    own: Mapping[str, str]
    exact: bool


def asked(query: str, *own: str) -> Asked:
    """Return what the query of an address asks for. Fields of a form that are empty say nothing.

    :param own: names of parameters that belong to the page, not to the filter.
    :raises Misasked: if a name or a value is not one of a filter.
    """
    try:
        return _asked(query, own)
    except ValueError as problem:
        raise Misasked(str(problem)) from None


def _asked(query: str, own: tuple[str, ...]) -> Asked:
    pairs = parse_qsl(query, keep_blank_values=True, errors="replace", max_num_fields=_MOST)
    mine = {name: value for name, value in pairs if name in (CURSOR, *own)}
    given = [(name, value) for name, value in pairs if name not in mine]
    wanted = Filter.of(
        (name, _in_utc(value.strip()) if name in ("since", "until") else value)
        for name, value in given
        if value.strip()
    )
    cursor = mine.pop(CURSOR, "")
    if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 17):
        raise ValueError(f"{CURSOR} must be the number of an entry")
    return Asked(wanted, int(cursor) if cursor else None, mine, given == wanted.pairs())


def _in_utc(time: str) -> str:
    """Return a time with its zone: pages show all times in UTC, so that is what people mean."""
    return f"{time}Z" if _LOCAL.fullmatch(time) else time


class Links:
    """Makes addresses.

    :param root: the path that the viewer is mounted at.
    """

    def __init__(self, root: str = "") -> None:
        self._root = root.rstrip("/")

    def overview(self, since: str | None = None, until: str | None = None) -> str:
        """Return the address of the overview of a period."""
        given = {"since": since, "until": until}
        query = "&".join(f"{name}={quote(value)}" for name, value in given.items() if value)
        return f"{self._root}/{'?' if query else ''}{query}"

    def entries(self, wanted: Filter = ANY, cursor: int | None = None, form: str = "") -> str:
        """Return the address of the entries that a filter finds.

        :param form: of a file: ``.csv`` or ``.jsonl``.
        """
        return self._with(f"/entries{form}", wanted, cursor)

    def by(self, **fields: str | tuple[str, ...]) -> str:
        """Return the address of the entries with some values."""
        return self.entries(Filter(**fields))  # type: ignore[arg-type]

    def entry(self, seq: int, form: str = "") -> str:
        """Return the address of an entry, or of its proof."""
        return f"{self._root}/entry/{seq}{form}"

    def actor(self, id: str, cursor: int | None = None) -> str:
        """Return the address of all that an actor did."""
        return self._about("actor", id, cursor)

    def resource(self, name: str, cursor: int | None = None) -> str:
        """Return the address of all that was done to a resource."""
        return self._about("resource", name, cursor)

    def alerts(self, form: str = "") -> str:
        """Return the address of the alerts, or of their form."""
        return f"{self._root}/alerts{form}"

    def reviews(self, form: str = "") -> str:
        """Return the address of the reviews, or of one of their forms."""
        return f"{self._root}/reviews{form}"

    def static(self, name: str) -> str:
        """Return the address of a file."""
        return f"{self._root}/static/{name}"

    def _about(self, page: str, id: str, cursor: int | None) -> str:
        more = "" if cursor is None else f"&{CURSOR}={cursor}"
        return f"{self._root}/{page}?id={quote(id, safe='/:@', errors='replace')}{more}"

    def _with(self, path: str, wanted: Filter, cursor: int | None = None) -> str:
        query = [text for text in (str(wanted),) if text]
        if cursor is not None:
            query.append(f"{CURSOR}={cursor}")
        return f"{self._root}{path}{'?' if query else ''}{'&'.join(query)}"
