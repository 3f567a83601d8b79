"""An entry as a sentence."""

from __future__ import annotations

from typing import Any

import pytest
from chains import EVENT

from chained_logging.event.draft import draft
from chained_logging.event.entry import AuditEntry
from chained_logging.format.line import leaf_hash
from chained_logging.review.viewer.access import FIELDS, Access
from chained_logging.review.viewer.sentences import sentence


def entry(own: bool = False, **event: Any) -> AuditEntry:
    body = draft({**EVENT, "action": "read", **event}, own=own).body(7, "0" * 64)
    return AuditEntry(body, leaf_hash(body))


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"actor": "ann", "result": "denied"}, "ann read patient_record/456 from 10.0.0.1: denied"),
        (
            {"actor": "job", "actor_type": "service", "ip": None, "on_behalf_of": "bob"},
            "job (service) for bob read patient_record/456: success",
        ),
        (
            {"resources": ["note/1", "note/2"]},
            "user-1 read patient_record/456 +2 from 10.0.0.1: success",
        ),
        ({"actor": ""}, "unknown read patient_record/456 from 10.0.0.1: success"),
    ],
)
def test_what_happened_is_said(event: dict[str, Any], said: str) -> None:
    assert sentence(entry(**event), None).text == said


def test_what_the_log_says_of_itself() -> None:
    own = {"actor": "chained_logging", "actor_type": "system", "ip": None}
    assert (
        sentence(entry(own=True, **own, action="log.open"), None).text
        == "the log log.open: success"
    )
    read = entry(own=True, **own, action="audit_log.read", on_behalf_of="eve", reason="why")
    assert sentence(read, None).text == "eve read this log: success"
    assert sentence(read, None).reason == "why"


def test_nobody_can_speak_in_the_name_of_the_log() -> None:
    forged = entry(own=True, actor="chained_logging", actor_type="user", action="audit_log.read")
    assert sentence(forged, None).actor == "chained_logging"
    assert "the log" not in sentence(forged, None).text.replace("audit_log", "")


def test_what_is_hidden_is_left_out_and_still_a_sentence() -> None:
    hidden = FIELDS - {"actor_id", "ip_address", "resource_id", "context", "reason"}
    shown = Access("eve", fields=hidden).shown(entry(actor="ann", reason="why"))
    said = sentence(shown, None)
    assert said.text == "somebody read patient_record: success"
    assert said.actor is said.reason is None


def test_whether_a_checkpoint_covers_it() -> None:
    assert [sentence(entry(), covered).covered for covered in (None, -1, 6, 7, 8)] == [
        *(None, False, False, True, True)
    ]


def test_that_it_is_incomplete() -> None:
    assert sentence(entry(actor=""), None).incomplete
    assert not sentence(entry(), None).incomplete
