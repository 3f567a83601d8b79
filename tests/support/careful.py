"""The redactor without anything that saves work: each text is taken apart by each finder."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pytest

from chained_logging.redact import Redactor, scan, tokens
from chained_logging.redact.names import compile_bytes
from chained_logging.redact.scan import Scanner
from chained_logging.redact.spans import Span
from chained_logging.redact.text import Texts
from chained_logging.redact.walk import Walk

_ANYTHING = compile_bytes(b"")
_ENOUGH = 10**9  # work, in bytes


class _CarefulScanner(Scanner):
    def may_hold(self, data: bytes) -> bool:
        return True

    def members_may_hold(self, data: bytes) -> bool:
        return True

    @staticmethod
    def is_marked(data: bytes) -> bool:
        return True

    def spans(self, data: bytes, **given: Any) -> list[Span] | None:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(tokens, "_CLUE", _ANYTHING)
            patched.setattr(scan, "_DIGITS", _ANYTHING)
            finders = tuple((_ANYTHING, finder) for _, finder in scan._FINDERS)
            patched.setattr(scan, "_FINDERS", finders)
            return super().spans(data, **given)


class Careful(Redactor):
    """Finds what :class:`Redactor` must find."""

    def __init__(self, **rules: Any) -> None:
        super().__init__(**rules)
        self._scanner = _CarefulScanner(self.names)
        self.texts = Texts(self._scanner, rules.get("patterns", ()))  # type: ignore[misc]

    def __call__(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        return _CarefulWalk(self, _ENOUGH).event(event)

    def is_clean(self, text: str) -> bool:
        return False

    def passing(self, event: Mapping[Any, Any]) -> Collection[Any]:
        return ()

    def is_harmless(self, text: str) -> bool:
        return False

    def is_shown(self, key: str) -> bool:
        return False

    def holds_nothing(self, key: Any, value: Any) -> bool:
        return False


class _CarefulWalk(Walk):
    def _together(self, values: list[Any]) -> None:
        pass
