"""Public data sets that lie beside the checkout, where they are: ``shared/data`` in a parent."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_FOLDERS = (parent / "shared/data" for parent in Path(__file__).resolve().parents)
FOLDER = next((folder for folder in _FOLDERS if folder.is_dir()), None)

needed = pytest.mark.skipif(FOLDER is None, reason="shared/data is not beside the checkout")


def folder() -> Path:
    assert FOLDER is not None
    return FOLDER


def cloudtrail() -> Iterator[dict[str, Any]]:
    """Yield the events of an hour in an account in which attacks were tried out."""
    with gzip.open(folder() / "cloudtrail/events.jsonl.gz", "rt") as lines:
        yield from map(json.loads, lines)


def techniques() -> dict[str, list[dict[str, Any]]]:
    """Return the events of attacks, by the name of the technique."""
    files = sorted((folder() / "stratus").glob("*.json.gz"))
    return {file.name.removesuffix(".json.gz"): json.loads(_unpacked(file)) for file in files}


def _unpacked(file: Path) -> bytes:
    return gzip.decompress(file.read_bytes())
