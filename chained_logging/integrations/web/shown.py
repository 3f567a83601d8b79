"""Lists that a request shows: the entry names each record in them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final, TypeVar

from chained_logging.event.records import parts
from chained_logging.integrations.web.exchange import Exchange, active_exchange

Records = TypeVar("Records")

LIMIT: Final = 10_000
"""Records that one request's entry names: some ten entries."""

_SKIPPED: Final = "resources_omitted"
_FAILED: Final = "resources_failed"


def shown(
    records: Records, *, type: str | None = None, id: str = "id", limit: int = LIMIT
) -> Records:
    """Name each record of a list in the entry of the request that this is called in.

    :param records: a list, a Django query or page, an iterator …: of objects with an identifier, or
        of anything that ``resource=`` takes. A query is read now, as the page that shows it would
        do, and keeps what it read. An iterator, also an asynchronous one, is not consumed: one is
        returned that names each record as it is read.
    :param type: the type of all of them. A record may then also be its id alone, or an object of
        JSON with the key `id`.
    :param id: that key.
    :param limit: how many records are named; the entry says in ``context.resources_omitted`` how
        many more there were.
    :returns: what was given, so you can wrap a list where you use it. Outside of a request it is
        returned unchanged.

    >>> return render(request, "patients.html", {"patients": shown(patients)})
    """
    exchange = active_exchange()
    if exchange is None:
        return records
    noted = _Noted(exchange, type, id, limit)
    given: Any = records
    if isinstance(given, Iterator):
        return noted.passing(given)  # type: ignore[return-value]
    if isinstance(given, AsyncIterator):
        return noted.passing_async(given)  # type: ignore[return-value]
    try:
        for record in given:
            noted.add(record)
    except Exception:  # a query in an event loop, say: the view finds out by itself
        exchange.context[_FAILED] = True
    return records


class _Noted:
    """Adds records to the entry of a request."""

    def __init__(self, exchange: Exchange, type: str | None, id: str, limit: int) -> None:
        self._exchange = exchange
        self._type = type
        self._id = id
        self._limit = limit

    def add(self, record: Any) -> None:
        exchange = self._exchange
        if exchange.done:
            return
        named = exchange.fields.get("resources")
        if type(named) is not list:
            named = exchange.fields["resources"] = []
        if len(named) >= self._limit:
            exchange.context[_SKIPPED] = exchange.context.get(_SKIPPED, 0) + 1
            return
        try:
            named.append(parts(self._typed(record)))
        except Exception:  # this record cannot be named
            exchange.context[_FAILED] = True

    def _typed(self, record: Any) -> Any:
        if self._type is None:
            return record
        return self._type, record.get(self._id) if isinstance(record, Mapping) else record

    def passing(self, records: Iterator[Any]) -> Iterator[Any]:
        for record in records:
            self.add(record)
            yield record

    async def passing_async(self, records: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for record in records:
            self.add(record)
            yield record
