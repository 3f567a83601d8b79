"""Ed25519 private keys in files of their own.

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

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, final

from chained_logging.keys.owner_file import StrPath, read_private, write_private
from chained_logging.keys.passphrase import to_passphrase
from chained_logging.keys.pem import LABEL, encrypted_pkcs8, to_pem

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


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
        :raises OSError: if the file cannot be read.
        :raises ForeignFile: if it is not a regular file, is larger than 64 KiB, or may be used by
            its group or by others.
        :raises Unsupported: on a system without such permissions.
        :raises ValueError: if it holds no Ed25519 private key in PKCS#8 and PEM, or the passphrase
            is missing, wrong, or given for a key that is not encrypted.
        :raises ImportError: if `cryptography` is not installed.
        """
        _require_cryptography()
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        path = Path(path)
        data = read_private(path)
        labels = LABEL.findall(data)
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
        secret = None if passphrase is None else to_passphrase(passphrase)
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
            pem = to_pem(
                "ENCRYPTED PRIVATE KEY", encrypted_pkcs8(der, to_passphrase(passphrase))
            ).encode()
        write_private(path, pem)

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


def _require_cryptography() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise ImportError(
            "private keys need the package cryptography: pip install cryptography"
        ) from None
