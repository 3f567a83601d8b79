# A package of evidence: a zip file that can be written in one way only. So each byte of it is known
# or is content, and the content of each file has a hash in the manifest.

MAX_MEMBERS = 64
MAX_SMALL = 1 << 24  # bytes of a file that is read as a whole
_FORMAT = "chained-logging evidence 1"
_PACKED = (
    *("entries.jsonl", "around.jsonl", "keys.jsonl", "proof.txt", "checkpoint.note"),
    *("timestamps.jsonl", "public-keys.txt", "verify.py", "README.txt"),
)
"""The files that each package begins with, in this order."""
_MANIFEST = "manifest.json"
_CLAIM_NOTE = "claim.note"
_MEMBER = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ZIP_FILE = struct.Struct("<4s5H3L2H")
_ZIP_ENTRY = struct.Struct("<4s6H3L5H2L")
_ZIP_END = struct.Struct("<4s4H2LH")
_ZIP_VERSION = 20
_ZIP_DAY = 0x21  # 1980-01-01, the first that a zip file can name


class _Member(NamedTuple):
    """A file in a package."""

    start: int
    size: int
    crc: int


def _unpacked_as(name: str) -> str:
    """Return the file that a name means where the case of letters and dots at the end do not count.

    Of two files that are one there, only the last is seen.
    """
    return name.lower().rstrip(".")


class _Package:
    """The files of a package, none of them decompressed: their sizes are those of the package.

    :param file: the package, which is read at most as far as it goes now.
    :raises _Bad: if one of its bytes outside of the files' content is not what it must be.
    :raises _Unchecked: if it does not begin as a zip file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.total = file.seek(0, os.SEEK_END)
        self.members: dict[str, _Member] = {}
        if self.bytes_at(0, 4) != b"PK\3\4":
            raise _Unchecked("it does not begin as a zip file: it is not a package of evidence")
        at, directory = 0, b""
        while self.bytes_at(at, 4) == b"PK\3\4":
            at, entry = self._member(at)
            directory += entry
        count = len(self.members)
        end = _ZIP_END.pack(b"PK\5\6", 0, 0, count, count, len(directory), at, 0)
        if self.bytes_at(at, len(directory + end) + 1) != directory + end:
            raise _Bad(
                None,
                f"from byte {at:,} on it has not the form of a package: it was cut, added to, or "
                "packed again",
            )

    def _member(self, at: int) -> tuple[int, bytes]:
        """Take up a file, and return where the next one begins, and its entry in the directory."""
        head = self.bytes_at(at, _ZIP_FILE.size)
        if len(head) < _ZIP_FILE.size or len(self.members) == MAX_MEMBERS:
            raise _Bad(None, f"at byte {at:,} it is cut, or has more than {MAX_MEMBERS} files")
        *_, crc, _, size, length, _ = _ZIP_FILE.unpack(head)
        name = self.bytes_at(at + _ZIP_FILE.size, length)
        right = _ZIP_FILE.pack(
            b"PK\3\4", _ZIP_VERSION, 0, 0, 0, _ZIP_DAY, crc, size, size, length, 0
        )  # not encrypted, not compressed, without further fields
        start = at + _ZIP_FILE.size + length
        if head != right or not _MEMBER.fullmatch(name) or start + size > self.total:
            raise _Bad(None, f"at byte {at:,} it has not the form of a file in a package")
        text = name.decode()
        if _unpacked_as(text) in map(_unpacked_as, self.members):
            raise _Bad(None, f"{text} is in it twice")
        self.members[text] = _Member(start, size, crc)
        made_on, mode = 3, 0o100644  # Unix
        entry = _ZIP_ENTRY.pack(
            *(
                b"PK\1\2",
                made_on << 8 | _ZIP_VERSION,
                _ZIP_VERSION,
                0,
                0,
                0,
                _ZIP_DAY,
                crc,
                size,
                size,
            ),
            *(length, 0, 0, 0, 0, mode << 16, at),
        )
        return start + size, entry + name

    def bytes_at(self, at: int, size: int) -> bytes:
        self.file.seek(at)
        return self.file.read(size)

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file. Several may be read in turns.

        :raises _Bad: if it is not there.
        """
        if name not in self.members:
            raise _Bad(None, f"{name} is not in it")
        at, left, _ = self.members[name]
        while left > 0:
            chunk = self.bytes_at(at, min(left, CHUNK))
            if not chunk:
                raise _Bad(None, f"{name} became shorter while it was read")
            yield chunk
            at, left = at + len(chunk), left - len(chunk)

    def content(self, name: str) -> bytes:
        """Return the content of a small file.

        :raises _Bad: if it is not there, or is too large.
        """
        if name in self.members and self.members[name].size > MAX_SMALL:
            raise _Bad(None, f"{name} has more than {MAX_SMALL:,} bytes")
        return b"".join(self.chunks(name))

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a file, of any size.

        :raises _Bad: if one is longer than an entry can be, or the last one has no end.
        """
        rest = b""
        for chunk in self.chunks(name):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
            if len(rest) > MAX_LINE:
                raise _Bad(None, f"a line of {name} is too long")
        if rest:
            raise _Bad(None, f"the last line of {name} does not end")

    def digest(self, name: str) -> str:
        """Return the SHA-256 of a file, in hexadecimal.

        :raises _Bad: if its checksum in the zip file is not right.
        """
        digest, crc = _sha256(), 0
        for chunk in self.chunks(name):
            digest.update(chunk)
            crc = zlib.crc32(chunk, crc)
        if crc != self.members[name].crc:
            raise _Bad(None, "its bytes or its checksum in the zip file were changed")
        return digest.hexdigest()
