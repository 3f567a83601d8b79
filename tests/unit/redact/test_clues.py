"""Clues: what a text has in it that may hold a secret."""

from __future__ import annotations

import re

import pytest

from chained_logging.redact.clues import CLUES, is_arn, is_mere_label, with_plus
from chained_logging.redact.names import compile_bytes

CLUE = compile_bytes(b"|".join(CLUES))


@pytest.mark.parametrize(
    "text",
    [
        b"Authorization: bearer\tx",
        b"mysql -pa",
        b"ghp_16C7e42F292c6912E7710c838347A",
        b"4111 1111 1111 1111",
        b"DE89370400440532013000",
        b"078-05-1120",
        b"cGFzc3dvcmQ",
        b"/cb?sig=1",
        b"sig%3D1",
        b'{"query":{"page":1,"code":"x"}}',
        b"https://ann:x@example.com",
        b'["tool","-p","hunter2"]',
        b'"base64:aGk="',
        rb"\u0070assword",
        "\u043e".encode(),
    ],
)
def test_each_kind_of_secret_leaves_a_clue(text: bytes) -> None:
    assert CLUE.find(text) is not None


@pytest.mark.parametrize(
    "text",
    [b"an ordinary line of text", b'{"page":2,"q":"a b"}', b"https://example.com/a?page=2", b"12"],
)
def test_an_ordinary_text_has_no_clue(text: bytes) -> None:
    assert CLUE.find(text) is None


def test_a_label_counts_where_a_member_has_its_value() -> None:
    label = b'"name":"Cookie"'
    for data, mere in ((b"{%b}", True), (b'{%b,"Value":"x"}', False), (b'{%b,"id":1}', True)):
        assert is_mere_label(data % label, 1, 1 + len(label)) is mere
    assert not is_mere_label(b"{}", 0, 2)


def test_an_arn_has_no_value_behind_its_colon() -> None:
    for text, arn in (
        (b"arn:aws:secretsmanager:us-east-1:123456789012:secret:prod", True),
        (b"arn:aws:secretsmanager:us-east-1:123456789012:secret: prod", False),
        (b"the secret:prod", False),
    ):
        at = text.index(b"secret:")
        assert is_arn(text, at, at + 7) is arn, text


def test_a_plus_counts_as_a_blank_and_not_where_a_blank_is_excluded() -> None:
    assert with_plus(rb"a b[ ,]c[^ ]\[ d") == rb"a[ +]b[ +,]c[^ ]\[[ +]d"
    assert re.fullmatch(with_plus(rb"set to"), b"set+to")
