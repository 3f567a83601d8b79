"""Which requests count."""

from __future__ import annotations

import pytest

from chained_logging.integrations.web.rule import Rule


def event(action: str, kind: str, result: str = "success") -> dict[str, str]:
    return {"action": action, "resource_type": kind, "result": result}


def test_the_first_line_that_matches_decides() -> None:
    rule = Rule(["read patient*", "-read static", "-re* *"])
    assert rule(event("read", "patient_record"))
    assert not rule(event("read", "static"))
    assert not rule(event("restore", "order"))
    assert rule(event("write", "static"))  # no line matches


def test_what_was_denied_or_failed_always_counts() -> None:
    rule = Rule(["-* *"])
    assert not rule(event("read", "order"))
    assert rule(event("read", "order", "denied"))
    assert rule(event("read", "order", "failure"))


def test_case_matters_and_a_minus_is_a_part_of_a_type() -> None:
    rule = Rule(["-read order-line"])
    assert not rule(event("read", "order-line"))
    assert rule(event("Read", "order-line"))


@pytest.mark.parametrize("lines", ["-read static", ["read"], ["read static now"], [""]])
def test_a_line_of_another_form_is_refused(lines: object) -> None:
    with pytest.raises(ValueError, match="rule must be"):
        Rule(lines)  # type: ignore[arg-type]
