"""One request and its answer: what is known of it, and what code inside says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chained_logging import context
from chained_logging.event.context import current
from chained_logging.integrations.web.exchange import (
    Exchange,
    active_exchange,
    annotate,
    running_exchange,
    set_actor,
)
from chained_logging.integrations.web.people import NOBODY, Person


@pytest.fixture
def exchange() -> Exchange:
    made = Exchange(None, "GET", "/p/1", lambda name: None)
    made.known = {"ip_address": "192.0.2.1"}
    made.outer = {"tenant_id": "acme"}
    made.context["request_id"] = "r-1"
    return made


def test_events_inside_inherit_what_is_known_when_they_are_logged(exchange: Exchange) -> None:
    with exchange:
        assert running_exchange() is exchange
        before = {"ip_address": "192.0.2.1", "tenant_id": "acme", "request_id": "r-1"}
        assert current() == before
        assert set_actor("ann", type="admin", session_id="s")
        after = {"actor_id": "ann", "actor_type": "admin", "session_id": "s"}
        assert current() == {**before, **after}
    assert running_exchange() is None
    assert not current()


def test_a_request_whose_entry_is_stored_takes_no_more(exchange: Exchange) -> None:
    with exchange:
        exchange.done = True
        assert active_exchange() is None
        assert running_exchange() is exchange
        assert not set_actor("ann")
        assert not annotate(reason="late")
    assert exchange.named is None
    assert exchange.fields == {}


def test_what_is_annotated_has_the_names_of_the_entry(exchange: Exchange) -> None:
    with exchange:
        annotate(resource="patient/456", user_id=("ann", "user"), tenant="acme", note="x")
        annotate(resources=["a/1", ("b", 2)])
        annotate(note="y")
    assert exchange.said() == {
        "resource_type": "patient",
        "resource_id": "456",
        "actor_id": "ann",
        "tenant_id": "acme",
        "note": "y",
        "resources": exchange.fields["resources"],
    }
    assert [tuple(pair) for pair in exchange.fields["resources"]] == [("a", "1"), ("b", "2")]


@pytest.mark.parametrize(
    ("look", "person", "actor"),
    [
        (lambda exchange: Person("ann"), Person("ann"), "ann"),
        (lambda exchange: None, None, NOBODY.id),
        (lambda exchange: NOBODY, NOBODY, NOBODY.id),
    ],
)
def test_the_frameworks_user_is_asked(
    exchange: Exchange, look: Callable[[Exchange], Person | None], person: Any, actor: str
) -> None:
    exchange.look = look
    assert exchange.person() == person
    assert exchange.actor().id == actor


def test_a_user_who_was_seen_once_stays_the_actor(exchange: Exchange) -> None:
    exchange.look = lambda exchange: Person("ann")
    exchange.person()
    exchange.look = lambda exchange: NOBODY  # signed out
    assert exchange.actor().id == "ann"
    exchange.named = Person("bob")  # by set_actor()
    assert exchange.actor().id == "bob"


def test_a_user_who_cannot_be_read_is_not_nobody(exchange: Exchange) -> None:
    def broken(exchange: Exchange) -> Person:
        raise RuntimeError

    exchange.look = broken
    exchange.status = 200
    assert "actor_id" not in exchange.inherited()
    assert exchange.actor().id is None
    assert exchange.context["actor_failed"] is True
    exchange.unreadable, exchange.look = False, None
    assert exchange.inherited()["actor_id"] == NOBODY.id


def test_what_a_dependency_says_by_context_is_the_requests(exchange: Exchange) -> None:
    with exchange, context(actor="ann", actor_type="service", tenant="hers", ward=7):
        pass
    exchange.depended.append({"actor_id": "ann", "actor_type": "service", "tenant_id": "hers"})
    assert exchange.person() == Person("ann", "service")
    assert not exchange.is_nobodys()
    assert exchange.said() == {"tenant_id": "hers"}
    exchange.fields["tenant_id"] = "said later"
    assert exchange.said() == {"tenant_id": "said later"}
