"""For processes that run a snippet of the documentation: what the reader of a page would have.

Of this package's extras only those that the page installs can be imported, and the names of
servers, such as ``db.example``, lead to the servers that the test started.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_ABSENT = set(os.environ.get("SNIPPET_ABSENT", "").split())
_SERVERS = json.loads(os.environ.get("SNIPPET_SERVERS", "{}"))
_getaddrinfo = socket.getaddrinfo


class _Absent:
    """Finds no module of an extra that the page does not install."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] in _ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def _lookup(host: Any, port: Any, *args: Any, **options: Any) -> Any:
    if host in _SERVERS:
        host, port = "127.0.0.1", _SERVERS[host]
    return _getaddrinfo(host, port, *args, **options)


sys.meta_path.insert(0, _Absent)  # type: ignore[arg-type]
socket.getaddrinfo = _lookup
