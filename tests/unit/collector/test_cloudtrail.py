"""An event of CloudTrail becomes an entry: who did what to which resource, from where."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import shared_data

from chained_logging import AuditLog
from chained_logging.collector import cloudtrail

ACCOUNT = "111122223333"
ANN = {
    "type": "IAMUser",
    "arn": f"arn:aws:iam::{ACCOUNT}:user/ann",
    "accountId": ACCOUNT,
    "userName": "ann",
}
ROLE = f"arn:aws:iam::{ACCOUNT}:role/reader"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/reader"
EVENT: dict[str, Any] = {
    "eventTime": "2026-01-02T03:04:05Z",
    "eventSource": "ec2.amazonaws.com",
    "eventName": "StopInstances",
    "userIdentity": ANN,
    "sourceIPAddress": "192.0.2.1",
    "userAgent": "aws-cli/2",
    "requestParameters": {
        "instancesSet": {"items": [{"instanceId": "i-1"}, {"instanceId": "i-2"}]}
    },
    "recipientAccountId": ACCOUNT,
}


def assumed(session: str) -> dict[str, Any]:
    return {
        "type": "AssumedRole",
        "arn": f"{SESSION}/{session}",
        "sessionContext": {"sessionIssuer": {"arn": ROLE}},
    }


def fields(**changed: Any) -> dict[str, Any]:
    return cloudtrail.fields({**EVENT, **changed})


def test_an_event_is_an_entry(path: Path) -> None:
    with AuditLog(path) as log:
        (entry,) = log.append_many([fields()])
    found = {
        name: entry.fields[name] for name in entry.fields.keys() - {"context", "id", "prev_hash"}
    }
    assert found == {
        "v": 1,
        "seq": 1,
        "timestamp": "2026-01-02T03:04:05.000000Z",
        "actor_id": ANN["arn"],
        "actor_type": "user",
        "action": "StopInstances",
        "resource_type": "aws.ec2.instance",
        "resource_id": "i-1",
        "resources": [{"id": "i-2", "type": "aws.ec2.instance"}],
        "result": "success",
        "ip_address": "192.0.2.1",
        "user_agent": "aws-cli/2",
        "tenant_id": ACCOUNT,
    }
    assert entry.context == EVENT


@pytest.mark.parametrize(
    ("identity", "source", "expected"),
    [
        (ANN, "192.0.2.1", (ANN["arn"], "user", None)),
        (
            {"type": "Root", "arn": f"arn:aws:iam::{ACCOUNT}:root"},
            "2001:db8::1",
            (f"arn:aws:iam::{ACCOUNT}:root", "admin", None),
        ),
        (assumed("ann@example.com"), "192.0.2.1", (f"{SESSION}/ann@example.com", "user", ROLE)),
        (assumed("heidi-adams"), "192.0.2.1", (f"{SESSION}/heidi-adams", "user", ROLE)),
        (assumed("i-0abc"), "192.0.2.1", (f"{SESSION}/i-0abc", "service", ROLE)),
        ({**ANN, "invokedBy": "kms"}, "kms.amazonaws.com", ("kms", "service", ANN["arn"])),
        (ANN, "AWS Internal", ("AWS Internal", "service", ANN["arn"])),
        ({"type": "AWSService", "invokedBy": "rds"}, "rds", ("rds", "service", None)),
        ({"type": "AWSAccount", "principalId": "Anonymous", "accountId": "ANONYMOUS_PRINCIPAL"}, *(
            "192.0.2.1", ("anonymous", "user", None))),
        ({"type": "IdentityCenterUser", "onBehalfOf": {"userId": "u-1"}}, *(
            "192.0.2.1", ("u-1", "user", None))),
    ],
)  # fmt: skip
def test_the_actor_is_who_really_acted(
    identity: dict[str, Any], source: str, expected: tuple[str, str, str | None]
) -> None:
    found = fields(userIdentity=identity, sourceIPAddress=source)
    assert tuple(map(found.get, ("actor_id", "actor_type", "on_behalf_of"))) == expected
    assert found.get("ip_address") == (source if source[0] in "12" else None)


@pytest.mark.parametrize(
    ("changed", "result"),
    [
        ({}, "success"),
        ({"errorCode": "AccessDenied"}, "denied"),
        ({"errorCode": "Client.UnauthorizedOperation"}, "denied"),
        ({"errorCode": "ThrottlingException"}, "failure"),
        ({"responseElements": {"ConsoleLogin": "Failure"}}, "failure"),
        ({"responseElements": {"ConsoleLogin": "Success"}}, "success"),
    ],
)
def test_the_result_is_what_the_caller_got(changed: dict[str, Any], result: str) -> None:
    assert fields(**changed)["result"] == result


def test_a_login_at_the_console_is_a_login() -> None:
    assert fields(eventName="ConsoleLogin")["action"] == "login"


def test_resources_that_the_event_names_come_first() -> None:
    arn = "arn:aws:iam::111122223333:role/reader"
    assert fields(resources=[{"ARN": arn, "type": "AWS::IAM::Role"}])["resource"] == arn


def test_an_event_that_names_nothing_is_about_its_service() -> None:
    assert fields(requestParameters=None)["resource"] == ("aws.ec2", ACCOUNT)


@pytest.mark.parametrize("hostile", [None, 7, "x", [], [7], {"a": [{}]}, {"items": 1}, True])
def test_no_value_of_another_type_stops_an_event(path: Path, hostile: Any) -> None:
    with AuditLog(path) as log:
        for name in EVENT:
            (entry,) = log.append_many([fields(**{name: hostile})])
            assert entry.context[name] == hostile
        (entry,) = log.append_many(
            [cloudtrail.fields({"resources": hostile, "errorCode": hostile})]
        )
        assert entry.action == "unknown"
        assert entry.incomplete


def test_lists_may_be_nested_as_deep_as_they_like() -> None:
    nested: Any = ["i-1", "i-2"]
    for _ in range(10_000):
        nested = [nested]
    found = fields(requestParameters={"instanceId": nested})
    assert found["resource"] == ("aws.ec2.instance", "i-1")
    assert found["resources"] == [("aws.ec2.instance", "i-2")]


@shared_data.needed
def test_no_real_event_lacks_a_field(path: Path) -> None:
    attacks = itertools.chain.from_iterable(shared_data.techniques().values())
    events = [*shared_data.cloudtrail(), *attacks]
    with AuditLog(path) as log:
        entries = [log.append_many([cloudtrail.fields(event)])[0] for event in events]
    assert len(entries) == 2136
    # Where addresses were replaced, some became none: 06.237.252.245.
    assert {name for one in entries if one.incomplete for name in one.context["invalid"]} == {
        "ip_address"
    }
    assert sum(one.incomplete for one in entries) == 8
