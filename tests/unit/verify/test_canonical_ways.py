"""Canonical form is judged in few calls, by parsers in C, and by the book: all ways agree."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from types import ModuleType
from typing import Any

import orjson
import pytest
from verifiers import ALONE, MODULE

# --- Texts of every shape, canonical or nearly so. They are cheap, as there are many.

CHARACTERS = '"\\/\n\x00\x1f\x7fé\uffff\U0001f600\ud800a1:,]}e.'


def some_string(chance: random.Random) -> str:
    return "".join(chance.choices(CHARACTERS, k=chance.randrange(4)))


def some_number(chance: random.Random) -> int | float:
    how = chance.randrange(5)
    if how == 0:
        return chance.randrange(-(10 ** chance.randrange(1, 21)), 10 ** chance.randrange(1, 21))
    if how == 1:
        return round(chance.uniform(-1000, 1000), chance.randrange(4))
    if how == 2:
        return chance.randrange(-99, 99) * float(10) ** chance.randrange(-9, 24)
    if how == 3:
        found: float = struct.unpack("d", chance.randbytes(8))[0]
        return found
    return chance.choice((0, 1.0, -0.0, 1e16, 1e21, 1e-5, 1e-6, 1e-7, 5e-324, 2.0**53, 2**53 - 1))


def some_value(chance: random.Random, depth: int = 0) -> Any:
    how = chance.randrange(7 if depth < 3 else 5)
    if how < 2:
        return some_number(chance)
    if how == 2:
        return some_string(chance)
    if how < 5:
        return chance.choice((None, True, False, "", "a,1.0]", "-7e1,", [], {}))
    if how == 5:
        return [some_value(chance, depth + 1) for _ in range(chance.randrange(4))]
    return some_object(chance, depth + 1)


def some_object(chance: random.Random, depth: int = 0) -> dict[str, Any]:
    return {some_string(chance): some_value(chance, depth) for _ in range(chance.randrange(4))}


def canonical(value: Any) -> str:
    """Write a value as RFC 8785 does, if it holds no large integer."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{canonical(key)}:{canonical(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if type(value) is float and value - value == 0:
        return str(MODULE._number(value))
    return json.dumps(value, ensure_ascii=False)


def as_python(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def as_orjson(value: Any) -> str:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:  # for a lone surrogate, or an integer past 64 bits
        return as_python(value)


WRITERS: tuple[Callable[[Any], str], ...] = (*[canonical] * 3, as_python, as_orjson, json.dumps)


def some_text(chance: random.Random) -> bytes:
    text = chance.choice(WRITERS)(some_object(chance))
    how = chance.randrange(4)
    if how == 0:
        whole = chance.choice(("0", "7", "1234567890123456789012"[: chance.randrange(1, 23)]))
        rest = chance.choice(("", ".0", ".5", ".50", ".00001", ".000001"))
        end = chance.choice(("", "", "e5", "e16", "e+16", "e+21", "e-5", "e-07", "e-7", "E1"))
        text = f'{{"a":[{chance.choice(("", "-"))}{whole}{rest}{end}]}}'
    elif how == 1:
        at = chance.randrange(1, len(text))
        what = chance.choice((*'0123456789"\\{}[]:,.-e+ ', "},{"))
        text = text[:at] + what + text[at + chance.randrange(2) :]
    return text.encode("utf-8", "surrogatepass")


# --- The ways.


def by_the_book(texts: list[bytes]) -> str | None:
    """Return what the texts hold, or None where one is not canonical."""
    try:
        return repr({text: MODULE._parse(text, exactly=True) for text in texts})
    except MODULE._Bad:
        return None


def quickly(module: ModuleType, texts: list[bytes]) -> str | None:
    try:
        found = module._parse_all(texts)
    except module._Bad:
        return None
    return repr({text: found[text] for text in texts})


@pytest.mark.parametrize("module", [MODULE, ALONE])
def test_few_calls_say_what_the_book_says(module: ModuleType) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)
    counts = [0, 0]
    for _ in range(10_000):
        texts = [some_text(chance) for _ in range(chance.choice((1, 1, 2, 3)))]
        said = by_the_book(texts)
        counts[said is None] += 1
        assert quickly(module, texts) == said, (seed, texts)
    assert min(counts) > 1000  # both happen


@pytest.mark.parametrize("module", [MODULE, ALONE])
@pytest.mark.parametrize(
    "texts",
    [
        [b'{"a":1', b'"b":2}', b"{},{}"],  # as many objects as texts, when they are joined
        [b'{"a":[{}', b"{}]}", b"{},{}"],
        [b'{"a":1}', b'{"b":2} '],
        [b'{"a":1e16}'],  # as one of the parsers writes it, and RFC 8785 does not
        [b'{"a":1e+16}'],
        [b'{"a":[1e-05]}'],
        [b'{"a":1e-5}'],
        [b'{"a":1.0}'],
        [b'{"a":-0.0}'],
        [b'{"a":-0}'],
        [b'{"a":NaN}'],
        [b'{"a":1234567890123456789}'],
        [b'{"a":9007199254740993}'],
        ['{"\U00010000":1,"\uffff":2}'.encode()],  # in this order by UTF-16 alone
        ['{"\uffff":1,"\U00010000":2}'.encode()],
        [b'{"a":"\\ud800"}'],
        [b'{"a":"\xed\xa0\x80"}'],
        [b'{"a":1e-7,"b":1e+21,"c":0.00001,"d":100000000000000000000}'],
    ],
)
def test_what_a_parser_in_c_takes_for_canonical(module: ModuleType, texts: list[bytes]) -> None:
    assert quickly(module, texts) == by_the_book(texts)


@pytest.mark.parametrize("module", [MODULE, ALONE])
def test_one_odd_text_among_many_is_found(module: ModuleType) -> None:
    ordinary = [b'{"n":%d}' % number for number in range(100)]
    for odd in (b'{"n":1e16}', b'{"n":1.0}', b'{"n":0,"n":0}', b'{"n": 1}', b'{"n":1}{"n":2}'):
        for at in (0, 50, 100):
            assert quickly(module, [*ordinary[:at], odd, *ordinary[at:]]) is None
    texts = [*ordinary, b'{"n":1e-7}', b'{"n":0.000001}', b'{"n":1e+21}']
    found = quickly(module, texts)
    assert found is not None
    assert found == by_the_book(texts)
