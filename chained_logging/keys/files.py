"""Ed25519 keys: private ones in files of their own, public ones as text.

A private key is kept as PKCS#8 in PEM (RFC 5958, RFC 8410), encrypted with a passphrase or not, so
that ``openssl pkey`` reads what is written here and the other way round. Its file is for its owner
alone. Nothing that is raised or shown here holds a key or a passphrase.

Whatever signs is a :class:`chained_logging.format.vkey.Signer`, and :class:`PrivateKey` is only the
one that keeps its key in a file. A key that never leaves an HSM or a KMS takes a class like this,
here for a key of AWS KMS of the type ``ECC_NIST_EDWARDS25519``::

    class KmsKey:
        def __init__(self, kms, id):
            self._sign = partial(kms.sign, KeyId=id, SigningAlgorithm="ED25519_SHA_512")
            self.public_key = kms.get_public_key(KeyId=id)["PublicKey"][-32:]
        def sign(self, data):
            return self._sign(Message=data, MessageType="RAW")["Signature"]

The package `cryptography` is needed for private keys only: ``pip install cryptography``.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
import secrets
import shlex
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn, final

from chained_logging.files.durable import sync_directory, sync_file
from chained_logging.format.spelling import NoteError
from chained_logging.format.vkey import ED25519, VerifierKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

StrPath = str | os.PathLike[str]

PASSPHRASE_VARIABLE: Final = "CHAINED_LOGGING_PASSPHRASE"  # noqa: S105 -- a name
"""The environment variable that :func:`passphrase_from` reads."""

MAX_FILE: Final = 65_536
"""The largest file in bytes that is read as a key or a passphrase."""

MAX_PASSPHRASE: Final = 1023
"""The longest passphrase in bytes that OpenSSL can use, and so that others can decrypt with."""

ITERATIONS: Final = 600_000
"""Rounds of PBKDF2-HMAC-SHA256 for an encrypted key, as OWASP has it; OpenSSL's default is 2,048.
They are what each guess of a passphrase costs: about 0.2 s."""


# --- Private keys.


@final
class PrivateKey:
    """An Ed25519 private key in this process's memory. It is a Signer.

    It cannot be pickled or copied, and shows no more than its public key. What it cannot do is
    wipe itself: Python and OpenSSL may leave the key in freed memory, in a core dump or in swap.

    :param key: a key of `cryptography`, if you have one already; else use :meth:`generate` or
        :meth:`load`.
    """

    __slots__ = ("_key", "_public_key")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self._public_key = key.public_key().public_bytes_raw()

    @classmethod
    def generate(cls) -> PrivateKey:
        """Return a new key from the operating system's random numbers.

        :raises ImportError: if `cryptography` is not installed.
        """
        _require_cryptography()
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: StrPath, passphrase: str | bytes | None = None) -> PrivateKey:
        """Return the key in a file that this package, OpenSSL or another program wrote.

        A symbolic link is followed, because Kubernetes hands over secrets as links. All that is
        asked of a file is asked of the one at its end, once it is open, so that nothing can be put
        in its place in between.

        :param passphrase: for an encrypted key, and for no other. Text is taken as UTF-8.
        :raises OSError: if the file cannot be read, is not a regular file, is larger than 64 KiB,
            or may be used by its group or by others; or on a system without such permissions.
        :raises ValueError: if it holds no Ed25519 private key in PKCS#8 and PEM, or the passphrase
            is missing, wrong, or given for a key that is not encrypted.
        :raises ImportError: if `cryptography` is not installed.
        """
        _require_cryptography()
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        path = Path(path)
        data = _read_private(path)
        labels = _LABEL.findall(data)
        if len(labels) != 1:
            raise ValueError(f"{path} is not a private key in PEM")
        label = labels[0].decode()
        if label not in ("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"):
            raise ValueError(f"{path} has a {label} in it, not a PRIVATE KEY (in PKCS#8)")
        # Asked before `cryptography` is, which answers with errors of several classes.
        encrypted = label.startswith("ENCRYPTED")
        if encrypted and passphrase is None:
            raise ValueError(f"the private key in {path} is encrypted and needs a passphrase")
        if passphrase is not None and not encrypted:
            raise ValueError(f"a passphrase was given, but the key in {path} is not encrypted")
        secret = None if passphrase is None else _passphrase(passphrase)
        try:
            key = load_pem_private_key(data, secret)
        except UnsupportedAlgorithm:
            raise ValueError(f"{path} has a kind of key that is not supported") from None
        except (TypeError, ValueError):
            # A wrong passphrase decrypts to noise, which cannot be told from damage for certain.
            wrong = "the passphrase is wrong, or " if encrypted else ""
            raise ValueError(f"{wrong}the private key in {path} is damaged") from None
        if not isinstance(key, Ed25519PrivateKey):
            kind = type(key).__name__.removesuffix("PrivateKey")
            raise ValueError(f"the private key in {path} is not an Ed25519 key but {kind}")
        return cls(key)

    def save(self, path: StrPath, passphrase: str | bytes | None = None) -> None:
        """Write the key into a new file, which its owner alone can read, and sync it to the disk.

        The file has mode 0600 from its first moment on, whatever the umask. If anything fails it is
        removed again.

        :param passphrase: encrypts the key (PBES2 of RFC 8018, with PBKDF2-HMAC-SHA256 and
            AES-256-CBC). A passphrase that a machine keeps is best made of 16 random bytes.
        :raises FileExistsError: if something has that name, even a dangling link: a key is never
            overwritten.
        :raises OSError: if the file cannot be written.
        :raises ValueError: if the passphrase is empty or longer than OpenSSL takes.
        """
        from cryptography.hazmat.primitives import serialization

        path = Path(path)
        plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        if passphrase is None:
            pem = self._key.private_bytes(serialization.Encoding.PEM, *plain)
        else:
            der = self._key.private_bytes(serialization.Encoding.DER, *plain)
            pem = _pem("ENCRYPTED PRIVATE KEY", _encrypt(der, _passphrase(passphrase))).encode()
        _write_private(path, pem)

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the public key (RFC 8032)."""
        return self._public_key

    def sign(self, data: bytes, /) -> bytes:
        """Return the 64 bytes of the signature over `data`."""
        return self._key.sign(data)

    def __repr__(self) -> str:
        return f"<PrivateKey of the public key {self._public_key.hex()}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        # Both pickle and copy come here.
        raise TypeError(
            "a private key can be neither pickled nor copied: save() keeps it in a file"
        )


