"""A plan names exactly what the policies let go and nothing keeps."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from retention_logs import root

from chained_logging.event.draft import draft
from chained_logging.event.entry import AuditEntry
from chained_logging.format.line import GENESIS, leaf_hash
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.review.retention import plan as plans
from chained_logging.review.retention.plan import MOST_RANGES, Part, Plan, make_plan
from chained_logging.review.retention.policies import Policy
from chained_logging.review.retention.survey import Survey
from chained_logging.ship.holds import Covered, Hold

NOW = dt.datetime(2026, 11, 28, tzinfo=dt.UTC)
END = 1 << 62


def records(*kinds: tuple[int, str, str, str | None]) -> list[Record]:
    """Return entries after a first one: age in days, type, action and tenant of each."""
    made, prev = [], GENESIS
    for seq, (age, kind, action, tenant) in enumerate([(9000, "x", "log.open", None), *kinds]):
        event: dict[str, Any] = {"actor": "u", "ip": "10.0.0.1", "resource": (kind, str(seq))}
        event["timestamp"] = (NOW - dt.timedelta(days=age)).isoformat()
        if tenant is not None:
            event["tenant_id"] = tenant
        body = draft(event, action=action).body(seq, prev)
        prev = leaf_hash(body)
        made.append(Record(seq, body, prev))
    return made


def planned(
    items: list[Record | Stub],
    policies: list[Policy],
    *holds: Covered,
    sealed: int = END,
    copied: int = END,
) -> Plan:
    survey = Survey()
    survey.holds.active = [Hold(f"case-{n}", c, 0, "", None, None) for n, c in enumerate(holds)]
    return make_plan(items, policies, survey, now=NOW, sealed=sealed, copied=copied)


def named(plan: Plan) -> dict[int, str]:
    return {
        seq: part.policy.name
        for part in plan.parts
        for first, last in part.ranges
        for seq in range(first, last + 1)
    }


kinds = st.tuples(
    st.integers(0, 40), st.sampled_from("ab"), st.sampled_from("rw"), st.sampled_from([None, "t"])
)
policies = st.lists(
    st.builds(
        Policy,
        st.sampled_from("pqr"),
        st.integers(1, 30),
        resource_type=st.sampled_from([(), ("a",), ("b",)]),
        action=st.sampled_from([(), ("r",)]),
        tenant_id=st.sampled_from([(), ("t",)]),
    ),
    max_size=3,
    unique_by=lambda policy: policy.name,
)
covered = st.builds(
    Covered, resource_type=st.sampled_from([None, "a"]), action=st.sampled_from(["r", "w"])
)


@given(
    st.lists(kinds, max_size=30),
    policies,
    st.lists(covered, max_size=2),
    st.integers(0, 30),
    st.integers(0, 30),
)
def test_it_is_what_a_person_would_name(
    kinds: list[Any], policies: list[Policy], holds: list[Covered], sealed: int, copied: int
) -> None:
    items = records(*kinds)
    plan = planned(list(items), policies, *holds, sealed=sealed, copied=copied)
    wanted = {}
    for record in items[1:]:
        age, kind, action, tenant = kinds[record.seq - 1]
        about = [
            p
            for p in policies
            if (not p.resource_type or kind in p.resource_type)
            and (not p.action or action in p.action)
            and (not p.tenant_id or tenant in p.tenant_id)
        ]
        longest = max((p.days for p in about), default=END)
        held = any(hold.fits(AuditEntry(record.body, record.hash)) for hold in holds)
        if age > longest and not held and record.seq <= min(sealed, copied):
            wanted[record.seq] = longest
    assert {
        seq: next(p.days for p in policies if p.name == n) for seq, n in named(plan).items()
    } == (wanted)
    for part in plan.parts:
        seqs = [seq for a, b in part.ranges for seq in range(a, b + 1)]
        assert part.count == len(seqs)
        assert part.root() == root([items[seq].hash for seq in seqs])
        assert all(a <= b for a, b in part.ranges)
        assert all(
            y - x > 1 for x, y in zip(part.ranges.lasts, part.ranges.firsts[1:], strict=False)
        )


def test_what_keeps_the_rest_is_counted() -> None:
    items = records(
        *[(40, "a", "r", None)] * 6, (40, "b", "w", None), (3, "a", "r", None), (20, "a", "w", None)
    )
    some = [Policy("long", 30, resource_type=("a",)), Policy("short", 10, action=("r", "w"))]
    plan = planned([*items[:3], Stub(3, items[3].hash), *items[4:]], some, sealed=6, copied=5)
    assert named(plan) == {1: "long", 2: "long", 4: "long", 5: "long"}
    assert [list(part.ranges) for part in plan.parts] == [[(1, 2), (4, 5)]]
    assert (plan.stubs, plan.entries, plan.count) == (1, 9, 4)
    assert (plan.without_copy, plan.waiting, plan.unselected) == (1, 1, 0)
    assert plan.conflicts == {("long", "short"): 1}
    assert planned(list(items), some, Covered(resource_type="a")).held == {"case-0": 6}
    assert planned(list(items), some[:1]).unselected == 1


def test_a_period_that_is_not_over_and_what_cannot_be_read_stay() -> None:
    (first, one) = records((40, "a", "r", None))
    broken = Record(2, b'{"action":"r","timestamp":"2020-01-01T00:00:00.000000Z"}', "0" * 64)
    odd = Record(3, b"{}", "0" * 64)
    plan = planned([first, one, broken, odd], [Policy("p", 30)])
    assert named(plan) == {1: "p"}
    assert plan.unreadable == 2


def test_ranges_that_do_not_fit_one_entry_become_several(monkeypatch: Any) -> None:
    assert MOST_RANGES == 3000
    monkeypatch.setattr(plans, "MOST_RANGES", 2)
    items = records(*[(40 * (n % 2), "a", "r", None) for n in range(10)])
    plan = planned(list(items), [Policy("p", 30)])
    assert [len(part.ranges) for part in plan.parts] == [2, 2, 1]
    assert sorted(named(plan)) == [2, 4, 6, 8, 10]


def test_the_largest_part_fits_an_entry() -> None:
    part = Part(Policy("p" * 100, 30, clause="c" * 500, purpose="x" * 500), "before")
    (record,) = records()
    for seq in range(10**15, 10**15 + 20_000, 2):
        part.add(record._replace(seq=seq), "t")
        if part.is_full():
            break
    context = part.context(["postgresql://" + "h" * 200] * 10)
    event = {"actor": "u", "ip": "10.0.0.1", "resource": "a/b", "context": context}
    body = draft(event, action="a").body(1, "0" * 64)
    assert AuditEntry(body, None).context == context
