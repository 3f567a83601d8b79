"""Types of the command line's options and arguments."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any, Final

import click

from chained_logging.net.urls import is_address


class FilePath(click.Path):
    """A file's path. A URL is refused without being shown, because it may hold a password.

    Otherwise it would be quoted in an error, or become the name of a file.
    """

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Return the path."""
        if isinstance(value, str) and is_address(value) and not os.path.exists(value):
            self.fail("must be a file, not the address of something else", param, ctx)
        return super().convert(value, param, ctx)


class FileOrStore(FilePath):
    """A file's path, or the URL of a central store."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Return the path or the URL."""
        if isinstance(value, str) and value.startswith(_STORES):
            return value
        return super().convert(value, param, ctx)


_STORES: Final = ("postgresql://", "postgres://", "s3://", "nats://", "tls://")


class Parsed(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click alone
    """A value that a function makes of the text.

    :param name: what ``--help`` calls the value.
    :param parse: the function. The ValueError that it raises says what the text must be.
    """

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value. One that is not a text was converted before."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ValueError as problem:
            self.fail(str(problem), param, ctx)


def _file_mode(text: str) -> int:
    if not re.fullmatch("0?[0-7]{3}", text):
        raise ValueError("must be three octal digits, such as 660")
    return int(text, 8)


def _http_address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not re.fullmatch("[0-9]{1,5}", port):
        raise ValueError("must be an address and a port, such as 127.0.0.1:8181")
    return host.strip("[]"), int(port)


def _numbers(text: str) -> list[int]:
    numbers: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"\s*([0-9]{1,5})(?:-([0-9]{1,5}))?\s*", part)
        wanted = range(int(found[1]), int(found[2] or found[1]) + 1) if found else None
        if not wanted:
            raise ValueError("must be numbers such as 0-7 or 1,3")
        numbers.update(wanted)
    return sorted(numbers)


FILE_MODE: Final = Parsed("MODE", _file_mode)
"""Three octal digits, such as 660: a number."""
HTTP_ADDRESS: Final = Parsed("ADDRESS:PORT", _http_address)
"""Such as 127.0.0.1:8181 or [::1]:8181: the host, without brackets, and the port."""
NUMBERS: Final = Parsed("NUMBERS", _numbers)
"""Such as 0-7,9: a sorted list."""
