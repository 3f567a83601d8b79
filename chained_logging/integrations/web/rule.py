"""Which requests count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any


class Rule:
    """Which requests count, as lines: ``-read static``, ``read patient*``.

    A line is an action and a resource type, both of which may hold ``*``; a leading minus leaves
    out what matches. The first line that matches decides; what none matches counts. What was
    denied or failed always counts.

    :raises ValueError: for a line that is not of this form.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        if isinstance(lines, str):
            raise ValueError(f"rule must be a list of lines, such as [{lines!r}]")
        self._lines: list[tuple[bool, str, str]] = []
        for line in lines:
            words = line.removeprefix("-").split()
            if len(words) != 2:
                raise ValueError(f"a rule must be an action and a resource type, not {line!r}")
            self._lines.append((not line.startswith("-"), words[0], words[1]))

    def __call__(self, event: Mapping[str, Any]) -> bool:
        """Whether this event is recorded."""
        if event["result"] != "success":
            return True
        for counts, action, kind in self._lines:
            if fnmatchcase(str(event["action"]), action) and fnmatchcase(
                str(event["resource_type"]), kind
            ):
                return counts
        return True
