"""Alerts by Apprise, to a real receiver of its JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from alerts import notification
from feed_records import web

from chained_logging.errors import ForeignFile
from chained_logging.review.alerts.delivery.chat import Apprise
from chained_logging.review.alerts.delivery.target import Undelivered

# Apprise imports imghdr, which Python 3.13 has no more; it has a way without.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def services(folder: Path, *lines: str) -> str:
    file = folder / "apprise.txt"
    file.write_text("\n".join(lines))
    file.chmod(0o600)
    return str(file)


def test_it_reaches_each_service(tmp_path: Path) -> None:
    with web() as server:
        address = server.url.removeprefix("http://").partition("/")[0]
        file = services(tmp_path, "# pagers", "", f"json://{address}/hook")
        Apprise(file).deliver(notification())
        ((_, _, body),) = server.asked
    said = json.loads(body)
    assert said["title"] == "[high] a-rule: ann"
    assert "Ann did it." in said["message"]


def test_a_service_that_does_not_take_it_is_said(tmp_path: Path) -> None:
    chat = Apprise(services(tmp_path, "json://127.0.0.1:1/hunter2"))
    with pytest.raises(Undelivered, match="did not take it") as caught:
        chat.deliver(notification())
    assert "hunter2" not in str(caught.value) + chat.name


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = services(tmp_path, "json://127.0.0.1/")
    Path(file).chmod(0o644)
    with pytest.raises(ForeignFile):
        Apprise(file)


@pytest.mark.parametrize(
    ("lines", "reason"), [([], "must hold"), (["nonsense hunter2"], "line 1 is not")]
)
def test_a_file_without_services_is_refused(tmp_path: Path, lines: list[str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        Apprise(services(tmp_path, *lines))
    assert "hunter2" not in str(caught.value)
