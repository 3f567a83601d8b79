"""The form of a policy: how long and how strictly objects are locked."""

from __future__ import annotations

import pytest

from chained_logging.format.vkey import ED25519, VerifierKey
from chained_logging.keys import PrivateKey
from chained_logging.ship.s3.policy import POLICY_SIGNER, Policy, parse_object


def test_a_policy_comes_back_and_is_bounded() -> None:
    policy = Policy(2192, "COMPLIANCE", "GOVERNANCE 30 days")
    assert Policy.parse(policy.format()) == policy
    assert policy.covers(Policy(2192, "GOVERNANCE"))
    assert not Policy(2192, "GOVERNANCE").covers(policy)
    for days, mode in ((0, "COMPLIANCE"), (36_501, "COMPLIANCE"), (1, "NONE"), (True, "X")):
        with pytest.raises(ValueError, match=r"retention|mode"):
            Policy(days, mode)
    for data in (b"", b"{}", b"[]", b"[" * 10**5, policy.format()[:-1], b'{"format":1}\n'):
        with pytest.raises(ValueError, match="not a policy"):
            Policy.parse(data)


STORE = "s3://bucket/logs"


def next_of(policy: Policy, days: int, key: PrivateKey, mode: str = "COMPLIANCE") -> bytes:
    return Policy(days, mode, policy.default, policy.key).sign(STORE, key)


def test_the_key_that_a_policy_names_signs_the_next_one() -> None:
    key = PrivateKey.generate()
    vkey = VerifierKey(POLICY_SIGNER, ED25519, key.public_key).format()
    policy = Policy(30, "COMPLIANCE", None, vkey)
    longer = policy.parse_next(next_of(policy, 60, key), STORE)
    assert (longer.days, longer.key) == (60, vkey)
    assert policy.parse_next(policy.format(), STORE) is policy  # put once more
    for data, store, why in (
        (next_of(policy, 60, PrivateKey.generate()), STORE, ""),
        (next_of(policy, 60, key), "s3://bucket/others", "a policy of s3://bucket/logs"),
        (next_of(policy, 29, key), STORE, "shorter or weaker"),
        (next_of(policy, 60, key, "GOVERNANCE"), STORE, "shorter or weaker"),
        (Policy(60, "COMPLIANCE").format(), STORE, ""),
    ):
        with pytest.raises(ValueError, match=why or None):
            policy.parse_next(data, store)


def test_a_policy_without_a_key_is_the_last_one() -> None:
    policy = Policy(30, "COMPLIANCE")
    with pytest.raises(ValueError, match="names no key, so no other can follow it"):
        policy.parse_next(next_of(policy, 60, PrivateKey.generate()), STORE)


def test_an_object_of_another_format_is_refused() -> None:
    assert parse_object(b'{"format":1,"x":2}', "it") == {"format": 1, "x": 2}
    for data in (b'{"format":2}', b"[]", b"{", b"[" * 100_000, b" " * 10_000_000):
        with pytest.raises(ValueError, match="not it"):
            parse_object(data, "it")
