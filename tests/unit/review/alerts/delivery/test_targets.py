"""A target by its name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from chained_logging.review.alerts.delivery.chat import Apprise
from chained_logging.review.alerts.delivery.command import Command
from chained_logging.review.alerts.delivery.mail import Mail
from chained_logging.review.alerts.delivery.targets import open_target, open_targets
from chained_logging.review.alerts.delivery.terminal import StandardError
from chained_logging.review.alerts.delivery.webhook import Webhook


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
def test_each_kind_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINED_LOGGING_WEBHOOK_SECRET", "whsec_" + "A" * 44)
    file = tmp_path / "services"
    file.write_text("json://127.0.0.1/")
    file.chmod(0o600)
    people = "from=a@example.com&to=b@example.com"
    kinds = {
        "stderr": StandardError,
        "command:/bin/true": Command,
        f"smtp://127.0.0.1#{people}": Mail,
        f"smtps://127.0.0.1#{people}": Mail,
        "https://example.com/": Webhook,
        f"apprise:{file}": Apprise,
    }
    assert {name: type(open_target(name)) for name in kinds} == kinds


@pytest.mark.parametrize("name", ["", "stderr:x", "ftp://u:hunter2@host/", "mailto:ann"])
def test_any_other_is_refused_without_its_secrets(name: str) -> None:
    with pytest.raises(ValueError, match="is not a target") as caught:
        open_target(name)
    assert "hunter2" not in str(caught.value)


def test_two_targets_have_two_names() -> None:
    mail = "smtp://mail.example.com#from=log@example.com&to="
    assert len(open_targets(["stderr", f"{mail}ann@example.com"])) == 2
    with pytest.raises(ValueError, match=r"2 targets are called smtp://mail\.example\.com, so"):
        open_targets([f"{mail}ann@example.com", f"{mail}bob@example.com"])


def test_a_library_that_is_missing_is_said_before_there_is_an_alert(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "tenacity", None)
    assert open_targets([]) == []
    with pytest.raises(ImportError, match=r"chained_logging\[alerts\]"):
        open_targets(["stderr"])
