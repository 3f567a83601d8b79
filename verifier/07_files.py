# Files: each becomes numbered lines, read with bounds.

CHUNK = 1 << 17
MAX_SKIPPED = 1 << 24  # of one line, before the rest of its file is left unread
MAX_HELD = 64
_SQLITE = b"SQLite format 3\0"
_GZIP = b"\x1f\x8b"
_TORN = b"\0torn"  # no line of a file can be this: it holds no line feed, and lines are cut there
_Held = dict[str, int]  # files that were opened when others were listed, by name


def _check_regular(path: str) -> None:
    try:
        mode = os.stat(path).st_mode
        if not os.access(path, os.R_OK):
            raise _Unchecked(f"{path} cannot be read: permission denied")
        if stat.S_ISDIR(mode):
            raise _Unchecked(f"{path} is a directory")
        if not stat.S_ISREG(mode):
            raise _Unchecked(f"{path} is not a regular file")
    except OSError as error:
        if _ADDRESS.search(path):  # not shown: there may be a password in it
            raise _Unchecked("a file must be given; what was given is an address") from None
        raise _Unchecked(f"{path} cannot be read: {error.strerror}") from None


_ADDRESS = re.compile(r"[A-Za-z][\w+.-]*:.*@|://|pass(?:word|wd|file)?\s*=", re.IGNORECASE)


def _size(path: str) -> int:
    """Return a file's size; 0 if it does not exist."""
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _side(path: str) -> int:
    """Return the size of a file beside a log; 0 if it does not exist.

    :raises _Unchecked: if it is not a regular file: opening the log could then block, or never
        end.
    """
    if os.path.lexists(path):
        _check_regular(path)
    return _size(path)


def _open(path: str, held: _Held) -> BinaryIO:
    return os.fdopen(os.dup(held[path]), "rb") if path in held else open(path, "rb")


def _magic(path: str, held: _Held) -> bytes:
    # To open and close a database that this very process writes would drop SQLite's locks on it
    # (https://www.sqlite.org/howtocorrupt.html, 2.2). While it is open, these files are beside it.
    if _is_open(path):
        return _SQLITE
    if path in held:
        return os.pread(held[path], 16, 0)
    if not _size(path):
        return b""  # nothing to read; and some files of that size, in /proc, would be waited for
    with open(path, "rb") as file:
        return file.read(16)


def _is_packed(path: str) -> bool:
    magic = _magic(path, {})
    return magic == _SQLITE or magic[:2] == _GZIP


def _names_of(path: str) -> list[str]:
    """Return the names beside which a log's side files may be: of a link, its target's first.

    Writers and SQLite go by the target. A database has no other name: a link's would hide its WAL.
    """
    if not os.path.islink(path):
        return [path]
    target = os.path.realpath(path)
    if not os.path.isfile(target) or _magic(target, {}) == _SQLITE:
        return [target]
    return [target, path]


def _is_open(path: str) -> bool:
    """Whether somebody has a database open: then both files are beside it."""
    return os.path.exists(path + "-shm") and os.path.exists(path + "-wal")


def _chunks(path: str, start: int, end: int | None, held: _Held) -> Iterator[bytes]:
    """Yield the bytes that a file has now, decompressed; a damaged gzip ends with `_TORN`."""
    with _open(path, held) as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(start)
        if _magic(path, held)[:2] == _GZIP:
            yield from _inflated(file)
            return
        left, chunk = (size if end is None else min(end, size)) - start, b""
        while left > 0 and (chunk := file.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk
        if end is None and chunk and not chunk.endswith(b"\n"):
            yield _rest_of_line(file)


def _rest_of_line(file: BinaryIO) -> bytes:
    """Return what a writer has added since to the line that it is writing, if it does."""
    rest = b""
    for _ in range(10):
        rest += file.read(MAX_LINE)
        if b"\n" in rest:
            return rest[: rest.index(b"\n") + 1]
        time.sleep(0.01)
    return rest[:MAX_LINE]


def _inflated(file: BinaryIO) -> Iterator[bytes]:
    inflate, packed = zlib.decompressobj(31), b""
    try:
        while packed := (packed or file.read(CHUNK)):
            chunk = inflate.decompress(packed, CHUNK)
            packed = inflate.unconsumed_tail
            if inflate.eof:  # another member may follow
                packed = inflate.unused_data or file.read(CHUNK)
                if packed:
                    inflate = zlib.decompressobj(31)
            if chunk:
                yield chunk
        if not inflate.eof:
            yield _TORN
    except zlib.error:
        yield _TORN


def _blocks(path: str, start: int, end: int | None, held: _Held) -> Iterator[_Block]:
    """Yield a file as blocks of whole lines; of a line that is too long only its start."""
    rest, skipped = b"", 0
    chunks = _chunks(path, start, end, held)
    for chunk in chunks if start else _with_its_encoding(path, chunks):
        if chunk is _TORN:
            yield _Block(path, torn=True)
            return
        cut = chunk.rfind(b"\n") + 1
        if cut:
            text, rest = rest + chunk[:cut], chunk[cut:]
            if skipped:
                text, skipped = text[text.index(b"\n") + 1 :], 0
            if text:
                yield _Block(path, text)
        else:
            rest += chunk
        if len(rest) > MAX_LINE:
            if not skipped:
                yield _Block(path, rest[:MAX_LINE] + b"\n")
            rest, skipped = b"", skipped + len(rest)
        if skipped > MAX_SKIPPED:
            return  # it is named already, and no log holds such a line
    if rest and not skipped:
        yield _Block(path, torn=True)


def _with_its_encoding(path: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    for first in chunks:
        if first is not _TORN:
            _check_encoding(path, first)
        yield first
        yield from chunks


def _check_encoding(path: str, text: bytes) -> None:
    """Say what another program made of a file, and how to undo it.

    :raises _Unchecked: if the bytes are not those that were hashed, though nothing is lost.
    """
    if text.startswith(b"\xef\xbb\xbf"):
        what, how = "begins with a byte order mark", f"tail -c +4 {path}"
    elif text.startswith((b"\xff\xfe", b"\xfe\xff")):
        what, how = "was converted to UTF-16", f"iconv -f UTF-16 -t UTF-8 {path}"
    elif text.startswith((b"PRAGMA foreign_keys=OFF;\n", b"BEGIN TRANSACTION;\n")):
        raise _Unchecked(
            f"{path} is a dump of a database, as SQL: the log is the database. Check that, or a "
            "copy of it that VACUUM INTO made"
        )
    elif text.partition(b"\n")[0].endswith(b'"}\r'):
        what, how = "has CR LF at the ends of its lines", f"tr -d '\\r' < {path}"
    else:
        return
    raise _Unchecked(
        f"{path} {what}, which a log never has: another program (an editor, a transfer as text) "
        f"changed it. Get the log's bytes back with: {how} > copy.jsonl, and check that"
    )
