# Signed notes and their keys (C2SP signed-note, tlog-checkpoint, tlog-cosignature).

MAX_NOTE = 1_000_000


def _unbase64(text: str) -> bytes:
    """Decode the one spelling that bytes have: without stray bits before the padding."""
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("not base64 in canonical form")
    return data


_SIGNATURE_LINE = re.compile("\u2014 ([^+\\s]+) ([A-Za-z0-9+/]+={0,2})")
_CONTROLS = re.compile("[\0-\x09\x0b-\x1f]")
MAX_SIGNATURES = 100  # as in Go's sumdb/note; C2SP signed-note asks for at least 16


class _Note:
    """A signed note that holds a checkpoint (C2SP ``signed-note`` and ``tlog-checkpoint``).

    :raises _Bad: if the bytes are not such a note.
    """

    def __init__(
        self, data: bytes, source: str, outside: bool = False, timestamp: str | None = None
    ) -> None:
        self.data, self.source, self.outside, self.timestamp = data, source, outside, timestamp
        self.stored = False  # whether it is from a store, which others may add to
        self.signatures: list[tuple[str, bytes, bytes]] = []
        try:
            whole = data.decode()
            if len(data) > MAX_NOTE or _CONTROLS.search(whole) or not whole.endswith("\n"):
                raise ValueError
            text, _, below = whole[:-1].rpartition("\n\n")
            self.text = text + "\n"
            self._read_text(*text.split("\n"))
            lines = below.split("\n")
            if len(lines) > MAX_SIGNATURES:
                raise ValueError
            self.signatures = [self._signature(line) for line in lines]
        except (TypeError, ValueError):  # a TypeError: there are fewer than three lines
            raise _Bad(None, "it is not a signed note with a checkpoint") from None

    def _read_text(self, origin: str, size: str, root: str, *extensions: str) -> None:
        self.origin, self.root = origin, _unbase64(root)
        if not origin or "" in extensions or not re.fullmatch("0|[1-9][0-9]{0,18}", size):
            raise ValueError
        self.size = int(size)
        if self.size >= 1 << 63 or len(self.root) != 32:
            raise ValueError
        if not self.size and self.root != _sha256(b"").digest():
            raise ValueError

    @property
    def by_key(self) -> dict[tuple[str, bytes], bytes]:
        """The first signature of each key, by its name and ID; as in Go, others do not count."""
        return {(name, id_): value for name, id_, value in reversed(self.signatures)}

    @staticmethod
    def _signature(line: str) -> tuple[str, bytes, bytes]:
        """Return the name of a signature's key, the key's ID, and the signature."""
        match = _SIGNATURE_LINE.fullmatch(line)
        raw = _unbase64(match[2]) if match else b""
        if match is None or len(raw) < 5:
            raise ValueError
        return match[1], raw[:4], raw[4:]


# The points of small order on edwards25519, without their sign bit (libsodium's has_small_order).
_SMALL_ORDER = {
    (number % (1 << 255)).to_bytes(32, "little") for number in (0, 1, -20, -19, -18)
} | {
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
}


class _Key:
    """A public key with its name, from a C2SP ``vkey``; from PEM it has no name.

    :param kind: 1 for Ed25519; 4 for a witness's key, Ed25519 (4) or ML-DSA-44 (6).
    :raises _Bad: if the text is not such a key.
    """

    def __init__(self, text: str, kind: int = 1) -> None:
        self._parse(text, kind)
        if self.kind != 6 and self.raw[:31] + bytes([self.raw[31] & 0x7F]) in _SMALL_ORDER:
            raise _Bad(None, "it is a point of small order, for which anybody can sign")

    def _parse(self, text: str, kind: int) -> None:
        self.vkey = text.strip()
        self.kind = kind
        self.name, _, rest = self.vkey.partition("+")
        try:
            if kind == 1 and "-----BEGIN PUBLIC KEY-----" in text:
                body = text.partition("-----BEGIN PUBLIC KEY-----")[2].partition("-----END")[0]
                der = base64.b64decode("".join(body.split()), validate=True)
                # RFC 8410: this prefix, and then the 32 bytes of the key.
                if len(der) != 44 or der[:12].hex() != "302a300506032b6570032100":
                    raise ValueError
                self.name, self.raw, self.id = "", der[12:], b""
                return
            id_, _, key = rest.partition("+")
            raw = _unbase64(key)
            lengths = {1: {1: 33}, 4: {4: 33, 6: 1313}}[kind]  # by the type that the key states
            self.kind, self.raw = raw[0], raw[1:]
            self.id = self.id_under(self.name)
            if len(raw) != lengths.get(self.kind) or self.id.hex() != id_:
                raise ValueError
            if not re.fullmatch("[^+\\s]+", self.name) or _CONTROLS.search(self.name):
                raise ValueError
        except (IndexError, ValueError):
            if kind != 1:
                raise _Bad(
                    None,
                    "it is not a witness's key as a vkey (type 4 or 6), which keygen prints below "
                    "the PEM",
                ) from None
            raise _Bad(None, "it is not an Ed25519 public key in PEM or as a vkey") from None

    def id_under(self, name: str) -> bytes:
        """Return the ID by which signatures name this key (C2SP ``signed-note``)."""
        return _sha256(name.encode() + b"\n" + bytes([self.kind]) + self.raw).digest()[:4]

    @staticmethod
    def usable() -> bool:
        """Whether `cryptography` is installed."""
        try:
            import cryptography.hazmat.primitives.asymmetric.ed25519  # noqa: F401
        except ImportError:
            return False
        return True

    def verifies(self, signature: bytes, message: bytes) -> bool | None:
        """Whether the signature holds; None where `cryptography` cannot tell, or is missing."""
        try:
            from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

            if self.kind == 6:  # cryptography 48 or later
                from cryptography.hazmat.primitives.asymmetric import mldsa

                algorithm: Any = mldsa.MLDSA44PublicKey
            else:
                from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

                algorithm = Ed25519PublicKey
        except ImportError:
            return None
        try:
            algorithm.from_public_bytes(self.raw).verify(signature, message)
        except UnsupportedAlgorithm:
            return None
        except (InvalidSignature, ValueError):
            return False
        return True

    def cosigned(self, note: _Note, value: bytes) -> tuple[bool | None, int]:
        """Whether a witness's signature under a note holds, and the time that it states.

        C2SP ``tlog-cosignature``; a witness must state a time (``tlog-witness``).
        """
        time_ = int.from_bytes(value[:8], "big")
        name, origin = self.name.encode(), note.origin.encode()
        if not 0 < time_ < 1 << 33 or (self.kind == 6 and max(len(name), len(origin)) > 255):
            return False, time_
        if self.kind == 6:
            message = b"subtree/v1\n\0" + bytes([len(name)]) + name + value[:8]
            message += bytes([len(origin)]) + origin + bytes(8)
            message += note.size.to_bytes(8, "big") + note.root
        else:
            message = f"cosignature/v1\ntime {time_}\n{note.text}".encode()
        return self.verifies(value[8:], message), time_


_COSIGNATURES = (8 + 64, 8 + 2420)  # lengths: a time, and an Ed25519 or ML-DSA-44 signature
