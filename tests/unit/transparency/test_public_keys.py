"""Keys of witnesses and logs, as users name them."""

from __future__ import annotations

from pathlib import Path

import pytest
from note_keys import LOG_KEY, ORIGIN, OTHER, WITNESS_KEY

from chained_logging.format.vkey import ED25519, VerifierKey
from chained_logging.keys.public import public_pem
from chained_logging.transparency.public_keys import log_keys, witness_key

PEM = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n"


def test_a_witnesss_key_is_a_vkey_or_a_file_with_one(tmp_path: Path) -> None:
    vkey = WITNESS_KEY.format()
    file = tmp_path / "w.vkey"
    assert witness_key(vkey) == WITNESS_KEY
    for text in (f"{vkey}\n", f"{PEM}{vkey}\n"):  # as keygen prints it, under the PEM
        file.write_text(text)
        assert witness_key(str(file)) == WITNESS_KEY


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (LOG_KEY.format(), "is a log's key, not a witness's"),
        ("witness.example/w1", "is not a witness's key"),
        (PEM, "PEM holds no name; give the vkey"),
        (f"{WITNESS_KEY.format()}\n{WITNESS_KEY.format()}", "is not a witness's key"),
    ],
)
def test_what_is_not_a_witnesss_key_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        witness_key(text)


def test_a_log_may_have_several_keys(tmp_path: Path) -> None:
    new = VerifierKey(ORIGIN, ED25519, OTHER.public_key)
    file = tmp_path / "log.vkey"
    file.write_text(new.format())
    assert log_keys([LOG_KEY.format(), str(file)]) == {ORIGIN: [LOG_KEY, new]}
    assert log_keys([]) == {}


def test_a_logs_key_contains_its_name() -> None:
    with pytest.raises(ValueError, match="must be a vkey, which contains the log's name"):
        log_keys([public_pem(OTHER.public_key)])
