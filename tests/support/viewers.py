"""The viewer, asked by a client in this process."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

testclient = pytest.importorskip("starlette.testclient")

from chained_logging.review.viewer import (  # noqa: E402 -- only with Starlette
    Access,
    app,
    opened,
)

opened.PATIENCE = 30.0  # no page of a test is drawn before the verdict is there

EVERYTHING = Access("eve")


def client(path: Path, access: Access = EVERYTHING, **options: Any) -> Any:
    """Return a client of the viewer, for somebody."""
    made = app(str(path), authorize=lambda request: access, **options)
    return testclient.TestClient(made, follow_redirects=True)


def as_copy(path: Path) -> Path:
    """Make of a log a copy: readings of it are not recorded, which takes most of the time."""
    path.with_name(f"{path.name}.lock").unlink()
    return path


def links(html: str) -> Iterator[str]:
    """Yield the addresses that a page links to."""
    return (unescape(link) for link in re.findall(r'(?:href|action)="([^"]*)"', html))


def text(html: str) -> str:
    """Return what a page says, without its tags, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", "", html)).split())


_VOLATILE = re.compile(
    r"[0-9a-f]{64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|20(?!24)[0-9]{2}-[0-9]{2}-[0-9]{2}[T ][0-9:.]{8,15}Z?"  # events are of 2024
)


def steady(body: str) -> str:
    """Return an answer without what is random in each log: hashes, ids, and times of today."""
    return _VOLATILE.sub("#", body)
