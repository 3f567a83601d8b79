"""Keys: the files that hold them, what they sign, and which of them a log trusts."""

from chained_logging.keys.files import (
    PASSPHRASE_VARIABLE,
    PrivateKey,
    PublicKey,
    destroy,
    load_public,
    passphrase_from,
    public_pem,
)

__all__ = [
    "PASSPHRASE_VARIABLE",
    "PrivateKey",
    "PublicKey",
    "destroy",
    "load_public",
    "passphrase_from",
    "public_pem",
]
