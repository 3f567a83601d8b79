"""A capture takes an open log or a path."""

from __future__ import annotations

from pathlib import Path

import pytest

from chained_logging import AuditLog, LogError
from chained_logging.log.given import opened


def test_an_open_log_is_taken_as_it_is(path: Path) -> None:
    with AuditLog(path) as log:
        assert opened(log) is log


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_opened_with_the_options(path: Path, kind: type) -> None:
    with opened(kind(path), origin="example.com/audit") as log:
        assert (log.path, log.origin) == (path, "example.com/audit")


def test_an_open_log_takes_no_options(path: Path) -> None:
    with (
        AuditLog(path) as log,
        pytest.raises(TypeError, match=r"^an open log has its options already: key, strict$"),
    ):
        opened(log, key=None, strict=True)


def test_a_path_that_is_no_log_is_refused(path: Path) -> None:
    path.write_bytes(b"something else\n")
    with pytest.raises((LogError, OSError)):
        opened(path)
