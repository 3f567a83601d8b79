"""Key files against OpenSSL, against wrong hands and against damage; and what they never tell."""

from __future__ import annotations

import base64
import contextlib
import copy
import errno
import os
import pickle
import re
import stat
import subprocess
import sys
import textwrap
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import oracles
import pytest
from chains import often
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chained_logging.errors import FAILURES, ForeignFile, Unsupported
from chained_logging.format import note as notes
from chained_logging.format.spelling import NoteError
from chained_logging.format.vkey import COSIGNATURE, ED25519, Signer, VerifierKey
from chained_logging.keys import (
    PrivateKey,
    PublicKey,
    destroy,
    load_public,
    owner_file,
    passphrase_from,
    pem,
    public_pem,
)
from chained_logging.keys import private as private_keys

ed25519 = oracles.module("cryptography.hazmat.primitives.asymmetric.ed25519")

# RFC 8410, 10.1 and 10.3.
RFC_PRIVATE = """\
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
"""
RFC_PUBLIC = """\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
"""
SEED = base64.b64decode("1O5y2/kTWErVttjx92n4rTr+fCjL8dT74Jeoj0R1WEI=")
RAW = base64.b64decode("Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=")
KEY = PrivateKey(ed25519.Ed25519PrivateKey.from_private_bytes(SEED))
VKEY = VerifierKey("example.com/log", ED25519, RAW).format()
WITNESS = VerifierKey("witness.example/w", COSIGNATURE, RAW).format()
MESSAGE = b"example.com/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
PASSPHRASE = "correct horse"


