"""What tagged calls became: the entries of a log but for its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chains import check_chain

W: dict[str, Any] = {"actor": "u", "resource": "p/1", "ip": "10.0.0.1"}


def found(path: Path) -> list[dict[str, Any]]:
    return [body for body in check_chain(path) if body["actor_id"] != "chained_logging"]


def actions(path: Path) -> list[str]:
    return [body["action"] for body in found(path)]
