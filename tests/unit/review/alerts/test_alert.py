"""An alert is what an entry of the log's own says."""

from __future__ import annotations

from pathlib import Path

import pytest
from findings import finding

from chained_logging import AuditLog
from chained_logging.review.alerts.alert import RAISE, Alert, context_of, finding_of


def test_what_is_raised_is_read_back(path: Path) -> None:
    said = finding(entries=(1, 5), count=7)
    with AuditLog(path) as log:
        entry = log.note(RAISE, **context_of(said))
    alert = Alert.of(entry)
    assert (alert.seq, alert.id, alert.raised) == (entry.seq, entry.fields["id"], entry.timestamp)
    assert alert.finding == said
    assert alert.to_dict("o")["entries"] == [1, 5]
    assert (entry.actor_id, entry.actor_type) == ("chained_logging", "system")


def test_long_texts_and_lists_are_cut() -> None:
    context = context_of(finding(sentence="x" * 9000, subject="y" * 9000, entries=range(500)))
    assert len(context["sentence"]) == 2000
    assert len(context["subject"]) == 1000
    assert len(context["entries"]) == 100


@pytest.mark.parametrize(
    "change",
    [
        {"rule": 1},
        {"severity": "awful"},
        {"severity": ["high"]},
        {"entries": None},
        {"entries": [True]},
        {"entries": [0] * 101},
        {"count": "3"},
        {"first": "yesterday"},
        {"last": None},
        {"sentence": None},
    ],
    ids=str,
)
def test_a_context_that_is_not_one_of_an_alert_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        finding_of(context_of(finding()) | change)
