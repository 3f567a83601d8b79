"""Key files against OpenSSL, against wrong hands and against damage; and what they never tell."""

from __future__ import annotations

import base64
import contextlib
import copy
import os
import pickle
import re
import sys
import textwrap
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import oracles
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from key_files import (
    FUZZ,
    KEY,
    MESSAGE,
    PASSPHRASE,
    RAW,
    RFC_PRIVATE,
    RFC_PUBLIC,
    SEED,
    one_sentence,
    private,
    ssl,
)

from chained_logging.errors import FAILURES
from chained_logging.format import note as notes
from chained_logging.format.vkey import ED25519, Signer, VerifierKey
from chained_logging.keys import (
    PrivateKey,
    load_public,
    passphrase_from,
    pem,
    public_pem,
)
from chained_logging.keys import private as private_keys

ed25519 = oracles.module("cryptography.hazmat.primitives.asymmetric.ed25519")


# --- Round trips.


def test_the_key_of_rfc_8410(file: Path) -> None:
    loaded = PrivateKey.load(private(file))
    assert loaded.public_key == RAW
    assert public_pem(RAW) == RFC_PUBLIC
    KEY.save(again := file.with_name("again"))
    assert again.read_text() == RFC_PRIVATE


def test_the_signatures_of_rfc_8032() -> None:
    seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
    key = PrivateKey(ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed)))
    public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert key.public_key.hex() == public
    assert key.sign(b"").hex() == (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )


@pytest.mark.parametrize(
    "passphrase", [None, "pass phrase", "Grüße, 世界", b"\xff\x00\xfe", "x" * 1023]
)
@pytest.mark.usefixtures("few_rounds")
def test_what_is_saved_is_loaded(file: Path, passphrase: str | bytes | None) -> None:
    key = PrivateKey.generate()
    key.save(file, passphrase)
    loaded = PrivateKey.load(str(file), passphrase)
    assert loaded.public_key == key.public_key
    assert loaded.sign(MESSAGE) == key.sign(MESSAGE)  # Ed25519 signatures are deterministic
    if isinstance(passphrase, str):
        assert PrivateKey.load(file, passphrase.encode()).public_key == key.public_key


def test_generated_keys_differ() -> None:
    assert len({PrivateKey.generate().public_key for _ in range(10)}) == 10


def test_it_is_a_signer() -> None:
    signer: Signer = PrivateKey.generate()
    note = notes.sign_note(MESSAGE.decode(), "example.com/log", signer)
    known = VerifierKey("example.com/log", ED25519, signer.public_key)
    assert [one.key for one in notes.verify_note(note, [known])] == [known]


def test_the_example_of_a_kms_works() -> None:
    code = (private_keys.__doc__ or "").partition("``::\n")[2].partition("\n\nThe package")[0]
    names: dict[str, Any] = {"partial": partial}
    exec(textwrap.dedent(code), names)

    class Kms:
        """What of boto3's client for AWS KMS is used."""

        def get_public_key(self, KeyId: str) -> dict[str, bytes]:
            assert KeyId == "alias/audit"
            return {
                "PublicKey": ssl("pkey", "-pubin", "-outform", "DER", given=RFC_PUBLIC.encode())
            }

        def sign(self, **call: Any) -> dict[str, bytes]:
            assert call.pop("KeyId") == "alias/audit"
            message = call.pop("Message")
            assert call == {"MessageType": "RAW", "SigningAlgorithm": "ED25519_SHA_512"}
            return {"Signature": KEY.sign(message)}

    signer: Signer = names["KmsKey"](Kms(), "alias/audit")
    assert signer.public_key == RAW
    assert notes.sign_note("text\n", "name", signer) == notes.sign_note("text\n", "name", KEY)


# --- OpenSSL reads what is written here, and the other way round.


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_openssl_reads_our_keys(file: Path, tmp_path: Path, passphrase: str | None) -> None:
    key = PrivateKey.generate()
    key.save(file, passphrase)
    secret = ["-passin", f"file:{private(tmp_path / 'secret', f'{passphrase}')}"] * bool(passphrase)
    assert ssl("pkey", "-in", file, "-pubout", *secret).decode() == public_pem(key.public_key)
    ssl("pkey", "-in", file, "-check", "-noout", *secret)

    message, signature = tmp_path / "message", tmp_path / "signature"
    message.write_bytes(MESSAGE)
    ssl("pkeyutl", "-sign", "-inkey", file, "-rawin", "-in", message, "-out", signature, *secret)
    assert signature.read_bytes() == key.sign(MESSAGE)
    (public := tmp_path / "public").write_text(public_pem(key.public_key))
    verify: list[str | Path] = [
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        public,
        "-rawin",
        "-sigfile",
        signature,
    ]
    signature.write_bytes(key.sign(MESSAGE))
    assert ssl(*verify, "-in", message) == b"Signature Verified Successfully\n"
    message.write_bytes(MESSAGE + b"x")
    with pytest.raises(AssertionError):
        ssl(*verify, "-in", message)


