"""The checklist as OCSF Compliance Findings (class 2003): a JSON object for each answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any, Final

from chained_logging.formats.ocsf import VERSION
from chained_logging.review.checklist.answer import Answer, Found, Status
from chained_logging.review.checklist.asked import Checklist
from chained_logging.review.period import instant

_PRODUCT: Final = "chained_logging"
_RESULTS: Final[Mapping[Status, tuple[int, str]]] = {
    Status.MET: (1, "Pass"),
    Status.NOT_MET: (3, "Fail"),
    Status.UNSEEN: (0, "Unknown"),
}
_SEVERITIES: Final[Mapping[Status, tuple[int, str]]] = {
    Status.MET: (1, "Informational"),
    Status.NOT_MET: (3, "Medium"),
    Status.UNSEEN: (0, "Unknown"),
}
_MOST: Final = 100  # pieces of evidence


def findings(checklist: Checklist) -> Iterator[dict[str, Any]]:
    """Yield each answer as an event."""
    for answer in checklist.answers:
        yield _event(checklist, answer)


def lines(checklist: Checklist) -> Iterator[str]:
    """Yield each answer as a line of JSON."""
    return (json.dumps(one, ensure_ascii=False) for one in findings(checklist))


def _event(checklist: Checklist, answer: Answer) -> dict[str, Any]:
    severity, severity_name = _SEVERITIES[answer.status]
    at = _milliseconds(checklist.ended)
    event = {
        "class_uid": 2003,
        "class_name": "Compliance Finding",
        "category_uid": 2,
        "category_name": "Findings",
        "activity_id": 1,
        "activity_name": "Create",
        "type_uid": 200301,
        "type_name": "Compliance Finding: Create",
        "severity_id": severity,
        "severity": severity_name,
        "status_id": 1,
        "status": "New",
        "time": at,
        "start_time": _milliseconds(checklist.begun),
        "end_time": at,
        "message": f"{answer.name}: {answer.status}",
        "metadata": {
            "version": VERSION,
            "product": {
                "name": _PRODUCT,
                "vendor_name": _PRODUCT,
                "version": version(_PRODUCT),
            },
            "log_name": checklist.log,
        },
        "finding_info": {
            "uid": f"{checklist.standard.name}/{answer.kind}/{answer.number}/{at}",
            "title": f"{answer.name}: {answer.title}",
            "desc": f"An audit log gives {answer.gives}. Yours: {answer.yours}.",
            "created_time": at,
        },
        "compliance": _compliance(checklist, answer),
        "resources": [{"name": checklist.log, "type": "audit log"}],
    }
    seen = [piece for found in answer.found for piece in found.seen]
    if seen:
        event["evidences"] = [{"name": p.what, "data": p._asdict()} for p in seen[:_MOST]]
    mends = [found.mend for found in answer.found if found.mend is not None]
    if mends:
        event["remediation"] = {"desc": "; ".join(mends)}
    return event


def _compliance(checklist: Checklist, answer: Answer) -> dict[str, Any]:
    status, name = _RESULTS[answer.status]
    beyond = [] if answer.beyond is None else [f"nobody can see from here: {answer.beyond}"]
    compliance = {
        "standards": [checklist.standard.full],
        "control": answer.name,
        "desc": answer.title,
        "status_id": status,
        "status": name,
        "status_details": [*(found.sentence for found in answer.found), *beyond],
    }
    if answer.found:
        compliance["checks"] = [_check(found) for found in answer.found]
    return compliance


def _check(found: Found) -> dict[str, Any]:
    status, name = _RESULTS[found.status]
    return {
        "name": found.probe,
        "uid": found.probe,
        "desc": found.sentence,
        "status_id": status,
        "status": name,
    }


def _milliseconds(timestamp: str) -> int:
    return int(instant(timestamp).timestamp() * 1000)