def destroy(path: StrPath) -> None:
    """Overwrite a private key's file with zeros, as far as that goes, and remove it.

    Afterwards no file of that name is there, and that is on the disk. **That the key itself is gone
    cannot be promised.** Overwriting reaches the old bytes only where a file system writes in
    place, as ext4 and XFS do on a magnetic disk. A file system that copies on write (Btrfs, ZFS,
    APFS, overlayfs in a container) and a flash drive (any SSD) put the zeros elsewhere and keep the
    old block until they have a use for it; snapshots, backups and journals keep what they have, and
    a process that has loaded the key has it in memory. To be
    certain, keep the key encrypted, on an encrypted disk or in memory (tmpfs), or in an HSM or KMS
    that can destroy it.

    May be called again after it was interrupted.

    :param path: the file. Its other hard links, if there are any, are overwritten and stay.
    :raises OSError: if it is not there or cannot be removed, or is a link, a directory or a device.
    :raises ValueError: if the file is not a private key, so that no other file is destroyed.
    """
    path = Path(path)
    _require_modes()
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        if path.is_symlink():
            raise OSError(
                f"{path} is a link: name the file itself, so that it is clear what is destroyed"
            ) from None
        raise
    try:
        data = _read(fd, path)
        # All zeros: it was interrupted after the overwriting.
        if len(data) > MAX_FILE or (b"PRIVATE KEY-----" not in data and data.strip(b"\0")):
            raise ValueError(f"{path} is not a private key, and was left as it is")
        # The name goes even where the content cannot be written.
        with contextlib.suppress(OSError):
            _overwrite(fd, path, len(data))
    finally:
        os.close(fd)
    os.unlink(path)
    sync_directory(path)


def _overwrite(opened: int, path: Path, size: int) -> None:
    os.fchmod(opened, 0o600)  # a key of mode 0400 is usual
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        if os.path.samestat(os.fstat(fd), os.fstat(opened)):
            os.pwrite(fd, bytes(size), 0)
            sync_file(fd)
    finally:
        os.close(fd)


# --- Passphrases.


def passphrase_from(
    variable: str = PASSPHRASE_VARIABLE, *, file: StrPath | None = None
) -> bytes | None:
    """Return the passphrase from an environment variable, or from a file.

    A file is the better place: what is in the environment is handed to every child process.

    :param variable: the variable's name; not looked at if there is a file.
    :param file: a file whose first line, without its line feed, is the passphrase, as for
        ``openssl -passin file:``. It must be for its owner alone, as a key's file must.
    :return: None if the variable is not set: the key is not encrypted, then.
    :raises OSError: as :meth:`PrivateKey.load`.
    :raises ValueError: if the passphrase is empty, or longer than OpenSSL takes.
    """
    if file is not None:
        return _passphrase(_read_private(Path(file)).split(b"\n", 1)[0], f" in {file}")
    value = os.environ.get(variable)
    # fsencode() gives back the very bytes that the process was started with.
    return None if value is None else _passphrase(os.fsencode(value), f" in {variable}")