@pytest.mark.parametrize(
    "arguments",
    [
        "genpkey -algorithm ed25519",
        "genpkey -algorithm ed25519 -aes256 -pass pass:secret",
        "pkcs8 -topk8 -nocrypt -in {key}",
        "pkcs8 -topk8 -scrypt -passout pass:secret -in {key}",
        "pkcs8 -topk8 -v2 aes-128-cbc -v2prf hmacWithSHA512 -iter 9 -passout pass:secret -in {key}",
        "pkcs8 -topk8 -v2 des3 -passout pass:secret -in {key}",
    ],
)
def test_openssls_keys_are_read(file: Path, arguments: str) -> None:
    KEY.save(file)
    made = file.with_name("made")
    ssl(*arguments.format(key=file).split(), "-out", made)
    made.chmod(0o600)
    secret = "secret" if "pass:" in arguments else None
    key = PrivateKey.load(made, secret)
    shown = ssl("pkey", "-in", made, "-pubout", "-passin", "pass:secret").decode()
    assert shown == public_pem(key.public_key)
    if "{key}" in arguments:
        assert key.public_key == RAW


# --- What is in it.


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is not a private key in PEM"),
        ("garbage", "is not a private key in PEM"),
        (b"\xff\x00" * 100, "is not a private key in PEM"),
        (base64.b64decode(RFC_PRIVATE.split("\n")[1]), "is not a private key in PEM"),
        (RFC_PRIVATE * 2, "is not a private key in PEM"),
        (RFC_PRIVATE + RFC_PUBLIC, "is not a private key in PEM"),
        (RFC_PUBLIC, "has a PUBLIC KEY in it"),
        (RFC_PRIVATE.replace("PRIVATE", "EC PRIVATE"), "has a EC PRIVATE KEY in it"),
        (RFC_PRIVATE.replace("PRIVATE", "OPENSSH PRIVATE"), "has a OPENSSH PRIVATE KEY in it"),
        (RFC_PRIVATE.replace("MC4C", "MC4D"), "is damaged"),
        (RFC_PRIVATE.replace("MC4C", "M*4C"), "is damaged"),
        (RFC_PRIVATE.replace("-----END", "----END"), "is damaged"),
        (RFC_PRIVATE.replace("MC4C", ""), "is damaged"),
    ],
)
def test_what_is_no_key_is_refused(file: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        PrivateKey.load(private(file, content))
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ("-algorithm RSA -pkeyopt rsa_keygen_bits:2048", "RSA"),
        ("-algorithm EC -pkeyopt ec_paramgen_curve:P-256", "EC|EllipticCurve"),
        ("-algorithm X25519", "X25519"),
        ("-algorithm Ed448", "Ed448"),
    ],
)
def test_other_keys_are_refused(file: Path, arguments: str, kind: str) -> None:
    ssl("genpkey", *arguments.split(), "-out", file)
    file.chmod(0o600)
    with pytest.raises(ValueError, match=f"is not an Ed25519 key but ({kind})$"):
        PrivateKey.load(file)


# --- What is never told.


def told(error: BaseException | None) -> str:
    """Return all that could be logged of an error, with what is behind it."""
    text = ""
    while error is not None:
        text += f"{error} {error!r} {error.args} {getattr(error, 'object', '')!r}"
        text += "".join(traceback.format_exception(error))
        error = error.__cause__ or error.__context__
    return text


def spellings(secret: bytes) -> list[str]:
    return [
        secret.hex(),
        secret.decode("latin-1"),
        repr(secret)[2:-1],
        base64.b64encode(secret).decode().rstrip("=")[:-1],
        str(int.from_bytes(secret, "big")),
        str(list(secret)),
    ]


def test_a_key_shows_its_public_half_only() -> None:
    shown = f"{KEY!r} {KEY} {KEY.__class__.__dict__} {dir(KEY)}"
    assert repr(KEY) == f"<PrivateKey of the public key {RAW.hex()}>"
    assert not hasattr(KEY, "__dict__")
    for spelling in spellings(SEED):
        assert spelling not in shown


