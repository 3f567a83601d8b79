"""Alerts on standard error."""

from __future__ import annotations

import pytest
from alerts import notification

from chained_logging.review.alerts.delivery.terminal import StandardError


def test_it_is_printed_and_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    StandardError().deliver(notification(sentence="\x1b[2J"))
    said = capsys.readouterr().err
    assert said.startswith("[high] a-rule: ann\n\\x1b[2J\n")
