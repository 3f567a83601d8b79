"""What is wrong with a central store."""

from __future__ import annotations

from chained_logging.ship.fault import FOREIGN, MAX_FAULTS, Fault


def test_a_fault_says_what_where_and_why() -> None:
    fault = Fault("edited", "s3://bucket/x", 7, "hash", "entry 7 is another one there")
    assert fault._asdict() == {
        "kind": "edited",
        "where": "s3://bucket/x",
        "seq": 7,
        "field": "hash",
        "reason": "entry 7 is another one there",
    }


def test_the_kind_of_what_anybody_may_add_is_documented_and_lists_are_bounded() -> None:
    assert FOREIGN == "foreign"
    assert 1_000 <= MAX_FAULTS <= 100_000
