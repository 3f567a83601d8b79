"""The quick ways find in any event what the careful way finds, which looks at everything."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from careful import Careful
from chains import often

from chained_logging.event.values import jsonable
from chained_logging.redact import REDACTED, Redactor

EXAMPLES = often(10_000)
NAMES = (
    *("password", "pin", "token", "api_key", "auth", "x", "id", "url", "query", "code", "sig"),
    *("name", "value", "key", "header", "note", "request", "headers", "Referer", "data", "tin"),
    *("user_agent", "reason", "resource", "resource_id", "resource_type", "actor", "action"),
    *("session_id", "context", "old_values", "changed_fields", "ip", "timestamp", "max_tokens"),
    *("credentials", "accessKeyId", "sessionToken", "tracking_number", "content", "refresh"),
)
PARTS = (
    *("password", "pin", "token", "api_key", "auth", "x", "id", "url", "query", "code", "sig"),
    *("=", ": ", ":", " is ", '"', "'", "\\", "<", ">", "</", "&", "?", "%3D", "%2570", "+", " "),
    *("hunter2", "a", "ok", "4111111111111111", "4111 1111 ", "078-05-1120", "\n", "\r\n\r\n"),
    *("://", "@", "bearer ", "basic ", "eyJhbGciOi.eyJz.x", "ghp_16C7e42F292c6912E7710c838347A"),
    *("cGFzc3dvcmQ", "-----BEGIN PRIVATE KEY-----", "DE89370400440532013000", "４", "а", "é"),
    *("mysql -p", "--", "[", "]", "{", "}", ",", ";", "name=", "Cookie", REDACTED, "\\u0070"),
    *("https://x.example/p?q=1&token=abc", "https://u:p@h/", "/cb?code=7&page=2", "a%20b"),
    *("curl -u a:b http://x", "secret", "12", "20230710122532896", "AKIATFQR7NSCQLA2F4OD"),
    *("arn:aws:secretsmanager:us-east-1:123456789012:secret:x", "Set-Cookie: a=b", "-p", "-u"),
    *("7c9e6679-7425-40de-944b-e07fc1f90ae7", "base64:cGFzc3dvcmQ9aHVudGVyMg==", "treatment"),
    *("Mozilla/5.0 (X11; Linux x86_64)", "xoxb-123456789012-abcdefghij", "--password", "true"),
)
SCALARS: tuple[Any, ...] = (
    *(1, 200, 12.5, 4111111111111111, 4111111111111112, 4111111111111111.0, 10**17, 78051120),
    *(True, False, None, b"password=hunter2", Decimal("12.5"), Decimal("4111111111111111")),
    *(dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC), dt.date(2024, 1, 2), uuid.UUID(int=7**40)),
    *(ValueError("password=hunter2"), {"a"}, (1, 2), dt.timedelta(1)),
)


class Events:
    """Makes events of every shape."""

    def __init__(self, seed: int) -> None:
        self.seeded = random.Random(seed)

    def text(self) -> str:
        return "".join(self.seeded.choices(PARTS, k=self.seeded.choice((1, 1, 1, 2, 2, 3, 4, 6))))

    def name(self) -> str:
        return self.seeded.choice(NAMES) if self.seeded.random() < 0.8 else self.text()

    def items(self, make: Callable[[], Any], most: int = 4) -> list[Any]:
        return [make() for _ in range(self.seeded.randint(0, most))]

    def value(self, depth: int = 0) -> Any:
        kind = self.seeded.random() + 0.1 * depth
        if 0.5 < kind < 0.65:
            return self.seeded.choice(SCALARS)
        if 0.65 < kind < 0.75:
            return self.items(lambda: self.value(depth + 1))
        if 0.75 < kind < 0.8:
            return self.items(self.text, 5)
        if 0.8 < kind < 0.85:
            return self.pair()
        if 0.85 < kind < 1:
            return {self.name(): item for item in self.items(lambda: self.value(depth + 1))}
        return self.text()

    def pair(self) -> Any:
        """Return a name and a value that are beside one another, not under one another."""
        name, value = self.name(), self.text()
        return self.seeded.choice(
            (
                {self.seeded.choice(("name", "Key", "header")): name, "value": value},
                {"Value": value, "x": 1, "field": name},
                [name, value],
                [[name, value], [value, name]],
                ["x", self.seeded.choice(("-p", "-pw", "--token", "-x")), value],
                f'["{name}", "{value}"]',
                f'{{"name":"{name}","value":"{value}"}}',
            )
        )

    def event(self) -> dict[str, Any]:
        return {self.name(): self.value() for _ in range(self.seeded.randint(1, 7))}


def test_the_quick_ways_find_what_the_careful_way_finds() -> None:
    events = Events(16)
    careful = Careful()
    quick = Redactor()  # which remembers, as in a program that goes on
    for _ in range(EXAMPLES):
        event = events.event()
        expected = jsonable(careful(event))
        assert jsonable(quick(event)) == expected, event
        assert jsonable(quick(event)) == expected, event


def test_nothing_that_is_secret_is_remembered() -> None:
    quick = Redactor()
    for event in (
        {"password": "hunter2", "note": "password=hunter2", "headers": {"Cookie": "hunter2"}},
        {"command": ["mysql", "-p", "hunter2"], "pairs": ["token", "hunter2", "x", "y"]},
        {"headers": [["token", "hunter2"], {"name": "Cookie", "value": "hunter2"}]},
        {"url": "https://x.example/?token=hunter2", "text": '{"pin":"hunter2"}'},
        {"name": "password", "value": "hunter2"},
        {"password=hunter2": 1, "nested": {"password=hunter2": 1}},
    ):
        quick(event)
        quick({"action": "read", **event})
    known = [*vars(quick).values(), *vars(quick.names).values()]
    remembered = [text for held in known if isinstance(held, set | dict) for text in held]
    assert "action" in remembered
    assert [text for text in remembered if "hunter2" in str(text)] == []


def test_what_is_remembered_is_bounded() -> None:
    quick = Redactor()
    for number in range(20_000):
        name, long = f"n{number}", f"{number}" + "x" * 10_000
        quick({name: f"v{number}", "a": {name: [name, f"password={number}", f"secret {number}"]}})
        if number % 100 == 0:
            quick({long: long, "a": {long: long, "password": 1}})
    known = [*vars(quick).values(), *vars(quick.names).values()]
    held = [len(texts) for texts in known if isinstance(texts, set | dict)]
    assert max(held) <= 4_100
    texts = [text for some in known if isinstance(some, set | dict) for text in some]
    assert max(len(str(text)) for text in texts) <= 512


@pytest.mark.parametrize(
    "event",
    [
        {"command": ["mysql", "-p", "hunter2"]},
        {"arguments": ("plink", "-pw", "hunter2", "host")},
        {"headers": [["the api key", "hunter2"]]},
        {"headers": [["\u00e9api_key", "hunter2"]]},
        {"address": "amqp://ann:hunter2\\@mq"},
    ],
)
def test_what_only_the_careful_way_found_once_is_found(event: dict[str, Any]) -> None:
    for _ in range(2):
        assert "hunter2" not in str(Redactor()(event))
