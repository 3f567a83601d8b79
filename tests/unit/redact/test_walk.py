"""An event taken apart."""

from __future__ import annotations

import base64
import enum
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from redacted import KEY, SECRET, kept, redact

from chained_logging import AuditLog
from chained_logging.redact import Redactor
from chained_logging.redact.walk import Walk


class Broken:
    def __hash__(self) -> int:
        raise RuntimeError("no")

    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_no_value_makes_it_fail() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    nested: Any = "x"
    for _ in range(2000):
        nested = [nested]
    event = {"a": Broken(), "b": cycle, "c": nested, 7: "x", None: "y", ("t",): "z", "d": "\ud800"}
    data = json.loads(kept(event))
    assert data["context"]["7"] == "x"
    assert redact.text("[" * 100_000) == "[" * 100_000


@pytest.mark.parametrize(
    "event",
    [
        {"resource": "patient_record/123-45-6789"},
        {"resource": ("patient_record", "123-45-6789")},
        {"resource": None, "resource_type": "patient_record", "resource_id": "123-45-6789"},
        {"resource": "a/b", "actor": None, "actor_id": "123-45-6789"},
        {"resource": "a/b", "actor": None, "user_id": "123-45-6789"},
    ],
)
def test_an_identifier_is_hashed_each_time(event: dict[str, Any]) -> None:
    redactor = Redactor(hash_key=KEY, hashed=["resource_id", "actor_id"])
    for _ in range(3):
        assert b"123-45-6789" not in kept(event, redactor)


class Name(enum.Enum):
    PASSWORD = "password"


@pytest.mark.parametrize(
    "event",
    [
        *({name: SECRET} for name in ("token3", "password0", "password_3", b"password")),
        {Name.PASSWORD: SECRET},
        {"headers": {b"authorization": b"Token " + SECRET.encode()}},
        {"headers": [{"Name": "password", "Value": SECRET}]},
        {"name": "password", "value": SECRET},
        {"url": f"https://app/?code={SECRET}".encode()},
        {"url": [f"https://app/?sig={SECRET}"]},
        {"query": {"code": SECRET, "page": "2"}},
        *(
            {"note": text + SECRET}
            for text in (
                *("password    = ", "password =  ", "Bearer\t", "password=<", "Api-Key: "),
                *("X-Access-Token: ", "user[password][0]="),
            )
        ),
    ],
)
def test_a_secret_is_seen_whatever_holds_its_name(event: dict[str, Any]) -> None:
    for _ in range(2):  # what was looked at once goes the short way
        body = kept(event)
        assert SECRET.encode() not in body
        assert base64.b64encode(SECRET.encode()) not in body
        assert b"[redacted]" in body


def test_a_number_that_names_something_is_kept_and_a_card_that_names_something_is_marked(
    tmp_path: Path,
) -> None:
    seeded = random.Random(3)
    with AuditLog(tmp_path / "a.jsonl") as log:
        for _ in range(300):
            number = str(seeded.randrange(4 * 10**15, 10**18))
            for given in (number, int(number)):
                entry = log.append("x", **{**EVENT, "actor": given, "resource": ("user", given)})
                assert (entry.actor_id, entry.resource_id) == (number, number)
        entry = log.append("x", **{**EVENT, "resource": ("card", "4111111111111111")})
    assert entry.incomplete
    assert entry.resource_id == "unknown"
    assert b"4111111111111111" not in (tmp_path / "a.jsonl").read_bytes()


def test_many_members_of_one_name_do_not_take_long() -> None:
    event = {"k": {f"password=a{number}": 1 for number in range(20_000)}}
    began = time.process_time()
    redact(event)
    assert time.process_time() - began < 5  # quadratic would be minutes


def walked(event: dict[str, Any], size: int = 1_000_000, **rules: Any) -> dict[str, Any]:
    """Take an event apart by a walk alone."""
    return dict(Walk(Redactor(**rules), size).event(event))


def test_an_event_without_secrets_comes_back_as_the_same_object() -> None:
    event = {"action": "read", "note": "an ordinary text", "n": 7, "x": {"y": ["z"]}}
    assert Walk(Redactor(), 1_000).event(event) is event


def test_names_that_are_the_same_once_redacted_are_all_kept() -> None:
    redacted = walked({f"password=a{n}b": n for n in range(3)})
    assert redacted == {
        "password=[redacted]": 0,
        "password=[redacted]#2": 1,
        "password=[redacted]#3": 2,
    }


def test_when_the_work_is_spent_the_rest_goes_as_a_whole() -> None:
    texts = {f"k{n}": f"password=a{n}, x" for n in range(500)}
    redacted = walked({"deep": texts}, size=1_000)["deep"]
    assert redacted["k0"] == "password=[redacted] x"
    assert list(redacted)[-1].startswith("[redacted]#")  # names too
    assert list(redacted.values())[-1] == "[redacted]"
    assert walked({"deep": texts}, size=10_000_000)["deep"]["k499"] == "password=[redacted] x"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"code": ["4111", "1111", "1111", "1111"]}, {"code": ["[redacted]"] * 4}),
        ({"argv": ["x", "--token", "a1b2"]}, {"argv": ["x", "--token", "[redacted]"]}),
        ({"argv": ["x", "--token", "-v"]}, {"argv": ["x", "--token", "-v"]}),
        (
            {"pairs": [["token", "a1"], ["x", "y"]]},
            {"pairs": [["token", "[redacted]"], ["x", "y"]]},
        ),
        ({"max_tokens": 5, "tokens": "a1"}, {"max_tokens": 5, "tokens": "[redacted]"}),
        ({"auth": "ok", "refresh": "a1b2c3"}, {"auth": "ok", "refresh": "[redacted]"}),
        ({"parcel": 4111111111111111}, {"parcel": 4111111111111111}),
        ({"n": 4111111111111111}, {"n": "[redacted]"}),
        ({"url": {"code": "7", "page": 2}}, {"url": {"code": "[redacted]", "page": 2}}),
        ({"t": '{"pin":"12"}'}, {"t": '{"pin":"[redacted]"}'}),
        ({"resource": "card/4111111111111111"}, {"resource": ["card", "[redacted]"]}),
        ({"resource": "user/4111111111111111"}, {"resource": "user/4111111111111111"}),
        (
            {"resources": [("card", "4111111111111111"), "a/b"]},
            {"resources": [["card", "[redacted]"], "a/b"]},
        ),
    ],
)
def test_each_member_is_judged_by_its_name_and_its_form(
    event: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert walked(event) == expected


def test_only_the_suspects_of_a_flat_event_are_looked_at() -> None:
    event = {"action": "read", "note": "password=a1b2", "other": "password=c3d4"}
    redacted = Walk(Redactor(), 1_000).texts(event, ["password=a1b2"])
    assert redacted == {**event, "note": "password=[redacted]"}


def test_a_hashed_member_is_hashed_at_any_depth() -> None:
    redacted = walked({"a": [{"email": "x"}], "email": None}, hash_key=KEY, hashed=["email"])
    assert redacted["a"][0]["email"].startswith("hmac-sha256:")
    assert redacted["email"] is None
