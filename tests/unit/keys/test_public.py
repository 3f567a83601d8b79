"""Public keys as PEM, as a vkey, or as both."""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from key_files import RAW, RFC_PRIVATE, RFC_PUBLIC, VKEY, WITNESS, ssl

from chained_logging.format.spelling import NoteError
from chained_logging.format.vkey import ED25519, VerifierKey
from chained_logging.keys import (
    PublicKey,
    load_public,
    owner_file,
    public_pem,
)


@pytest.mark.parametrize("ending", ["", "\n", "\r\n", "\n\n"])
def test_public_keys_are_read_as_text_and_as_files(tmp_path: Path, ending: str) -> None:
    both = f"{RFC_PUBLIC}{VKEY}\n"
    for text, name in [
        (RFC_PUBLIC, None),
        (RFC_PUBLIC.replace("\n", "\r\n"), None),
        (f"Public-Key: (256 bit)\npub:\n{RFC_PUBLIC}", None),
        (VKEY, "example.com/log"),
        (both, "example.com/log"),
        (f"{VKEY}\n{RFC_PUBLIC}", "example.com/log"),
    ]:
        assert load_public(text + ending) == PublicKey(name, RAW)
        (path := tmp_path / "public").write_bytes((text + ending).encode())
        assert load_public(path) == load_public(str(path)) == PublicKey(name, RAW)


def test_a_file_may_be_called_like_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a+b+c").write_text(VKEY)
    assert load_public("a+b+c").name == "example.com/log"
    Path("x+00000000+AA==").write_text(VKEY)
    assert load_public(Path("x+00000000+AA==")).name == "example.com/log"
    with pytest.raises(ValueError, match="is not valid: the ID in the verifier key"):
        load_public("x+00000000+AA==")


@given(st.binary(min_size=32, max_size=32), st.text(st.characters(codec="utf-8"), max_size=20))
def test_public_keys_come_back(raw: bytes, name: str) -> None:
    with contextlib.suppress(NoteError):  # a point of small order
        VerifierKey("a", ED25519, raw)
        assert load_public(public_pem(raw)) == (None, raw)
    with contextlib.suppress(NoteError):
        vkey = VerifierKey(name, ED25519, raw).format()
        assert load_public(vkey) == (name, raw)
        assert load_public(public_pem(raw) + vkey) == (name, raw)


@pytest.mark.parametrize("raw", [b"", b"x" * 31, b"x" * 33])
def test_a_public_key_has_32_bytes(raw: bytes) -> None:
    with pytest.raises(ValueError, match=f"must have 32 bytes, not {len(raw)}$"):
        public_pem(raw)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("two\nlines", "the text is not one public key"),
        (RFC_PUBLIC * 2, "the text is not one public key"),
        (f"{VKEY}\n{VKEY}", "the text is not one public key"),
        (f"{RFC_PUBLIC}{VKEY}\n{VKEY}", "the text is not one public key"),
        ("-----BEGIN PUBLIC KEY-----\n", "the text is not one public key"),
        (
            f"{RFC_PUBLIC}{'x' * owner_file.MAX_FILE}",
            "the text is not a public key: it has more than",
        ),
        (RFC_PRIVATE, "the text has a PRIVATE KEY in it, not a PUBLIC KEY"),
        (RFC_PUBLIC.replace("MCow", "MC*w"), "the public key in the text is damaged"),
        (RFC_PUBLIC.replace("MCow", "MCox"), "the public key in the text is not an Ed25519 key"),
        (RFC_PUBLIC.replace("2VwA", "2VuA"), "the public key in the text is not an Ed25519 key"),
        (RFC_PUBLIC.replace("ZuE=", ""), "the public key in the text is not an Ed25519 key"),
        (WITNESS, "the public key in the text is a witness's, which signs no notes"),
        (VKEY.replace("com", "org"), "the public key in the text is not valid: the ID in the"),
        (
            RFC_PUBLIC + VerifierKey("x", ED25519, b"3" * 32).format(),
            "the PEM and the vkey in the text are not the same key",
        ),
    ],
)
def test_what_is_no_public_key_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        load_public(text)


def test_public_keys_of_other_kinds_are_refused(tmp_path: Path) -> None:
    for kind in ("X25519", "Ed448", "RSA"):
        ssl("genpkey", "-algorithm", kind, "-out", tmp_path / "key")
        ssl("pkey", "-in", tmp_path / "key", "-pubout", "-out", tmp_path / "public")
        with pytest.raises(ValueError, match=r"public is not an Ed25519 key$"):
            load_public(tmp_path / "public")


def test_files_that_are_no_public_key(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere is neither a file nor a public key$"):
        load_public(tmp_path / "nowhere")
    with pytest.raises(IsADirectoryError):
        load_public(tmp_path)
    (tmp_path / "large").write_text("x" * (owner_file.MAX_FILE + 1))
    with pytest.raises(
        ValueError, match=r"large is not a public key: it has more than 65536 bytes$"
    ):
        load_public(tmp_path / "large")
    with pytest.raises(
        ValueError, match=r"zero is not a public key: it has more than 65536 bytes$"
    ):
        load_public("/dev/zero")
    (tmp_path / "binary").write_bytes(b"\xff" * 44)
    with pytest.raises(ValueError, match=r"binary is not a public key: it is not text$"):
        load_public(tmp_path / "binary")


@pytest.mark.parametrize(
    "text", ["-----BEGIN A-----" * 3800, "-----BEGIN " * 5900, "+" * 65_000, "\n" * 65_000]
)
def test_hostile_text_costs_no_time(text: str) -> None:
    start = time.process_time()
    with pytest.raises(ValueError, match="is not one public key"):
        load_public(text + "\nx\ny")
    assert time.process_time() - start < 3
