"""Keys: the files that hold them, what they sign, and which of them a log trusts."""

from chained_logging.keys.owner_file import destroy
from chained_logging.keys.passphrase import PASSPHRASE_VARIABLE, passphrase_from
from chained_logging.keys.private import PrivateKey
from chained_logging.keys.public import PublicKey, load_public, public_pem

__all__ = [
    "PASSPHRASE_VARIABLE",
    "PrivateKey",
    "PublicKey",
    "destroy",
    "load_public",
    "passphrase_from",
    "public_pem",
]