def test_a_key_is_neither_pickled_nor_copied() -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match=r"^a private key can be neither pickled nor copied"):
            pickle.dumps(KEY, protocol)
    for copied in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match=r"^a private key can be neither pickled nor copied"):
            copied(KEY)
    with pytest.raises(TypeError, match=r"^a private key can be neither pickled nor copied"):
        copy.deepcopy({"key": KEY})


PASSPHRASES = st.one_of(
    st.text(st.characters(), min_size=8, max_size=40),
    st.text(min_size=8, max_size=40).map(lambda text: text + "\ud834"),
    st.binary(min_size=8, max_size=40),
    st.text("abcdef0123456789", min_size=1024, max_size=1100),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_error_tells_a_secret(
    data: st.DataObject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pem, "ITERATIONS", 1000)
    passphrase = data.draw(PASSPHRASES)
    seed = data.draw(st.binary(min_size=32, max_size=32).filter(lambda it: len(set(it)) > 8))
    # Words of this file and of its messages would be found in any traceback.
    text = passphrase if isinstance(passphrase, str) else passphrase.decode("latin-1")
    sources = [Path(__file__), *Path(pem.__file__).parent.glob("*.py")]
    source = "".join(each.read_text() for each in sources)
    if text in source or len(set(text)) < 4:
        return
    key = PrivateKey(ed25519.Ed25519PrivateKey.from_private_bytes(seed))
    folder = tmp_path / os.urandom(8).hex()
    folder.mkdir()
    plain, encrypted, wrong, secret = (folder / name for name in ("p", "e", "w", "s"))
    key.save(plain)
    with contextlib.suppress(ValueError):
        key.save(encrypted, passphrase)
    key.save(wrong, "another one")
    with contextlib.suppress(UnicodeEncodeError):
        private(secret, passphrase if isinstance(passphrase, bytes) else passphrase.encode(), 0o644)
    damaged = private(folder / "d", plain.read_text().replace("MC4C", "MC4D"))
    calls: list[Callable[[], object]] = [
        lambda: key.save(plain, passphrase),
        lambda: key.save(folder / "nowhere" / "x", passphrase),
        lambda: PrivateKey.load(plain, passphrase),
        lambda: PrivateKey.load(wrong, passphrase),
        lambda: PrivateKey.load(encrypted),
        lambda: PrivateKey.load(encrypted, "another one"),
        lambda: PrivateKey.load(damaged),
        lambda: load_public(plain),
        lambda: load_public(plain.read_text()),
        lambda: load_public(damaged.read_text()),
        lambda: passphrase_from(file=secret),
        lambda: pickle.dumps(key),
        lambda: copy.deepcopy(key),
    ]
    heard = repr(key)
    for call in calls:
        try:
            call()
        except (*FAILURES, ValueError, TypeError) as error:
            heard += told(error)
    assert heard.count("Traceback") >= 10
    for spelling in (text, repr(text)[1:-1], *spellings(seed)):
        assert spelling not in heard


# --- Damage. Whatever is in the file, there is a key, or one sentence of two classes.


@pytest.fixture(scope="module")
def specimens(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("specimens")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pem, "ITERATIONS", 1000)
        KEY.save(folder / "encrypted", PASSPHRASE)
    return {"plain": RFC_PRIVATE.encode(), "encrypted": (folder / "encrypted").read_bytes()}


@FUZZ
@given(kind=st.sampled_from(["plain", "encrypted"]), data=st.data())
def test_altered_files(
    kind: str, data: st.DataObject, specimens: dict[str, bytes], file: Path
) -> None:
    content = bytearray(specimens[kind])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        change = data.draw(st.sampled_from(["byte", "cut", "end", "double"]))
        if change == "byte":
            content[at] = data.draw(st.integers(0, 255))
        elif change == "cut":
            del content[at : at + data.draw(st.integers(1, 8))]
        elif change == "end":
            del content[at:]
        else:
            content[at:at] = content[at : at + 20]
        if not content:
            break
    private(file, bytes(content))
    for passphrase in (None, PASSPHRASE, "wrong"):
        one_sentence(partial(PrivateKey.load, file, passphrase))
    one_sentence(partial(load_public, file))


@FUZZ
@given(content=st.binary(max_size=300))
def test_any_file(content: bytes, file: Path) -> None:
    private(file, content)
    with pytest.raises(ValueError, match=r"is not a private key in PEM$"):
        PrivateKey.load(file)
    one_sentence(partial(load_public, file))


# --- Where something is missing.


def test_without_cryptography(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private(file)
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    for call in (PrivateKey.generate, lambda: PrivateKey.load(file)):
        with pytest.raises(ImportError, match=r"pip install cryptography$"):
            call()
    assert load_public(public_pem(RAW)).raw == RAW  # public keys need nothing
