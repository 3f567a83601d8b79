"""The checklist as OSCAL assessment results 1.1.3, NIST's form for what an assessment found.

A finding has but two states there. What is not checkable from here is ``not-satisfied`` for the
reason ``other``, and its remarks say so: nothing is satisfied unseen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

from chained_logging.review.checklist.answer import Answer, Found, Status
from chained_logging.review.checklist.asked import Checklist

VERSION: Final = "1.1.3"
NAMESPACE: Final = "urn:chained-logging:checklist"
_STATES: Final[Mapping[Status, tuple[str, str]]] = {
    Status.MET: ("satisfied", "pass"),
    Status.NOT_MET: ("not-satisfied", "fail"),
    Status.UNSEEN: ("not-satisfied", "other"),
}


def document(checklist: Checklist) -> dict[str, Any]:
    """Return the assessment results, as JSON types."""
    standard, plan = checklist.standard, str(uuid4())
    return {
        "assessment-results": {
            "uuid": str(uuid4()),
            "metadata": {
                "title": f"Checklist of the audit log {checklist.log} for {standard.full}",
                "last-modified": checklist.ended,
                "version": checklist.ended,
                "oscal-version": VERSION,
            },
            "import-ap": {"href": f"#{plan}"},
            "results": [_result(checklist)],
            "back-matter": {
                "resources": [
                    {
                        "uuid": plan,
                        "title": "Assessment plan",
                        "description": "The command chained-logging checklist --standard "
                        f"{standard.name}. There is no plan in OSCAL.",
                    }
                ]
            },
        }
    }


def control_id(standard: str, answer: Answer) -> str:
    """Return what OSCAL calls a point or a clause: letters, digits, dots, hyphens."""
    of = "point" if answer.kind == "point" else standard
    return f"{of}-{re.sub(r'[^A-Za-z0-9.]+', '.', answer.number).strip('.')}"


def _result(checklist: Checklist) -> dict[str, Any]:
    run = uuid4()
    return {
        "uuid": str(run),
        "title": f"The audit log {checklist.log}",
        "description": "What could be seen of the log, its configuration, its stores and the "
        "clock of its machine. A clause is satisfied for this log alone.",
        "start": checklist.begun,
        "end": checklist.ended,
        "reviewed-controls": {
            "control-selections": [
                {
                    "include-controls": [
                        {"control-id": control_id(checklist.standard.name, one)}
                        for one in checklist.answers
                    ]
                }
            ]
        },
        "observations": list(_observations(run, checklist)),
        "findings": [_finding(run, checklist.standard.name, one) for one in checklist.answers],
    }


def _observations(run: UUID, checklist: Checklist) -> Iterator[dict[str, Any]]:
    told = set()
    for answer in checklist.answers:
        for found in answer.found:
            if (name := _observation_id(run, found)) not in told:
                told.add(name)
                yield _observation(name, checklist, found)


def _observation_id(run: UUID, found: Found) -> str:
    return str(uuid5(run, repr(found)))


def _observation(name: str, checklist: Checklist, found: Found) -> dict[str, Any]:
    observation = {
        "uuid": name,
        "title": found.probe,
        "description": found.sentence,
        "props": [{"name": "status", "ns": NAMESPACE, "value": found.status.value}],
        "methods": ["TEST"],
        "collected": max((piece.at for piece in found.seen), default=checklist.ended),
    }
    if found.seen:
        observation["relevant-evidence"] = [
            {"description": f"{piece.what}, in {piece.where}, at {piece.at}: {piece.value}"}
            for piece in found.seen
        ]
    if found.mend is not None:
        observation["remarks"] = f"To mend it: {found.mend}"
    return observation


def _finding(run: UUID, standard: str, answer: Answer) -> dict[str, Any]:
    state, reason = _STATES[answer.status]
    finding: dict[str, Any] = {
        "uuid": str(uuid4()),
        "title": answer.name,
        "description": answer.title,
        "target": {
            "type": "objective-id",
            "target-id": control_id(standard, answer),
            "status": {"state": state, "reason": reason, "remarks": _remarks(answer)},
        },
        "remarks": f"An audit log gives {answer.gives}. Yours: {answer.yours}.",
    }
    if answer.found:
        finding["related-observations"] = [
            {"observation-uuid": _observation_id(run, found)} for found in answer.found
        ]
    return finding


def _remarks(answer: Answer) -> str:
    beyond = "" if answer.beyond is None else f" Nobody can see from here: {answer.beyond}."
    return f"{answer.status.value.capitalize()}.{beyond}"
