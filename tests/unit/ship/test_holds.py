"""What a hold covers."""

from __future__ import annotations

from typing import Any

import pytest
from chains import EVENT
from hypothesis import given
from hypothesis import strategies as st

from chained_logging.event.draft import draft
from chained_logging.event.entry import AuditEntry
from chained_logging.ship.holds import Covered

MIDNIGHT = "2026-01-01T00:00:00.000000Z"
LATER = "2026-01-01T00:00:00.000001Z"


def entry(**fields: Any) -> AuditEntry:
    event = {"action": "read", **EVENT, **fields}
    return AuditEntry(draft(event).body(7, "0" * 64), "1" * 64)


@pytest.mark.parametrize(
    ("covered", "fields", "fits"),
    [
        (Covered(), {}, True),
        (Covered(actor_id="a"), {"actor": "a"}, True),
        (Covered(actor_id="a"), {"actor": "b"}, False),
        (Covered(actor_id="a"), {"actor": "b", "session_id": "a"}, False),
        (Covered(action="export"), {"action": "export"}, True),
        (Covered(action="export"), {"action": "read"}, False),
        (Covered(tenant_id="t"), {"tenant_id": "t"}, True),
        (Covered(tenant_id="t"), {}, False),
        (Covered.about("p/1"), {"resource": "p/1"}, True),
        (Covered.about("p/1"), {"resource": "p/2"}, False),
        (Covered.about("p/1"), {"resource": "q/1"}, False),
        (Covered.about("p"), {"resource": "p/2"}, True),
        (Covered.about("p/1"), {"resource": "list/all", "resources": ["p/2", "p/1"]}, True),
        (Covered.about("p/1"), {"resource": "p/3", "resources": ["p/2", "q/1"]}, False),
        (Covered(actor_id="a", action="x"), {"actor": "a", "action": "y"}, False),
        (Covered(actor_id='"ü\\'), {"actor": '"ü\\'}, True),
        (Covered(since=MIDNIGHT), {"timestamp": MIDNIGHT}, True),
        (Covered(since=LATER), {"timestamp": MIDNIGHT}, False),
        (Covered(until=MIDNIGHT), {"timestamp": MIDNIGHT}, False),
        (Covered(until=LATER), {"timestamp": MIDNIGHT}, True),
    ],
)  # fmt: skip
def test_all_fields_must_fit(covered: Covered, fields: dict[str, Any], fits: bool) -> None:
    assert covered.fits(entry(**fields)) is fits
    assert Covered.read(covered.filter()) == covered


NAMES = st.sampled_from(["a", "b", "p/1", "p/2", "q", 'x"y'])


@given(
    st.fixed_dictionaries({}, optional={"actor_id": NAMES, "action": NAMES, "tenant_id": NAMES}),
    st.fixed_dictionaries({"actor_id": NAMES, "action": NAMES, "tenant_id": NAMES}),
)
def test_the_quick_look_loses_no_entry(filter: dict[str, str], fields: dict[str, str]) -> None:
    fits = all(fields[name] == value for name, value in filter.items())
    assert Covered.read(filter).fits(entry(**fields)) is fits


@pytest.mark.parametrize(
    "filter",
    [
        None,
        [],
        {"actor": "a"},
        {"actor_id": 1},
        {"since": "2026"},
        {"actor_id": None},
        {"until": "2026-02-30T00:00:00.000000Z"},
        {"actor_id": "\ud800"},
    ],
)
def test_what_is_not_a_filter_is_refused(filter: object) -> None:
    with pytest.raises(ValueError, match="filter"):
        Covered.read(filter)


def test_an_entry_that_cannot_be_read_is_kept() -> None:
    assert Covered().fits(AuditEntry(b'{"actor_id":', "1" * 64))
    assert Covered.about("p").fits(AuditEntry(b'{"resource_type":"p"}', "1" * 64))
