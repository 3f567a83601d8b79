"""Checkpoints against C2SP tlog-checkpoint."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import example, given
from signed_notes import ZEROS, checkpoints

from chained_logging.format import merkle
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.spelling import NoteError


@given(checkpoints)
@example(Checkpoint("x", 0, merkle.EMPTY_ROOT))
@example(Checkpoint("an origin with spaces + more", 1, bytes(32), ("\x85", "\u2028")))
def test_a_checkpoint_is_read_as_it_was_written(checkpoint: Checkpoint) -> None:
    assert Checkpoint.parse(checkpoint.format()) == checkpoint


def test_the_example_of_tlog_checkpoint() -> None:
    root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
    checkpoint = Checkpoint.parse(f"example.com/behind-the-sofa\n20852163\n{root}\n")
    expected = Checkpoint("example.com/behind-the-sofa", 20_852_163, base64.b64decode(root))
    assert checkpoint == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "\n\n\n",
        f"x\n1\n{ZEROS}",
        f"x\n1\n{ZEROS}\n\n",
        f"x\n1\n{ZEROS}\n\nmore\n",
        f"x\n1\n{ZEROS}\nmore",
        f"\n1\n{ZEROS}\n",
        f"x\n\n{ZEROS}\n",
        "x\n1\n\n",
        "x\n1\n",
        f"x\n01\n{ZEROS}\n",
        f"x\n+1\n{ZEROS}\n",
        f"x\n-1\n{ZEROS}\n",
        f"x\n1_0\n{ZEROS}\n",
        f"x\n 1\n{ZEROS}\n",
        f"x\n1 \n{ZEROS}\n",
        f"x\n1\r\n{ZEROS}\n",
        f"x\n0x1\n{ZEROS}\n",
        f"x\n٣\n{ZEROS}\n",
        f"x\n{2**63}\n{ZEROS}\n",
        f"x\n{'9' * 5000}\n{ZEROS}\n",
        f"x\n0\n{ZEROS}\n",  # the root of the empty tree is another
        f"x\n1\n{ZEROS[:-1]}\n",
        f"x\n1\n{ZEROS[:-2]}B=\n",
        f"x\n1\n{ZEROS} \n",
        f"x\n1\n{bytes(32).hex()}\n",
        f"x\n1\n{ZEROS.replace('A', '-', 1)}\n",
        f"x\n1\n{base64.b64encode(bytes(31)).decode()}\n",
        f"x\n1\n{base64.b64encode(bytes(33)).decode()}\n",
        f"x\0\n1\n{ZEROS}\n",
        f"x\ud800\n1\n{ZEROS}\n",
        f"x\n1\n{ZEROS}\n\t\n",
    ],
    ids=lambda text: ascii(text)[:40],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    "arguments",
    [
        ("", 1, bytes(32)),
        ("a\nb", 1, bytes(32)),
        ("x", -1, bytes(32)),
        ("x", 2**63, bytes(32)),
        ("x", 1, bytes(20)),
        ("x", 0, bytes(32)),
        ("x", 1, bytes(32), ("",)),
        ("x", 1, bytes(32), ("a\n",)),
    ],
)
def test_a_checkpoint_that_cannot_be_is_refused(arguments: Any) -> None:
    with pytest.raises(NoteError):
        Checkpoint(*arguments)
