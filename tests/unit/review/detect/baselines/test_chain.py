"""The chain is broken, or the log says itself that something was lost."""

from __future__ import annotations

from typing import Any

import pytest
from usual_days import Days

from chained_logging.review.detect.baselines.chain import Chain

OURS: dict[str, Any] = {"ours": True, "actor_type": "system", "actor": "chained_logging"}


def test_a_link_that_does_not_hold_is_critical() -> None:
    days = Days(Chain({}))
    assert not days.many(5)
    (found,) = days.see(prev_hash="00" * 32)
    assert (found.rule, found.severity, found.entries) == ("chain_broken", "critical", (5, 6))


def test_what_retention_removed_is_not_a_break() -> None:
    days = Days(Chain({}))
    days.many(5)
    days.seq = 50
    assert not days.see()


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "log.recover", "context": {"lost": 3, "cause": "the power failed"}},
        {"action": "log.reopen", "context": {"cause": "the file was moved"}},
    ],
)
def test_what_the_log_says_of_itself_is_told(fields: dict[str, Any]) -> None:
    (found,) = Days(Chain({})).see(**OURS, **fields)
    assert found.severity == "high"
    assert fields["context"]["cause"] in found.sentence


def test_nobody_else_can_say_it() -> None:
    assert not Days(Chain({})).see(action="log.recover", context={"lost": 3})


def test_an_orderly_log_says_nothing_to_tell_of() -> None:
    days = Days(Chain({}))
    assert not days.see(**OURS, action="log.open")
    assert not days.see(**OURS, action="log.recover", context={"cause": "a torn line"})
