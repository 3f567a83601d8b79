"""Which keys a log's entries name, and which of them nobody but the log could have named."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from chains import EVENT
from signed_logs import ORIGIN, Key, own, pin

from chained_logging.event.draft import draft
from chained_logging.format.line import leaf_hash
from chained_logging.format.record import EMPTY, Head, Record
from chained_logging.format.vkey import VerifierKey
from chained_logging.keys.keyring import Keyring
from chained_logging.keys.statements import statement_message

FIRST, SECOND, EVIL = Key(), Key(), Key()


class Chain:
    """Entries one after the other, each shown to a keyring."""

    def __init__(self) -> None:
        self.keyring = Keyring(ORIGIN)
        self.head = EMPTY
        self.records: list[Record] = []

    def add(self, event: dict[str, Any], own: bool = True) -> Keyring:
        body = draft(event, own=own).body(self.head.seq + 1, self.head.hash)
        self.head = Head(self.head.seq + 1, leaf_hash(body))
        self.records.append(Record(self.head.seq, body, self.head.hash))
        self.keyring.look(self.records[-1])
        return self.keyring

    def open(self, key: Key | None = FIRST) -> Keyring:
        return self.add(own("log.open", origin=ORIGIN, **({"public_key": pin(key)} if key else {})))

    def rotate(self, signer: Key, old: Key, new: Key) -> Keyring:
        position = (ORIGIN, self.head.seq + 1, self.head.hash, pin(old), pin(new))
        statement = signer.sign(statement_message("key.rotate", *position))
        return self.add(
            own(
                "key.rotate",
                old_public_key=pin(old),
                public_key=pin(new),
                statement=base64.b64encode(statement).decode(),
            )
        )


@pytest.fixture
def chain() -> Chain:
    return Chain()


def test_the_first_entry_names_the_first_key(chain: Chain) -> None:
    keyring = chain.open()
    assert (keyring.current, keyring.since, keyring.next) == (pin(FIRST), 0, 1)
    assert keyring.known == [VerifierKey.parse(pin(FIRST))]
    keyring = chain.add({"action": "read", **EVENT}, own=False)
    assert (keyring.current, keyring.since, keyring.next) == (pin(FIRST), 0, 2)
    assert keyring.trouble is None


def test_a_log_without_a_key_is_given_one(chain: Chain) -> None:
    assert chain.open(None).current is None
    keyring = chain.add(own("key.add", public_key=pin(FIRST)))
    assert (keyring.current, keyring.since, keyring.trouble) == (pin(FIRST), 1, None)


def test_the_key_before_names_the_next_one(chain: Chain) -> None:
    chain.open()
    keyring = chain.rotate(FIRST, FIRST, SECOND)
    assert (keyring.current, keyring.since, keyring.trouble) == (pin(SECOND), 1, None)
    assert [key.format() for key in keyring.known] == [pin(FIRST), pin(SECOND)]


@pytest.mark.parametrize(
    ("add", "said"),
    [
        (lambda c: c.rotate(EVIL, FIRST, EVIL), "the key before did not sign its statement"),
        (lambda c: c.rotate(EVIL, EVIL, EVIL), "the key before is not the log's key"),
        (lambda c: c.add(own("key.rotate")), "it names no key of this log"),
        (lambda c: c.add(own("key.add", public_key=pin(EVIL))), "the log had a key already"),
        (lambda c: c.open(EVIL), "a log is opened by its first entry, and by no other"),
    ],
)
def test_a_key_that_the_log_did_not_name_is_trouble(chain: Chain, add: Any, said: str) -> None:
    chain.open()
    keyring = add(chain)
    assert keyring.trouble is not None
    assert keyring.trouble.startswith("entry 1 (")
    assert said in keyring.trouble
    assert (keyring.current, keyring.since) == (pin(FIRST), 0)


def test_the_first_trouble_is_the_one_that_is_told(chain: Chain) -> None:
    chain.open()
    chain.add(own("key.add", public_key=pin(EVIL)))
    assert "entry 1 " in (chain.add(own("key.rotate")).trouble or "")


def test_what_a_caller_logs_names_no_key(chain: Chain) -> None:
    chain.open()
    event = {**EVENT, "action": "key.add", "context": {"public_key": pin(EVIL)}}
    keyring = chain.add(event, own=False)
    assert (keyring.current, keyring.trouble) == (pin(FIRST), None)


def test_a_revoked_key_is_kept_with_its_first_entry(chain: Chain) -> None:
    chain.open()
    for _ in range(2):
        keyring = chain.add(own("key.revoke", ("key", pin(FIRST))))
    assert keyring.revoked == {pin(FIRST): 1}
    assert keyring.trouble is None


def test_a_signed_checkpoint_vouches_for_a_key(chain: Chain) -> None:
    chain.open()
    chain.rotate(FIRST, FIRST, SECOND)
    at_name, later = Keyring(ORIGIN), Keyring(ORIGIN)
    at_name.trust(pin(SECOND), chain.records[1])
    assert (at_name.current, at_name.since, at_name.next) == (pin(SECOND), 1, 2)
    later.trust(pin(FIRST), chain.records[1])  # the seal of a rotation: it is still to be checked
    assert (later.current, later.since, later.next) == (pin(FIRST), -1, 1)
    later.look(chain.records[1])
    assert (later.current, later.trouble) == (pin(SECOND), None)


def test_what_was_written_here_needs_no_check(chain: Chain) -> None:
    keyring = chain.open()
    keyring.wrote(1, 3)
    assert keyring.next == 4
    keyring.wrote(7, 3)  # others wrote in between
    assert keyring.next == 4
