"""Somebody gives rights to themselves or for the first time, or becomes an administrator."""

from __future__ import annotations

from typing import Any

import pytest
from usual_days import Days

from chained_logging.review.detect.baselines.privileges import Privileges


def lived() -> Days:
    days = Days(Privileges({}))
    for day in range(20):
        days.see(day)
    days.see(15, actor="root", actor_type="admin", action="grant_role", verb="other", id="bob")
    return days


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "grant_role", "verb": "other"},
        {"action": "AttachUserPolicy", "verb": "other"},
        {"action": "update", "verb": "update", "changed": ("is_admin",)},
    ],
)
def test_rights_for_oneself_are_found(fields: dict[str, Any]) -> None:
    (found,) = lived().see(20, type="user", id="ann", **fields)
    assert (found.rule, found.severity) == ("privilege_change", "high")
    assert "ann gave rights to themselves" in found.sentence


def test_a_user_who_gives_rights_for_the_first_time_is_found_once() -> None:
    days = lived()
    fields = {"action": "grant_role", "verb": "other", "id": "bob"}
    (found,) = days.see(20, **fields)
    assert found.severity == "medium"
    assert "some 0 times before, and 1 others had" in found.sentence
    assert not days.see(20, **fields)


def test_an_administrator_gives_rights_as_a_rule() -> None:
    fields = {"actor_type": "admin", "action": "grant_role", "verb": "other", "id": "bob"}
    assert not lived().see(20, actor="root", **fields)


def test_a_user_who_becomes_an_administrator_is_found() -> None:
    (found,) = lived().see(20, actor_type="admin")
    assert "ann acts as admin, and was user on 20 days before" in found.sentence


def test_what_was_denied_gave_nothing() -> None:
    assert not lived().see(20, id="ann", action="grant_role", verb="other", result="denied")


def test_to_read_a_role_gives_nothing() -> None:
    assert not lived().see(20, id="ann", changed=("roles",))