def ssl(*arguments: str | Path, given: bytes | None = None) -> bytes:
    command = [oracles.openssl(), *map(str, arguments)]
    done = subprocess.run(command, input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def private(path: Path, data: str | bytes = RFC_PRIVATE, mode: int = 0o600) -> Path:
    """Write a file as somebody else would."""
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    path.chmod(mode)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "audit.key"


@pytest.fixture
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not the passphrase's strength that is tested."""
    monkeypatch.setattr(pem, "ITERATIONS", 1000)


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


# --- The file.


@pytest.mark.parametrize("umask", [0, 0o022, 0o777])
def test_a_new_file_is_for_its_owner_alone(file: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        KEY.save(file)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PrivateKey.load(file).public_key == RAW


def test_it_is_so_from_its_first_moment_on(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    real = os.open

    def spy(path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
        if Path(path) == file:
            opened.append((flags, mode))
        return real(path, flags, mode, **more)

    monkeypatch.setattr(os, "open", spy)
    KEY.save(file)
    ((flags, mode),) = opened
    assert mode == 0o600
    assert flags & os.O_EXCL
    assert flags & os.O_NOFOLLOW
    assert flags & os.O_CLOEXEC


def test_it_is_on_the_disk_before_save_returns(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[object] = []
    monkeypatch.setattr(owner_file, "sync_file", lambda fd: synced.append(os.fstat(fd).st_size))
    monkeypatch.setattr(owner_file, "sync_directory", synced.append)
    KEY.save(file)
    assert synced == [len(RFC_PRIVATE), file]


@pytest.mark.parametrize("fails", ["sync_file", "sync_directory"])
def test_what_cannot_be_written_whole_is_not_left(
    file: Path, fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(owner_file, fails, full)
    with pytest.raises(OSError, match="No space"):
        KEY.save(file)
    assert list(file.parent.iterdir()) == []


def test_nothing_is_written_over(file: Path, tmp_path: Path) -> None:
    private(file, "precious")
    (link := tmp_path / "link").symlink_to(file)
    (dangling := tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for there in (file, link, dangling, tmp_path):
        with pytest.raises(FileExistsError) as caught:
            KEY.save(there)
        assert str(caught.value) == f"{there} exists already, and a key is never overwritten"
    assert file.read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


def test_a_passphrase_that_cannot_be_leaves_no_file(file: Path) -> None:
    for passphrase in ("", b"", "x" * 1024, "\ud800"):
        with pytest.raises(ValueError, match=r"^the passphrase "):
            KEY.save(file, passphrase)
    assert not file.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o666, 0o4644, 0o440])
def test_a_file_that_others_can_use_is_refused(file: Path, mode: int) -> None:
    private(file, mode=mode)
    for read in (PrivateKey.load, lambda path: passphrase_from(file=path)):
        with pytest.raises(ForeignFile) as caught:
            read(file)
        assert str(caught.value) == (
            f"{file} has mode {mode:04o} and is not for its owner alone: chmod 600 {file}"
        )


def test_the_advice_can_be_pasted_into_a_shell(tmp_path: Path) -> None:
    file = private(tmp_path / "my $(key)", mode=0o644)
    with pytest.raises(ForeignFile) as caught:
        PrivateKey.load(file)
    subprocess.run(str(caught.value).partition("alone: ")[2], shell=True, check=True)
    assert PrivateKey.load(file).public_key == RAW


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_of_its_owner_is_read(file: Path, mode: int) -> None:
    assert PrivateKey.load(private(file, mode=mode)).public_key == RAW


def test_a_link_is_as_good_as_where_it_leads(file: Path, tmp_path: Path) -> None:
    private(file)
    (first := tmp_path / "first").symlink_to(file)
    (second := tmp_path / "second").symlink_to(first)
    assert PrivateKey.load(second).public_key == RAW
    file.chmod(0o644)
    with pytest.raises(ForeignFile, match="has mode 0644"):
        PrivateKey.load(second)
    file.unlink()
    with pytest.raises(FileNotFoundError):
        PrivateKey.load(second)
    first.unlink()
    first.symlink_to(first)
    with pytest.raises(OSError, match="symbolic links"):
        PrivateKey.load(second)


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(fifo := tmp_path / "fifo", 0o600)
    for path in (tmp_path, fifo, Path("/dev/zero")):
        for read in (PrivateKey.load, lambda path: passphrase_from(file=path)):
            with pytest.raises(ForeignFile, match=r"is not a regular file$"):
                read(path)


def test_a_large_file_is_refused(file: Path) -> None:
    comment = "# " + "x" * (owner_file.MAX_FILE - len(RFC_PRIVATE) - 3) + "\n"
    assert PrivateKey.load(private(file, comment + RFC_PRIVATE)).public_key == RAW
    with pytest.raises(ForeignFile, match="has more than 65536 bytes"):
        PrivateKey.load(private(file, "#" + comment + RFC_PRIVATE))
    os.truncate(file, 1 << 40)  # no memory is taken for it
    with pytest.raises(ForeignFile, match="has more than 65536 bytes"):
        PrivateKey.load(file)


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


def one_sentence(call: Callable[[], object]) -> None:
    """Call something that may refuse, with a sentence and without what other code said."""
    try:
        call()
        return
    except (*FAILURES, ValueError) as error:
        caught = error
    assert not isinstance(caught, UnicodeError)
    assert "\n" not in str(caught)
    assert caught.__cause__ is None
    assert caught.__suppress_context__ or caught.__context__ is None
    assert "1O5y2" not in str(caught)  # how the base64 of the key begins


@pytest.fixture(scope="module")
def specimens(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("specimens")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pem, "ITERATIONS", 1000)
        KEY.save(folder / "encrypted", PASSPHRASE)
    return {"plain": RFC_PRIVATE.encode(), "encrypted": (folder / "encrypted").read_bytes()}


FUZZ = settings(
    max_examples=often(300),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


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


@FUZZ
@given(content=st.binary(max_size=300))
def test_any_file(content: bytes, file: Path) -> None:
    private(file, content)
    with pytest.raises(ValueError, match=r"is not a private key in PEM$"):
        PrivateKey.load(file)
    one_sentence(partial(load_public, file))


# --- Passphrases from elsewhere.


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


# --- Destroying.


def test_a_destroyed_key_was_overwritten_first(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    KEY.save(file)
    file.chmod(0o400)
    done: list[object] = []
    unlink = os.unlink
    monkeypatch.setattr(owner_file, "sync_file", lambda fd: done.append(oct(os.fstat(fd).st_mode)))
    monkeypatch.setattr(owner_file, "sync_directory", done.append)

    def spy(path: Path) -> None:
        done.append(path.read_bytes())
        unlink(path)

    monkeypatch.setattr(os, "unlink", spy)
    destroy(file)
    assert done == ["0o100600", bytes(len(RFC_PRIVATE)), file]
    assert list(file.parent.iterdir()) == []


def test_an_interrupted_destruction_goes_on(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    KEY.save(file)

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", stop)
        with pytest.raises(KeyboardInterrupt):
            destroy(file)
    assert file.read_bytes() == bytes(len(RFC_PRIVATE))
    destroy(str(file))
    assert not file.exists()
    with pytest.raises(FileNotFoundError):
        destroy(file)


def test_the_name_goes_even_where_nothing_can_be_overwritten(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    KEY.save(file)

    def broken(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "pwrite", broken)
    destroy(file)
    assert not file.exists()


def test_another_name_of_the_key_does_not_keep_it(file: Path, tmp_path: Path) -> None:
    KEY.save(file)
    os.link(file, other := tmp_path / "other")
    destroy(file)
    assert other.read_bytes() == bytes(len(RFC_PRIVATE))


def test_what_is_no_key_is_not_destroyed(file: Path, tmp_path: Path) -> None:
    for content in (b'{"action":"read"}\n', RFC_PUBLIC.encode(), bytes(owner_file.MAX_FILE + 1)):
        private(file, content)
        with pytest.raises(ValueError, match=r"is not a private key, and was left as it is$"):
            destroy(file)
        assert file.read_bytes() == content
    private(file)
    (link := tmp_path / "link").symlink_to(file)
    with pytest.raises(ForeignFile, match="is a link"):
        destroy(link)
    os.mkfifo(fifo := tmp_path / "fifo")
    for path in (tmp_path, fifo):
        with pytest.raises(ForeignFile, match=r"is not a regular file$"):
            destroy(path)
    assert file.read_text() == RFC_PRIVATE
    assert link.is_symlink()


# --- Public keys.


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
    start = time.perf_counter()
    with pytest.raises(ValueError, match="is not one public key"):
        load_public(text + "\nx\ny")
    assert time.perf_counter() - start < 1


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


def test_without_file_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner_file, "os", SimpleNamespace(name="nt"))
    for call in (partial(KEY.save, "x"), partial(PrivateKey.load, "x"), partial(destroy, "x")):
        with pytest.raises(Unsupported, match=r"^private keys are not kept in files on this"):
            call()
