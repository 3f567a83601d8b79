"""An expression of RE2 finds the same by each way."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from chained_logging.redact import expression
from chained_logging.redact.names import compile_bytes

DATA = b"a1 b22 \xe9\xa0 c333"


def by_hand() -> list[tuple[tuple[int, int], ...]]:
    found = compile_bytes(rb"([a-z])(x)?([0-9]+)")
    matches = found.finditer(DATA)
    return [(match.span(), *(match.span(group) for group in (1, 2, 3))) for match in matches]


@pytest.mark.parametrize("wrapped", ["as it is", "without what is not documented", "another form"])
def test_spans_are_those_of_the_matches(monkeypatch: pytest.MonkeyPatch, wrapped: str) -> None:
    compiled = expression.re2.compile

    def hidden(pattern: bytes, options: Any) -> Any:
        made = compiled(pattern, options)
        names = {name: getattr(made, name) for name in (*expression._METHODS, "groups")}
        if wrapped == "another form":
            names["_regexp"] = SimpleNamespace(Match=lambda *_: 7)
        return SimpleNamespace(**names)

    if wrapped != "as it is":
        monkeypatch.setattr(expression.re2, "compile", hidden)
    found = compile_bytes(rb"([a-z])(x)?([0-9]+)")
    assert [tuple(spans) for spans in found.each(DATA)] == by_hand()
    assert tuple(found.find(DATA, 1) or ()) == by_hand()[1]
    assert found.find(DATA, len(DATA)) is None
    assert (compile_bytes(rb"\b7").find(b"x7 7", 1) or ())[0] == (3, 4)
