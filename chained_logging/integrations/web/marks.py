"""``@audited`` for a view: names its resource and action instead of the route."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from chained_logging.integrations.web.exchange import running_exchange

View = TypeVar("View")


@dataclass(frozen=True)
class Audited:
    """What :func:`audited` returns."""

    resource_type: str
    id: str | None = None
    action: str | None = None

    def __call__(self, view: View) -> View:
        """Mark a view function. It is not wrapped, and stays what it was."""
        view.__audited__ = self  # type: ignore[attr-defined]
        return view

    async def dependency(self) -> None:
        """Mark the request that this is called in: for FastAPI's ``Depends``."""
        exchange = running_exchange()
        if exchange is not None:
            exchange.audited = self


def audited(resource_type: str, *, id: str | None = None, action: str | None = None) -> Audited:
    """Name the resource and the action of a view, instead of what its route says.

    A decorator, below that of the route; for FastAPI also a dependency,
    ``Depends(audited("patient_record", id="patient_id").dependency)``. It also holds for requests
    that never reach the view, such as denied ones.

    :param id: the name of the path parameter that is the resource's id; without it the resource
        is the whole collection, ``*``.
    :param action: instead of the one that the method stands for.

    >>> @app.get("/p/{patient_id}")
    ... @audited("patient_record", id="patient_id", action="read")
    ... def show(patient_id: str): ...
    """
    return Audited(resource_type, id, action)