def _passphrase(given: str | bytes, where: str = "") -> bytes:
    encoded: bytes | None
    if isinstance(given, str):
        try:
            encoded = given.encode()
        except UnicodeEncodeError:
            encoded = None
        if encoded is None:
            # Raised out here, because that error has the passphrase in it and would be the context.
            raise ValueError(f"the passphrase{where} has a lone surrogate, which has no UTF-8")
    else:
        encoded = bytes(given)
    if not encoded:
        raise ValueError(f"the passphrase{where} is empty")
    if len(encoded) > MAX_PASSPHRASE:
        raise ValueError(f"the passphrase{where} has more than {MAX_PASSPHRASE} bytes")
    return encoded


# --- Public keys.


class PublicKey(NamedTuple):
    """A public key, and its name if it has one."""

    name: str | None
    """That of a vkey. Of a log it is the origin, by custom."""
    raw: bytes
    """The 32 bytes of the key (RFC 8032)."""


_SPKI = bytes.fromhex("302a300506032b6570032100")
"""The prefix of the 32 bytes in a SubjectPublicKeyInfo of Ed25519 (RFC 8410, 4)."""


def public_pem(raw: bytes) -> str:
    """Return a public key as PEM, for ``openssl pkeyutl -verify -pubin`` and other programs.

    :param raw: the 32 bytes of the key.
    :raises ValueError: if they are not 32.
    """
    if len(raw) != 32:
        raise ValueError(f"an Ed25519 public key must have 32 bytes, not {len(raw)}")
    return _pem("PUBLIC KEY", _SPKI + raw)


def load_public(path_or_text: StrPath) -> PublicKey:
    """Return the public key that a file or a text holds: as PEM, as a C2SP vkey, or as both.

    If it is both, as the command ``keygen`` prints them, they must be the same key. Other text
    around a PEM block is ignored (RFC 7468, 2).

    :param path_or_text: a string is a text if it has a PEM block or several lines, or is formed
        like a vkey; else it is a file's name, as a :class:`~pathlib.Path` always is.
    :raises OSError: if the file cannot be read.
    :raises ValueError: if there is no public key in it, or more than one; or it is not an Ed25519
        key that signs notes. The key of a witness (a vkey of type 0x04) is not one.
    """
    text = os.fspath(path_or_text)
    if isinstance(path_or_text, str) and _is_key_text(text):
        return _public_key(text, "the text")
    try:
        with open(text, "rb") as file:
            data = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        raise FileNotFoundError(f"{text} is neither a file nor a public key") from None
    if len(data) > MAX_FILE:
        raise ValueError(f"{text} is not a public key: it has more than {MAX_FILE} bytes")
    try:
        return _public_key(data.decode(), text)
    except UnicodeDecodeError:
        raise ValueError(f"{text} is not a public key: it is not text") from None


def _is_key_text(text: str) -> bool:
    stripped = text.strip()
    return "-----BEGIN " in text or "\n" in stripped or bool(_VKEY.fullmatch(stripped))


def _public_key(text: str, where: str) -> PublicKey:
    if len(text) > MAX_FILE:
        raise ValueError(f"{where} is not a public key: it has more than {MAX_FILE} bytes")
    blocks = _BLOCK.findall(text) if text.count("-----BEGIN ") == 1 else []
    # Without PEM all there is must be a vkey; beside it, it may be any text.
    lines = (
        [line.strip() for line in _BLOCK.sub("", text).split("\n")] if blocks else [text.strip()]
    )
    vkeys = [line for line in lines if _VKEY.fullmatch(line)]
    if len(vkeys) > 1 or not (blocks or vkeys):
        raise ValueError(f"{where} is not one public key, as PEM or as a vkey (name+ID+key)")
    raw = b""
    if blocks:
        label, body = blocks[0]
        if label != "PUBLIC KEY":
            raise ValueError(f"{where} has a {label} in it, not a PUBLIC KEY")
        try:
            der = base64.b64decode("".join(body.split()), validate=True)
        except ValueError:
            raise ValueError(f"the public key in {where} is damaged") from None
        if len(der) != len(_SPKI) + 32 or not der.startswith(_SPKI):
            raise ValueError(f"the public key in {where} is not an Ed25519 key")
        raw = der[len(_SPKI) :]
        if not vkeys:
            _require_order(raw, where)
            return PublicKey(None, raw)
    try:
        key = VerifierKey.parse(vkeys[0])
    except NoteError as error:
        raise ValueError(f"the public key in {where} is not valid: {error}") from None
    if key.type != ED25519:
        raise ValueError(f"the public key in {where} is a witness's, which signs no notes")
    if raw not in (b"", key.public_key):
        raise ValueError(f"the PEM and the vkey in {where} are not the same key")
    return PublicKey(key.name, key.public_key)


