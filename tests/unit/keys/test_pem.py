"""PEM and encrypted PKCS#8, as OpenSSL reads them."""

from __future__ import annotations

import base64
import re
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from key_files import FUZZ, KEY, PASSPHRASE, RFC_PRIVATE, RFC_PUBLIC, one_sentence, private, ssl

from chained_logging.keys import (
    PrivateKey,
    load_public,
    pem,
)


def test_a_saved_key_is_well_encrypted(file: Path) -> None:
    KEY.save(file, PASSPHRASE)
    assert "ENCRYPTED PRIVATE KEY" in file.read_text()
    found = ssl("asn1parse", "-in", file).decode()
    assert re.findall(r"OBJECT +:(\S+)", found) == [
        "PBES2",
        "PBKDF2",
        "hmacWithSHA256",
        "aes-256-cbc",
    ]
    assert re.findall(r"INTEGER +:(\S+)", found) == [f"{600_000:06X}"]
    KEY.save(again := file.with_name("again"), PASSPHRASE)
    assert again.read_bytes() != file.read_bytes()  # salt and IV are new


@FUZZ
@given(
    label=st.sampled_from(["PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "PUBLIC KEY"]), data=st.data()
)
def test_altered_der(label: str, data: st.DataObject, file: Path) -> None:
    """Here the base64 is always right, so that what is in it is read."""
    whole = base64.b64decode(RFC_PRIVATE.split("\n")[1])
    if label == "PUBLIC KEY":
        whole = base64.b64decode(RFC_PUBLIC.split("\n")[1])
    elif label == "ENCRYPTED PRIVATE KEY":
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pem, "ITERATIONS", 100)
            whole = pem.encrypted_pkcs8(whole, PASSPHRASE.encode())
    der = bytearray(data.draw(st.one_of(st.just(whole), st.binary(max_size=200))))
    if der:
        at = data.draw(st.integers(0, len(der) - 1))
        der[at] = data.draw(st.integers(0, 255))
    private(file, pem.to_pem(label, bytes(der)))
    one_sentence(partial(PrivateKey.load, file, PASSPHRASE if "ENC" in label else None))
    one_sentence(partial(load_public, file))


def test_a_block_has_lines_of_64_characters() -> None:
    text = pem.to_pem("PUBLIC KEY", bytes(range(100)))
    assert [len(line) for line in text.splitlines()[1:-1]] == [64, 64, 8]
    [(label, body)] = pem.BLOCK.findall(text)
    assert (label, base64.b64decode(body)) == ("PUBLIC KEY", bytes(range(100)))
    assert pem.LABEL.findall(text.encode()) == [b"PUBLIC KEY"]


@pytest.mark.usefixtures("few_rounds")
def test_each_encryption_has_a_salt_and_a_vector_of_its_own() -> None:
    made = {pem.encrypted_pkcs8(b"key", b"secret") for _ in range(3)}
    assert len(made) == 3
