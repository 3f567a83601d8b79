"""What a witness is asked, as bytes."""

from __future__ import annotations

import pytest
from witness_logs import A
from witness_servers import saying

from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.note import Note
from chained_logging.format.spelling import NoteError
from chained_logging.transparency.witness import (
    ask,
    format_request,
    parse_request,
)

EXAMPLE = """\
old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
"""  # noqa: E501 -- a signature line is one line

EXAMPLE_ANSWER = """\
— witness.example/w1 CMp+6LWBU0anHGH5aNDTJkH/gj79sG+T6+iP2ThYN5krrDJbR1HDnucjL39QsZTSvVjyQLrdk3DXDqI5G2HgLatVs0pWh6Up69HVOw==
— witness.example/w1 I7rEps0pvK2UqkS2gSpVUDhrhVtQV9lgF6pRrWAvjJHjyWpW7VcE3SiOlVlbQNt64vWhO+DlkL0+UfzuOBMh9ChdMkP1vi/lCAsmlw==
— witness.example/w2 AWui8Sk55XjYLOijihBjhqEH6nS1ndDymE0a+6idX7pLcnoB+dhnz0854aLZgrrKbYKA7nC3HNJhm/kWl7oJlqU3rXXvpysAdyP3wQ==
"""  # noqa: E501


def test_the_examples_of_the_specification() -> None:
    request = parse_request(EXAMPLE.encode())
    assert (request.old_size, len(request.proof)) == (20852014, 4)
    assert Checkpoint.parse(request.note.text).size == 20852163
    note = request.note.format()
    assert format_request(request.old_size, request.proof, note) == EXAMPLE.encode()
    with saying(200, EXAMPLE_ANSWER.encode()) as url:
        signatures = ask(url, request.old_size, request.proof, note)
    assert [each.format() for each in signatures] == EXAMPLE_ANSWER.splitlines()


def test_a_proof_file_is_a_request() -> None:
    assert format_request(0, [], b"x") == b"old 0\n\nx"
    assert parse_request(A.request(0, 3)) == (0, [], Note.parse(A.note(3)))
    assert parse_request(A.request(3, 7)).proof == A.proof(3, 7)


@pytest.mark.parametrize(
    ("old", "proof"), [(-1, []), (2**63, []), (1, [bytes(32)] * 64), (1, [bytes(31)]), (1, [b""])]
)
def test_what_cannot_be_a_request_is_not_sent(old: int, proof: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"size|hash"):
        format_request(old, proof, A.note(3))
    with pytest.raises(ValueError, match=r"size|hash"):
        ask("http://127.0.0.1:1", old, proof, A.note(3))


@pytest.mark.parametrize(
    "body",
    [
        b"old 3\n\n",
        b"old 03\n\n%b",
        b"old -1\n\n%b",
        b"size 3\n\n%b",
        b"old 3\n%b",
        b"old 3\n" + b"A" * 42 + b"B=\n\n%b",  # bits that mean nothing are set
        b"old 3\nAAAA\n\n%b",
        b"old 3\n!\n\n%b",
        b"old 3\n" + (b"A" * 43 + b"=\n") * 64 + b"\n%b",
    ],
)
def test_what_is_no_request_is_refused(body: bytes) -> None:
    note = A.note(7).replace(b"\n\n", b"\n") if body == b"old 3\n%b" else A.note(7)
    with pytest.raises(NoteError):
        parse_request(body.replace(b"%b", note))
    assert parse_request(b"old 3\n" + b"A" * 43 + b"=\n\n" + A.note(7)).proof == [bytes(32)]