def _require_order(raw: bytes, where: str) -> None:
    try:
        VerifierKey("any", ED25519, raw)
    except NoteError as error:
        raise ValueError(f"the public key in {where} is not valid: {error}") from None


# --- PEM and DER.

_LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----")
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,64})-----(.*?)-----END \1-----", re.DOTALL)
_VKEY = re.compile(r"[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+={0,2}")


def _pem(label: str, der: bytes) -> str:
    encoded = base64.b64encode(der).decode()
    lines = [encoded[at : at + 64] for at in range(0, len(encoded), 64)]
    return "".join(
        f"{line}\n" for line in (f"-----BEGIN {label}-----", *lines, f"-----END {label}-----")
    )


_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_PBKDF2 = bytes.fromhex("06092a864886f70d01050c")
_HMAC_SHA256 = bytes.fromhex("300c06082a864886f70d02090500")
_AES_256_CBC = bytes.fromhex("060960864801650304012a")


def _encrypt(der: bytes, passphrase: bytes) -> bytes:
    """Return a PKCS#8 key as an EncryptedPrivateKeyInfo (RFC 5958, 3; RFC 8018, A.4).

    Put together here because `cryptography` leaves the number of rounds at OpenSSL's 2,048.
    """
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.padding import PKCS7

    salt, iv = secrets.token_bytes(16), secrets.token_bytes(16)
    key = hashlib.pbkdf2_hmac("sha256", passphrase, salt, ITERATIONS, 32)
    padder = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    ciphertext = encryptor.update(padder.update(der) + padder.finalize()) + encryptor.finalize()
    rounds = ITERATIONS.to_bytes(ITERATIONS.bit_length() // 8 + 1, "big")  # never negative
    derivation = _tlv(0x30, _tlv(0x04, salt), _tlv(0x02, rounds), _HMAC_SHA256)
    scheme = _tlv(
        0x30,
        _PBES2,
        _tlv(
            0x30,
            _tlv(0x30, _PBKDF2, derivation),
            _tlv(0x30, _AES_256_CBC, _tlv(0x04, iv)),
        ),
    )
    return _tlv(0x30, scheme, _tlv(0x04, ciphertext))


def _tlv(tag: int, *parts: bytes) -> bytes:
    """Return a DER value of less than 256 bytes."""
    content = b"".join(parts)
    length = bytes([len(content)])
    return bytes([tag]) + (length if len(content) < 128 else b"\x81" + length) + content


# --- Files.


def _read_private(path: Path) -> bytes:
    """Return what a file holds that is for its owner alone."""
    _require_modes()
    # O_NONBLOCK: a FIFO would wait for a writer before it could be refused.
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        data = _read(fd, path)
        mode = stat.S_IMODE(os.fstat(fd).st_mode)
    finally:
        os.close(fd)
    if mode & 0o077:
        raise PermissionError(
            f"{path} has mode {mode:04o} and is not for its owner alone: "
            f"chmod 600 {shlex.quote(str(path))}"
        )
    if len(data) > MAX_FILE:
        raise OSError(f"{path} has more than {MAX_FILE} bytes, too many for a key or a passphrase")
    return data


def _read(fd: int, path: Path) -> bytes:
    """Return what a regular file holds, but no more than one byte above the limit."""
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise OSError(f"{path} is not a regular file")
    with open(fd, "rb", closefd=False) as file:
        return file.read(MAX_FILE + 1)


def _write_private(path: Path, data: bytes) -> None:
    """Write a new file for its owner alone, or none."""
    _require_modes()
    try:
        fd = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
    except FileExistsError:
        raise FileExistsError(f"{path} exists already, and a key is never overwritten") from None
    try:
        with open(fd, "wb") as file:
            os.fchmod(fd, 0o600)  # a umask may have taken the owner's permissions as well
            file.write(data)
            file.flush()
            sync_file(fd)
        sync_directory(path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise


def _require_modes() -> None:
    if os.name != "posix":
        raise OSError(
            "private keys are not kept in files on this system: it has no file modes, so nothing "
            "would keep them from others"
        )


def _require_cryptography() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise ImportError(
            "private keys need the package cryptography: pip install cryptography"
        ) from None
