"""Canonical form is judged in few calls, by parsers in C, and by the book: all ways agree."""

from __future__ import annotations

import hashlib
import ipaddress
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


# --- Whole lines. What the one expression and the judged objects take for good, the rules do too.

ID = "01a21fb2-d91b-7725-bf99-9cbc050a19ce"
NAMES = (
    *("u", "DOMAIN\\user", "ü", "x" * 1024, "x" * 1025, "é" * 512, "", "\x00", "unknown", 7, None),
    *('"', "\x1f" * 3, '"' * 1024, '"' * 1025, "x" * 1023 + '"', "x" * 1024 + '"'),
)
EDGES: dict[str, tuple[Any, ...]] = {
    "action": NAMES,
    "actor_id": (*NAMES, "chained_logging"),
    "actor_type": ("user", "service", "system", "admin", "unknown", "robot", None),
    "changed_fields": ([], ["a"], ["a", 'b"\\'], ["\x00"], [1], "a", {}),
    "id": (ID, ID.upper(), ID.replace("-7", "-4"), ID[:-1], 1),
    "ip_address": ("::1", "::01", "10.0.0.01", "unknown", None, "", "::ffff:1.2.3.4", 1),
    "on_behalf_of": NAMES,
    "prev_hash": ("GENESIS", "A" * 64, "a" * 63, None),
    "reason": ("", "é\n", "\x00", 1.5, None),
    "resource_id": NAMES,
    "resource_type": NAMES,
    "resources": ([], [{"id": "1", "type": "a"}], [{"id": ""}], [{"id": "", "type": "a"}], {}, [1]),
    "result": ("success", "failure", "denied", "unknown", "great", 1),
    "seq": (1, 10**14, 2**53, -1, 1.5, True, "1"),
    "session_id": NAMES,
    "tenant_id": NAMES,
    "timestamp": (
        "2024-02-28T23:59:59.000000Z",
        "2024-02-29T23:59:59.000000Z",
        "2023-02-29T00:00:00.000000Z",
        "2023-04-31T00:00:00.000000Z",
        "2023-04-30T24:00:00.000000Z",
        "2023-04-30T00:00:00Z",
        1,
    ),
    "trace_id": ("1f" * 16, "0" * 32, "1F" * 16, "1f", 1),
    "user_agent": ("", "é", "a\\", "\x00", 1),
    "v": (1, 1.0, True, 2, "1"),
    "x": (1,),
}
GOOD: dict[str, Any] = {
    "action": "read",
    "actor_id": "u",
    "actor_type": "user",
    "id": ID,
    "ip_address": "10.0.0.1",
    "prev_hash": "a" * 64,
    "resource_id": "1",
    "resource_type": "record",
    "result": "success",
    "seq": 7,
    "timestamp": "2026-11-27T08:13:02.123456Z",
    "v": 1,
}
LARGE = f"sha256:{'0' * 64} (70000 bytes)"
OWN: tuple[dict[str, Any], ...] = (
    {"invalid": {"actor_id": 1}},
    {"invalid": {"x": 1}},
    {"invalid": {"reason": 1}},
    {"invalid": 7},
    {"oversize": ["/context/n"], "n": LARGE},
    {"oversize": ["/context/n"], "n": 1},
    {"oversize": ["/reason"], "m": 1e-7},
    {"resources_part": {"id": ID, "number": 1, "of": 2}},
    {"resources_part": {"id": ID, "number": 2, "of": 2}},
)


def some_line(chance: random.Random) -> bytes:
    entry: dict[str, Any] = {**GOOD, "context": some_object(chance)}
    if chance.randrange(3) == 0:
        entry["context"] = {**entry["context"], **chance.choice(OWN)}
    if chance.randrange(3) == 0:
        entry["old_values"] = some_object(chance)
    for name in chance.sample(sorted(EDGES), chance.randrange(4)):
        likely = EDGES[name][: chance.choice((2, 2, len(EDGES[name])))]
        entry[name] = chance.choice(likely)
    if chance.randrange(20) == 0:
        del entry[chance.choice(sorted(entry))]
    write = chance.choice((canonical, canonical, canonical, as_python))
    body = write(entry).encode("utf-8", "surrogatepass")
    if chance.randrange(4) == 0:
        at = chance.randrange(len(body))
        body = (
            body[:at]
            + chance.choice(b'0123456789"\\{}[]:,.-e+ \xc3').to_bytes(1, "big")
            + body[at + 1 :]
        )
    return body[:-1] + b',"hash":"%b"}' % hashlib.sha256(b"\0" + body).hexdigest().encode()


def in_one_expression(module: ModuleType, line: bytes) -> tuple[bool, bool] | None:
    """Return whether a line is incomplete or oversize; None if it is left to the rules."""
    body, _, context, address, old, prev, *_ = module._rows_of(line + b"\n")[0]
    try:
        if not body or prev != b"a" * 64:  # what is before it says whether that is right
            return None
        if not module._is_utf8(line) or not module._addresses_obey({address}):
            return None
        incomplete, oversize = module._marks([body], [context], [old])
    except module._Bad:
        return None
    return bool(incomplete), bool(oversize)


@pytest.mark.parametrize("module", [MODULE, ALONE])
def test_what_one_expression_takes_for_good_the_rules_do(module: ModuleType) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)
    good = quick = 0
    for _ in range(10_000):
        line = some_line(chance)
        read = MODULE._read_line(line, exactly=True)
        good += read.bad is None and read.prev == "a" * 64
        found = in_one_expression(module, line)
        if found is not None:
            quick += 1
            assert read.bad is None, (seed, line)
            assert found == (read.incomplete, read.oversize), (seed, line)
    assert good > 1000
    assert quick > 0.9 * good  # and it takes nearly all


@pytest.mark.parametrize(
    "text",
    [
        *("0.0.0.0", "255.255.255.255", "256.1.1.1", "1.2.3", "1.2.3.4.5", "1.2.3.4\n", "1.2.3.4 "),
        *("01.2.3.4", "1.2.3.00", "1.2.3.260", "1.2.3.199", "1.2.3.٤", "1..3.4", "-1.2.3.4", ""),
        *("::1", "::01", "::ffff:1.2.3.4", "::1%1", "1.2.3.4%1", "0x1.2.3.4", "999.1.1.1"),
        *(f"10.{byte}.{byte}.{byte}" for byte in range(300)),
    ],
)
def test_addresses_are_those_of_the_standard_library(text: str) -> None:
    """Most are found by an expression alone."""
    try:
        address = ipaddress.ip_address(text)
        expected = str(address) == text and getattr(address, "ipv4_mapped", None) is None
    except ValueError:
        expected = False
    assert MODULE._is_address(text) is (expected and "%" not in text)
