"""From a filter to SQL over a log's own database. Values are parameters, never a part of the text.

A *condition* says of an entry whether it fits, by its body alone. A *driver* finds by an index the
entries that may fit. A *trace* is what a body must hold so that it may.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import orjson

from chained_logging.review import names
from chained_logging.review.conditions import FOUND
from chained_logging.review.filter import COLUMNS, Filter
from chained_logging.review.terms import Term, terms

Values = dict[str, Any]

_INDEXED: Final = {"actor": "actor_id", "action": "action"}
"""The fields of a filter that have an index of their own, and its column."""
_COVERED: Final = {"actor_id", "action", "timestamp", "resource_type"}
"""The columns whose values SQLite can read from an index alone."""
_RANGES: Final = {
    "since": "timestamp >= :since",
    "until": "timestamp < :until",
    "first_seq": "seq >= :first_seq",
    "last_seq": "seq <= :last_seq",
}
_OWN: Final = ("resource_type", "resource_id")
_LISTED: Final = ("json_extract(one.value, '$.type')", "json_extract(one.value, '$.id')")
_ALL_TIMES: Final = "timestamp >= ''"  # has SQLite read the index, which is a tenth of the log


def selected(
    where: Iterable[str],
    source: str = "entries NOT INDEXED",
    columns: Sequence[str] = FOUND,
) -> str:
    """Return the query of the entries of which all this is true."""
    every = " AND ".join(where) or "true"
    return f"SELECT {', '.join(columns)} FROM {source} WHERE {every}"  # noqa: S608 -- from here


def is_searched(wanted: Filter) -> bool:
    """Whether bodies must be searched: for words, or for parameters of requests."""
    return bool(wanted.text) or any(term.of == "parameter" for term in _resources(wanted))


def conditions(wanted: Filter, values: Values) -> Iterator[str]:
    """Yield what must be true of an entry, but for what :func:`is_searched` is about.

    :param values: takes the parameters, by their names.
    """
    for name, condition in _RANGES.items():
        value = getattr(wanted, name)
        if value is not None:
            values[name] = value
            yield condition
    for name, column in COLUMNS.items():
        if getattr(wanted, name):
            yield _among(column, name, getattr(wanted, name), values)
    if wanted.changed:
        changed = _among("name.value", "changed", wanted.changed, values)
        names_in = "json_each(entries.body, '$.changed_fields') AS name"
        yield f"changed_fields IS NOT NULL AND EXISTS (SELECT 1 FROM {names_in} WHERE {changed})"  # noqa: S608
    if wanted.incomplete:
        yield "json_type(body, '$.context.invalid') IS NOT NULL"
    if wanted.resource and not is_searched(Filter(resource=wanted.resource)):
        own = _either(_is_record(term, _OWN, values) for term in _resources(wanted))
        listed = _either(_is_record(term, _LISTED, values) for term in _resources(wanted))
        records = "json_each(entries.body, '$.resources') AS one"
        among = f"EXISTS (SELECT 1 FROM {records} WHERE {listed})"  # noqa: S608
        yield f"({own} OR resources IS NOT NULL AND {among})"


def traces(wanted: Filter, values: Values) -> Iterator[str]:
    """Yield what a body must hold if an entry may fit what :func:`is_searched` is about."""
    if wanted.text:
        yield _either(
            " AND ".join(_has_word(forms, f"text_{n}_{m}", values) for m, (forms, _) in words)
            for n, text in enumerate(wanted.text)
            for words in [list(enumerate(names.asked(text)))]
        )
    found = list(_resources(wanted))
    if any(term.of == "parameter" for term in found):
        values["params"] = '"params":'
        ids = [term.value for term in found if term.of == "parameter"]
        held = []
        for number, id in enumerate(ids):
            values[f"held_{number}"] = _literal(id)
            held.append(f"instr(body, :held_{number})")
        records = _of_resources(wanted, values)
        yield f"(({_either(held)} AND instr(body, :params)) OR seq IN ({records}))"


def drivers(wanted: Filter, values: Values) -> Iterator[str]:
    """Yield queries for ``seq``, each by an index, and each of all entries that may fit."""
    for name, column in _INDEXED.items():
        if getattr(wanted, name):
            among = _among(column, name, getattr(wanted, name), values)
            yield f"SELECT seq FROM entries INDEXED BY entries_{column} WHERE {among}"  # noqa: S608
    if wanted.since is not None or wanted.until is not None:
        yield _in_time("seq", wanted)
    if wanted.resource and not is_searched(Filter(resource=wanted.resource)):
        yield _of_resources(wanted, values)


def span(wanted: Filter) -> str | None:
    """Return the query of the first and the last ``seq`` in a period; None without one."""
    if wanted.since is None and wanted.until is None:
        return None
    return _in_time("min(seq), max(seq)", wanted)


def covered(wanted: Filter, reads: Sequence[str] | None) -> str | None:
    """Return the query of what a filter finds where one index holds all that is asked.

    :param reads: the columns that are read; None for any.
    """
    given = [name for name, value in vars(wanted).items() if value not in ((), None, False)]
    given = [name for name in given if name not in ("first_seq", "last_seq")]
    if reads is None or not set(given) <= {*_INDEXED, "since", "until"}:
        return None
    columns = {_INDEXED.get(name, "timestamp") for name in given} | {*reads} - {"seq"}
    in_order = not given or (given[0] in _INDEXED and len(getattr(wanted, given[0])) == 1)
    if len(columns) > 1 or not columns <= _COVERED or ("seq" in reads and not in_order):
        return None
    where = list(conditions(wanted, {}))
    if columns == {"timestamp"} and not given:
        where.append(_ALL_TIMES)
    return selected(where, "entries")


def _in_time(columns: str, wanted: Filter) -> str:
    limits = [_RANGES[name] for name in ("since", "until") if getattr(wanted, name) is not None]
    source = "entries INDEXED BY entries_timestamp"
    return f"SELECT {columns} FROM {source} WHERE {' AND '.join(limits)}"  # noqa: S608


def _of_resources(wanted: Filter, values: Values) -> str:
    own = "SELECT seq FROM entries INDEXED BY entries_resource_type_resource_id WHERE "
    listed = "SELECT seq FROM resources WHERE "
    return " UNION ALL ".join(
        query + _is_record(term, columns, values)
        for term in _resources(wanted)
        if term.of != "parameter"
        for query, columns in ((own, _OWN), (listed, ("type", "id")))
    )


def _resources(wanted: Filter) -> Iterator[Term]:
    """Yield the terms of which an entry must have one, so that it is about a resource."""
    for choice in terms(Filter(resource=wanted.resource)):
        yield from (term for (term,) in choice if isinstance(term, Term))


def _is_record(term: Term, columns: Sequence[str], values: Values) -> str:
    kind, id = columns
    if term.of == "type":
        return _equal(kind, term.value, values)
    if term.of == "record_id":
        return _equal(id, term.value, values)
    return f"({_equal(kind, term.kind, values)} AND {_equal(id, term.value, values)})"


def _equal(column: str, text: str, values: Values) -> str:
    stored = _storable(text)
    name = next(
        (name for name, value in values.items() if name.startswith("is_") and value == stored), ""
    )
    if not name:
        name = f"is_{len(values)}"
        values[name] = stored
    return f"{column} = :{name}"


def _among(column: str, name: str, given: Iterable[str], values: Values) -> str:
    marks = []
    for number, text in enumerate(given):
        values[f"{name}_{number}"] = _storable(text)
        marks.append(f":{name}_{number}")
    return f"{column} IN ({', '.join(marks)})"


def _has_word(forms: Iterable[str], name: str, values: Values) -> str:
    marks = []
    for number, form in enumerate(forms):
        values[f"{name}_{number}"] = f"%{form}%"  # a word has no % and no _
        marks.append(f"body LIKE :{name}_{number}")
    return _either(marks)


def _either(parts: Iterable[str]) -> str:
    return "(" + " OR ".join(parts) + ")"


def _storable(text: str) -> str | None:
    """Return a text; None, which fits nothing, for one with a lone surrogate, which no log has."""
    return text if text.isascii() or text.encode("utf-8", "ignore").decode() == text else None


def _literal(text: str) -> str | None:
    """Return a text as it is in a body, between quotation marks."""
    stored = _storable(text)
    return None if stored is None else orjson.dumps(stored).decode()
