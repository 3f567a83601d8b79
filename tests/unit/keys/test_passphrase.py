"""Passphrases from the environment and from files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from key_files import KEY, PASSPHRASE, private, ssl

from chained_logging.keys import (
    PrivateKey,
    passphrase_from,
)


def test_a_passphrase_that_cannot_be_leaves_no_file(file: Path) -> None:
    for passphrase in ("", b"", "x" * 1024, "\ud800"):
        with pytest.raises(ValueError, match=r"^the passphrase "):
            KEY.save(file, passphrase)
    assert not file.exists()


@pytest.mark.usefixtures("few_rounds")
def test_passphrases_that_do_not_fit(file: Path) -> None:
    KEY.save(file, PASSPHRASE)
    with pytest.raises(ValueError, match=f"^the private key in {file} is encrypted and needs a"):
        PrivateKey.load(file)
    for wrong in ("wrong", PASSPHRASE + "\n", PASSPHRASE.upper(), b"\xff"):
        with pytest.raises(
            ValueError, match=f"^the passphrase is wrong, or the private key in {file}"
        ):
            PrivateKey.load(file, wrong)
    for impossible in ("", b"", "x" * 1024, "\udcff"):
        with pytest.raises(ValueError, match=r"^the passphrase (is empty|has )"):
            PrivateKey.load(file, impossible)
    private(file)
    for superfluous in ("x", ""):
        with pytest.raises(
            ValueError, match=f"^a passphrase was given, but the key in {file} is not"
        ):
            PrivateKey.load(file, superfluous)


def test_a_passphrase_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHAINED_LOGGING_PASSPHRASE", raising=False)
    assert passphrase_from() is None
    monkeypatch.setenv("CHAINED_LOGGING_PASSPHRASE", "a b ü ")
    assert passphrase_from() == "a b ü ".encode()
    monkeypatch.setitem(os.environb, b"OTHER", b"\xff\xfe raw")
    assert passphrase_from("OTHER") == b"\xff\xfe raw"
    for value, said in (("", "is empty"), ("x" * 1024, "has more than 1023 bytes")):
        monkeypatch.setenv("CHAINED_LOGGING_PASSPHRASE", value)
        with pytest.raises(
            ValueError, match=f"^the passphrase in CHAINED_LOGGING_PASSPHRASE {said}$"
        ):
            passphrase_from()


@pytest.mark.parametrize(
    ("content", "passphrase"),
    [
        (b"one", b"one"),
        (b"one\n", b"one"),
        (b"one \ntwo\n", b"one "),
        (b"one\r\n", b"one\r"),
        ("Grüße\n".encode(), "Grüße".encode()),
        (b"\xff\xfe\n", b"\xff\xfe"),
        (b"x" * 1023 + b"\n", b"x" * 1023),
    ],
)
@pytest.mark.usefixtures("few_rounds")
def test_a_passphrase_from_a_file(
    file: Path, tmp_path: Path, content: bytes, passphrase: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAINED_LOGGING_PASSPHRASE", "not this one")
    secret = private(tmp_path / "secret", content)
    assert passphrase_from(file=secret) == passphrase
    KEY.save(file, passphrase_from(file=secret))
    ssl("pkey", "-in", file, "-noout", "-passin", f"file:{secret}")  # OpenSSL takes the same of it


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "is empty"), (b"\nx\n", "is empty"), (b"x" * 1024, "has more than")]
)
def test_files_without_a_passphrase(file: Path, content: bytes, said: str) -> None:
    private(file, content)
    with pytest.raises(ValueError, match=f"^the passphrase in {file} {said}"):
        passphrase_from(file=file)
