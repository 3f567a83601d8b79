"""The fast way and the careful way make the same bytes, for events of every shape.

Events come from a seeded generator, which takes a tenth of hypothesis's time. A failure names its
seed. ``EXAMPLES`` asks for more than 10,000 of them.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import time
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest
from chains import EVENT

from chained_logging.event import draft as drafts
from chained_logging.event import values
from chained_logging.event.draft import draft
from chained_logging.format.line import GENESIS
from chained_logging.redact import Redactor
from chained_logging.redact.walk import Walk

EXAMPLES = int(os.environ.get("EXAMPLES", "10_000"))
SEED = int(os.environ.get("SEED", "20261127"))
RULES = Redactor()

WORDS = ("read", "user-123", "a", "é", "Überweisung", "😀", "", "x y", "https://x.example/p?q=1")
SECRETS = (
    "password=hunter2",
    "token",
    "4111 1111 1111 1111",
    "Bearer abc123def456",
    "CreateSecret",
)
TIMES = (
    *("2026-11-27T08:13:02.123456Z", "2026-11-27T08:13:02Z", "2026-11-27T08:13:02.5Z"),
    *("2026-11-27T08:13:02+02:00", "2026-11-27 08:13:02Z", "soon", 0, 1.5e9),
)
LEAVES: tuple[Callable[[random.Random], Any], ...] = (
    lambda rng: rng.choice(WORDS),
    lambda rng: rng.choice(SECRETS) if rng.random() < 0.1 else "plain",
    lambda rng: rng.choice((0, 1, -1, 200, 2**53 - 1, 2**53, -(2**70), 1688990082523310002)),
    lambda rng: rng.choice((0.5, 12.25, 1.0, 1e16, 1e-7, -0.0, float("nan"), float("inf"))),
    lambda rng: rng.choice((None, True, False)),
    lambda rng: dt.datetime(2026, 1, 2, 3, 4, 5, rng.randrange(10**6), dt.UTC),
    lambda rng: dt.date(2026, 1, rng.randrange(1, 29)),
    lambda rng: uuid.UUID(int=rng.getrandbits(128)),
    lambda rng: Decimal(rng.randrange(1000)) / 8,
    lambda rng: rng.choice((b"\0\xff", {"b", "a"}, ("a", 1), ValueError("no"))),
)
KEYS = ("page", "q", "path", "headers", "é", "\U0001f600", "\ufb33", "name", "value", "id", "url")


def value(rng: random.Random, depth: int = 0) -> Any:
    """Return any value, often nested."""
    kind = rng.random()
    if depth < 4 and kind < 0.25:
        return {rng.choice(KEYS): value(rng, depth + 1) for _ in range(rng.randrange(4))}
    if depth < 4 and kind < 0.4:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return rng.choice(LEAVES)(rng)


def event(rng: random.Random) -> dict[str, Any]:
    """Return an event as programs log them: mostly whole, sometimes odd."""
    made: dict[str, Any] = {
        rng.choice(("actor", "actor_id", "user_id")): rng.choice(("user-123", "é", 7)),
        "resource": rng.choice(("patient_record/456", "kind/é", ("kind", 7), "arn:aws:s3:::b/k")),
        rng.choice(("ip", "ip_address")): rng.choice(("203.0.113.7", "::1", "s3.amazonaws.com")),
        "action": "read",
    }
    optional: dict[str, Callable[[], Any]] = {
        "session_id": lambda: rng.choice(("s-9f8e7d", None, "")),
        "user_agent": lambda: rng.choice(("Mozilla/5.0 (X11)", "aws-cli/2 md/x+y", None)),
        "reason": lambda: rng.choice(WORDS),
        "timestamp": lambda: rng.choice(TIMES),
        "actor_type": lambda: rng.choice(("admin", "service", "owner", None)),
        "result": lambda: rng.choice(("denied", "failure", "so so")),
        "changed_fields": lambda: rng.choice((["name", "email"], ("a",), [1])),
        "old_values": lambda: {"name": value(rng), "n": rng.choice((1, 2.5, None))},
        "context": lambda: {"level": "info", "more": value(rng)},
        "on_behalf_of": lambda: rng.choice(("user-7", "é", 7, "", None)),
        "tenant": lambda: rng.choice(("acme", None, 4111111111111111)),
        "trace_id": lambda: rng.choice(("0af7651916cd43dd8448eb211c80319c", "0" * 32, "soon")),
        "resources": lambda: rng.choice((["kind/1", ("kind", 7)], ("kind/1", "é"), [], "kind/1")),
    }
    for name in rng.sample(sorted(optional), rng.randrange(5)):
        made[name] = optional[name]()
    for name in rng.sample(("duration_ms", "request", "response", "level", "é", "url"), 3):
        made[name] = value(rng)
    if rng.random() < 0.1:
        del made[rng.choice(list(made))]
    return made


def body(event: dict[str, Any], *, captured: bool, redact: Any) -> bytes:
    """Return the body with an identifier and a time that are always the same."""
    made = draft(event, captured=captured, redact=redact)
    return made.body(7, "a" * 64)


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "uuid7", lambda now: "0" * 36)
    monkeypatch.setattr(drafts, "timestamp", lambda now: "2026-11-27T00:00:00.000000Z")


def test_the_fast_way_and_the_careful_way_make_the_same_bytes() -> None:
    fast = 0
    for number in range(EXAMPLES):
        seed = SEED + number
        given = event(random.Random(seed))
        captured = number % 2 == 0
        short = body(given, captured=captured, redact=RULES)
        fast += RULES(given) is given
        with (
            mock.patch.object(drafts, "_plain_fields", return_value=None),
            mock.patch.object(values, "is_ordinary", return_value=False),
        ):
            careful = body(given, captured=captured, redact=lambda e: Walk(RULES, 10**6).event(e))
        assert short == careful, f"SEED={seed} EXAMPLES=1"
    # It would prove little if nearly all went the careful way in both.
    assert fast > EXAMPLES // 4 or EXAMPLES < 100


@pytest.mark.parametrize("depth", [30, 200])
@pytest.mark.parametrize("kind", [list, tuple, dict])
def test_what_holds_one_thing_many_times_over_ends(depth: int, kind: Any) -> None:
    held: Any = "text"
    for _ in range(depth):
        held = {"a": held, "b": held} if kind is dict else kind((held, held))
    began = time.process_time()
    made = draft(
        {**EVENT, "action": "read", "held": held, "password": "hunter2"}, redact=Redactor()
    )
    body = made.body(0, GENESIS)
    assert time.process_time() - began < 20  # it would take hours, and all memory
    assert b"hunter2" not in body
    assert b'"action":"read"' in body
