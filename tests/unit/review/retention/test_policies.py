"""Policies: the longest that applies wins, and what is not valid is named."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chained_logging.config import ConfigError
from chained_logging.review.retention.policies import Kind, Policy, choose, policies_from, selects

NOW = dt.datetime(2026, 11, 28, tzinfo=dt.UTC)


def policy(**table: Any) -> Policy:
    (found,) = policies_from({"one": table})
    return found


@pytest.mark.parametrize(
    ("standard", "days", "at_hand", "clause"),
    [
        ("hipaa", 2192, None, "164.316"),
        ("pci", 366, 92, "10.5.1"),
        ("pci-archive", 731, 366, "10.5.1"),
        ("soc2", 365, None, "SOC 2"),
        ("federal", 550, 184, "AU-11"),
    ],
)
def test_a_standard_gives_its_period_and_its_clause(
    standard: str, days: int, at_hand: int | None, clause: str
) -> None:
    found = policy(standard=standard)
    assert (found.days, found.at_hand) == (days, at_hand)
    assert clause in str(found.clause)


def test_gdpr_needs_a_period_and_a_purpose() -> None:
    found = policy(standard="gdpr", period="90d", purpose="to find abuse")
    assert (found.days, found.purpose) == (90, "to find abuse")
    with pytest.raises(ConfigError, match="requires a purpose"):
        policy(standard="gdpr", period="90d")
    with pytest.raises(ConfigError, match="give a standard that has a period"):
        policy(standard="gdpr", purpose="to find abuse")


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({}, "give a standard"),
        ({"standard": "nope"}, "must be one of hipaa"),
        ({"period": "soon"}, "90d, 18m or 6y"),
        ({"period": 90}, "period must be a string"),
        ({"standard": "hipaa", "period": "90d"}, "requires 2,192 days"),
        ({"standard": "pci", "at_hand": "6y"}, "not be longer than the period"),
        ({"period": "1y", "resource_typ": ["a"]}, "did you mean resource_type"),
        ({"period": "1y", "action": []}, "and not empty"),
        ({"period": "1y", "tenant_id": "a"}, "a list of strings"),
    ],
)
def test_what_is_not_valid_is_named(table: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=f"retention.one: .*{why}"):
        policy(**table)


def test_entries_of_the_period_are_never_too_young() -> None:
    assert policy(period="1d").before(NOW) < "2026-11-27T00:00:00.000000Z"
    assert policy(period="1d").before(NOW) > "2026-11-26T23:59:00.000000Z"


def test_it_selects_by_all_of_its_lists() -> None:
    one = Policy("one", 9, resource_type=("a", "b"), tenant_id=("t",))
    assert one.selects(Kind("a", "x", "t"))
    assert not one.selects(Kind("a", "x", None))
    assert not one.selects(Kind("c", "x", "t", ("a",)))
    assert one.concerns(Kind("c", "x", "t", ("a",)))
    assert one.words() == "9 days, resource_type a or b, tenant_id t"
    assert selects({}, {})


kinds = st.builds(
    Kind,
    st.sampled_from("ab"),
    st.sampled_from("rw"),
    st.sampled_from([None, "t", "u"]),
    st.sampled_from([(), ("a",), ("a", "c")]),
)
tables = st.builds(
    Policy,
    st.text("pq", min_size=1, max_size=3),
    st.integers(1, 9),
    resource_type=st.sampled_from([(), ("a",), ("a", "b")]),
    action=st.sampled_from([(), ("r",)]),
    tenant_id=st.sampled_from([(), ("t",), ("u",)]),
)


@given(kinds, st.lists(tables, max_size=4))
def test_nothing_goes_before_the_longest_period_of_all_that_concern_it(
    kind: Kind, policies: list[Policy]
) -> None:
    chosen = choose(policies, kind)
    concerned = [one for one in policies if one.concerns(kind)]
    if chosen is None:
        assert not any(one.selects(kind) for one in policies)
        return
    assert chosen.policy.selects(kind)
    assert chosen.longest.days == max(one.days for one in concerned)
    assert set(chosen.shorter) <= set(concerned)
