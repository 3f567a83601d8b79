"""The value behind a name: what joins the two, and where the value ends."""

from __future__ import annotations

import pytest

from chained_logging.redact.assigned import JOINT, value_after


def value(text: str, name: str = "password") -> str | None:
    """Return the value behind a name in a text."""
    data = text.encode()
    at = data.index(name.encode())
    end = at + len(name)
    joint = JOINT.match(data, end)
    if joint is None:
        return None
    span = value_after(data, joint, name.encode(), data[max(at - 1, 0) : at])
    return None if span is None else data[slice(*span)].decode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password=a1 b2", "a1"),
        ("password := a1&x=2", "a1"),
        ("password=Bearer a1 b2", "Bearer a1"),
        ("password=[redacted] x", "[redacted]"),
        ('password="two \\" words" x', 'two \\" words'),
        ("password=b'a1' x", "a1"),
        ("password=[a1, (b2)] x", "[a1, (b2)]"),
        ("password=<a1 b2> x", "<a1 b2>"),
        ('password="never closed', "never closed"),
        ('{"password": "a1", "x": 2}', "a1"),
        ('{"password": a1, "x": 2}', "a1"),
        ("('password', 'a1')", "a1"),
    ],
)
def test_a_value_behind_a_sign_ends_where_it_is_closed(text: str, expected: str) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password: hunter2 was given", "hunter2"),
        ("password: reset", "reset"),  # at the end of its line
        ("password: reset by the user", None),
        ("password: 'two words' x", "two words"),
        ("secret:password:hunter2", None),  # a part of a name
        ("password: =[redacted]", None),
    ],
)
def test_a_value_behind_a_colon_is_told_from_a_sentence(text: str, expected: str | None) -> None:
    assert value(text) == expected


def test_the_value_of_a_header_is_its_line() -> None:
    assert value("Cookie: a=1; b=2\r\nAccept: x", "Cookie") == "a=1; b=2"
    assert value("curl -H 'Cookie: a=1; b=2' x", "Cookie") == "a=1; b=2"


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("--password hunter2 x", "--password", "hunter2"),
        ("--password --verbose", "--password", None),
        ("password is hunter2 now", "password", "hunter2"),
        ("password is wrong", "password", None),
        ("PASSWORD 'x y'", "PASSWORD", "x y"),
        ("password hunter2", "password", None),
    ],
)
def test_a_value_behind_a_blank_needs_an_option_a_verb_or_a_quotation_mark(
    text: str, name: str, expected: str | None
) -> None:
    assert value(text, name) == expected


def test_a_part_of_a_form_and_an_element_end_with_their_marks() -> None:
    part = 'name="password"\r\nContent-Type: x/y\r\n\r\na1\r\nb2\r\n--boundary'
    assert value(part) == "a1\r\nb2"
    assert value('<input name="password">a1</input>') == "a1"
    assert value("<b>password>a1</b>") is None


def test_a_thicket_of_brackets_is_taken_as_a_whole() -> None:
    text = "password=" + "[" * 1_000
    assert value(text + " x") == "[" * 1_000 + " x"
