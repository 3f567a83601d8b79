"""Notifications for tests of delivery."""

from __future__ import annotations

from findings import finding

from chained_logging.review.alerts.alert import Alert
from chained_logging.review.alerts.delivery.target import Notification

ID = "019f5d5b-0000-7000-8000-000000000007"
ORIGIN = "example.com/audit"


def notification(**fields: object) -> Notification:
    """Return one about a finding with some fields of its own."""
    raised = "2026-03-02T10:00:05.000000Z"
    return Notification(Alert(7, ID, raised, finding(**fields)), ORIGIN)
