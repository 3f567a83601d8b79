"""What a person may see of a log, and an engine that finds nothing else."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from chained_logging.errors import ChainedLoggingError
from chained_logging.event.entry import AuditEntry
from chained_logging.event.fields import FIELDS as ENTRY_FIELDS
from chained_logging.format.canonical import canonical
from chained_logging.review.filter import ANY, COLUMNS, Filter
from chained_logging.review.query import FACETS, Answer, Engine, Order, Page, Store

ALWAYS: Final = frozenset({"v", "seq", "id", "timestamp", "action", "result"})
"""The fields that everybody sees who sees an entry."""
FIELDS: Final = frozenset({*ENTRY_FIELDS, "context"}) | ALWAYS
"""All fields that :class:`Access` can name."""

_READ_BY: Final[Mapping[str, frozenset[str]]] = {
    **{name: frozenset({column}) for name, column in COLUMNS.items()},
    "resource": frozenset({"resource_type", "resource_id", "resources", "context"}),
    "changed": frozenset({"changed_fields"}),
    # context.invalid holds values of other fields, so a search of words reads them all.
    "text": FIELDS,
    "incomplete": frozenset({"context"}),
}
"""What the fields of a filter read of an entry."""


class Denied(ChainedLoggingError):
    """Somebody asks for what they may not see. The message says what that is."""


@dataclass(frozen=True)
class Access:
    """Who looks at a log, and what they may see.

    :ivar user: who it is; each reading is recorded under this name.
    :ivar tenants: the tenants whose entries they may see. None stands for all entries, also those
        of the log itself and others without a tenant.
    :ivar fields: the fields that they may see; None stands for all. :data:`ALWAYS` are among them.
        Without one of them, neither a hash nor a proof is shown: with either one, a hidden value
        can be guessed.
    :ivar reviews: whether they may begin and sign reviews and acknowledge alerts, if they see all
        of the log.
    :ivar reason: why they look, for the record.
    :ivar about: what else is to be recorded of them.
    :raises ValueError: if a field has another name, or there is no tenant.
    """

    user: str
    tenants: Collection[str] | None = None
    fields: Collection[str] | None = None
    reason: str | None = None
    about: Mapping[str, str] = field(default_factory=dict)
    reviews: bool = False

    def __post_init__(self) -> None:
        for name in ("tenants", "fields"):
            given = getattr(self, name)
            if isinstance(given, str):
                raise ValueError(f"{name} must be several names: [{given!r}]")
            object.__setattr__(self, name, None if given is None else frozenset(given))
        if self.tenants is not None and not self.tenants:
            raise ValueError("tenants must name one, or be None for all: refuse access instead")
        unknown = set(self.fields or ()) - FIELDS
        if unknown:
            raise ValueError(f"fields must be of an entry, not {', '.join(sorted(unknown))}")

    @property
    def hidden(self) -> frozenset[str]:
        """The fields that are not shown."""
        return frozenset() if self.fields is None else FIELDS - ALWAYS - frozenset(self.fields)

    @property
    def whole(self) -> bool:
        """Whether all of the log may be seen."""
        return self.tenants is None and not self.hidden

    def may_ask(self, name: str) -> bool:
        """Whether a field of a filter may be used: it would tell what is hidden otherwise."""
        return not _READ_BY.get(name, frozenset()) & self.hidden

    def check(self, wanted: Filter) -> None:
        """Refuse a filter that asks for what may not be seen.

        :raises Denied: in that case.
        """
        for name, _ in wanted.pairs():
            if not self.may_ask(name):
                raise Denied(f"you may not filter by {name}: it would tell what is hidden from you")
        self.narrowed(wanted)

    def narrowed(self, wanted: Filter) -> Filter:
        """Return a filter that finds nothing but entries that may be seen.

        :raises Denied: if it asks for other tenants alone.
        """
        if self.tenants is None:
            return wanted
        tenants = set(self.tenants).intersection(wanted.tenant or self.tenants)
        if not tenants:
            raise Denied("you may not see entries of that tenant")
        return wanted.narrowed(tenant=tuple(tenants))

    def shown(self, entry: AuditEntry) -> AuditEntry:
        """Return an entry with what may be seen of it. Without all of it, it has no hash."""
        if not self.hidden:
            return entry
        fields: dict[str, Any] = {
            name: value
            for name, value in entry.fields.items()
            if name not in self.hidden and name in FIELDS
        }
        context = dict(fields.get("context", {}))
        fields["context"] = {n: {} if n in _AS_GIVEN else v for n, v in context.items()}
        return AuditEntry(canonical(fields), "")


_AS_GIVEN: Final = frozenset({"invalid", "oversize"})
"""What holds values of other fields, or their hashes."""


class NarrowedEngine(Engine):
    """An engine that finds only entries that somebody may see, and shows them without the rest.

    A filter is to be checked before (:meth:`Access.check`), and so is what :meth:`table` selects.

    :param store: the log.
    :param access: what they may see.
    """

    def __init__(self, store: Store, access: Access) -> None:
        super().__init__(store)
        self._access = access

    def table(
        self,
        sql: str,
        wanted: Filter = ANY,
        values: dict[str, Any] | None = None,
        reads: Sequence[str] | None = None,
    ) -> Answer:
        return super().table(sql, self._access.narrowed(wanted), values, reads)

    def entries(
        self,
        wanted: Filter = ANY,
        *,
        cursor: int | None = None,
        limit: int = 100,
        order: Order = "newest",
    ) -> Page:
        wanted = self._access.narrowed(wanted)
        found, cursor = super().entries(wanted, cursor=cursor, limit=limit, order=order)
        return Page(list(map(self._access.shown, found)), cursor)

    def facets(
        self, wanted: Filter = ANY, *, columns: Sequence[str] = FACETS, limit: int = 10
    ) -> dict[str, list[tuple[Any, int]]]:
        shown = [column for column in columns if column not in self._access.hidden]
        return super().facets(wanted, columns=shown, limit=limit)

    def ask(self, name: str, wanted: Filter = ANY) -> Answer:
        if self._access.hidden:
            raise Denied("named questions show fields that are hidden from you")
        return super().ask(name, wanted)
