# The rows of a database, each as the line that it would be.

_DOUBT = "doubt"  # no fault, but what keeps a log from being called intact
_STORED = {b"integer": "a number", b"real": "a number", b"blob": "a BLOB", b"null": "NULL"}
_LEAST_ROW = 40  # bytes that any row takes: more of them than fit are pages that are read twice


def _rows(path: str) -> Iterator[_Block | _Line]:
    """Yield the rows of an SQLite log, by the bytes of their texts, after what is wrong with it."""
    told = False
    try:
        with _database(path) as connection:
            for item in _rows_through(connection, path):
                told = True
                yield item
    except _SQL_ERRORS as error:
        if not told:
            raise _Unchecked(f"{path} cannot be read as a database: {error}") from None
        yield _Line(path, -1, bad=_Bad("unreadable", f"the database is damaged: {error}"))


def _rows_through(connection: sqlite3.Connection, path: str) -> Iterator[_Block | _Line]:
    connection.execute("BEGIN")  # see one state of the database, though others may write
    schema = _Schema(connection, path)
    reasons = list(schema.reasons)
    if schema.exact:
        reasons += _self_check(connection)
    for reason in reasons:
        yield _Line(path, 0, bad=_Bad("schema", reason))
    if schema.doubt is not None:
        yield _Line(path, 0, bad=_Bad(_DOUBT, schema.doubt))
    if not schema.entries and not _has_plain_columns(connection):
        return
    named: list[_Resources | _Purges] = []
    if schema.resources:
        named.append(_Resources(connection))
    if schema.purges:
        named.append(_Purges(connection))
    for batch in _batches(connection, path, schema.stubs and _has_stubs(connection)):
        yield from _row_blocks(path, batch)
        for table in named:
            table.compare(batch)
    for table in named:
        if table.reason():
            yield _Line(path, 0, bad=_Bad("schema", table.reason()))


def _self_check(connection: sqlite3.Connection) -> list[str]:
    """Return what SQLite says of its own tables and indexes, if anything is wrong."""
    try:
        found = [_decoded(row[0]) for row in connection.execute("PRAGMA integrity_check(100)")]
    except _SQL_ERRORS as error:
        found = [str(error)]
    return [f"SQLite's own check finds: {text[:300]}" for text in found if text != "ok"]


def _has_plain_columns(connection: sqlite3.Connection) -> bool:
    """Whether reading an altered table's rows runs nothing that somebody else wrote."""
    found = {row[1]: row[6] for row in connection.execute("PRAGMA table_xinfo(entries)")}
    return all(found.get(name) == 0 for name in (b"seq", b"body", b"hash", b"signature"))


_ENDINGS = (
    "typeof(hash), substr(CAST(hash AS BLOB), 1, 100), typeof(signature),"
    " substr(CAST(signature AS BLOB), 1, 100)"
)
_BODIES = "typeof(body), substr(CAST(body AS BLOB), 1, 70000)"
_ROWS = f"SELECT seq, {_BODIES}, {_ENDINGS} FROM entries NOT INDEXED"  # noqa: S608  # these
_OF_STUB = b"stub"  # in the place of the type of a body
_STUB_ROWS = f"SELECT seq, 'stub', NULL, {_ENDINGS} FROM stubs NOT INDEXED"  # noqa: S608


def _has_stubs(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM stubs").fetchone() is not None


def _batches(connection: sqlite3.Connection, path: str, stubs: bool) -> Iterator[list[Any]]:
    query = f"{_ROWS} UNION ALL {_STUB_ROWS}" if stubs else _ROWS
    rows = connection.execute(f"{query} ORDER BY seq")
    left = 1000 + (_size(path) + _size(path + "-wal")) // _LEAST_ROW
    while batch := rows.fetchmany(500):
        yield batch
        left -= len(batch)
        if left < 0:
            raise sqlite3.DatabaseError("it holds more rows than its size allows")


def _row_blocks(path: str, batch: list[Any]) -> Iterator[_Block | _Line]:
    """Yield rows as the lines that they would be, those that could be none by themselves."""
    lines: list[bytes] = []
    places: list[Any] = []
    for seq, *parts in batch:
        line, bad = _row_line(seq, *parts)
        if bad is None:
            lines.append(line)
            places.append(seq)
            continue
        if lines:
            yield _Block(path, b"".join(lines), places)
        lines, places = [], []
        yield _Line(path, -1, bad=bad)
    if lines:
        yield _Block(path, b"".join(lines), places)


def _row_line(
    seq: int,
    kind: bytes,
    body: bytes | None,
    hash_kind: bytes,
    hash_: bytes | None,
    sign_kind: bytes,
    sign: bytes | None,
) -> tuple[bytes, _Bad | None]:
    body, hash_ = body or b"", hash_ or b""  # SQLite makes NULL of a part of an empty BLOB
    if kind != _OF_STUB and (kind != b"text" or not body.endswith(b"}") or b"\n" in body):
        return b"", _Bad("body", "the body is no JSON text")
    for name, found in (("hash", hash_kind), ("signature", sign_kind)):
        if found != b"text" and (name, found) != ("signature", b"null"):
            return b"", _Bad(name, f"the column {name} holds {_STORED[found]}, not a text")
    hash_ = b'"hash":"' + hash_.replace(b"\n", b"?") + b'"'
    ending = b"}\n"
    if sign_kind != b"null":
        ending = b',"signature":"' + (sign or b"").replace(b"\n", b"?") + b'"}\n'
    if kind == _OF_STUB:
        return b"{" + hash_ + b',"seq":%d' % seq + ending, None
    return body[:-1] + b"," + hash_ + ending, None


class _Resources:
    """Compares the table `resources` with the bodies: both are in the order of writing."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        columns = "seq, typeof(type), type, typeof(id), id"
        self._rows: Iterator[Any] = connection.execute(
            f"SELECT {columns} FROM resources NOT INDEXED ORDER BY rowid"  # noqa: S608  # these
        )
        self._wrong = ""

    def compare(self, batch: list[Any]) -> None:
        for row in batch:
            expected = _records_of(*row[:3]) if not self._wrong else []
            if expected and list(itertools.islice(self._rows, len(expected))) != expected:
                self._wrong = f"at {row[0]}, the table resources does not name what the body names"

    def reason(self) -> str:
        """Return what is wrong, once all entries were compared."""
        if not self._wrong and next(self._rows, None) is not None:
            self._wrong = "the table resources names more than the entries do"
        return self._wrong


def _records_of(seq: int, kind: bytes, body: bytes) -> list[tuple[Any, ...]]:
    if kind != b"text" or b',"resources":[' not in body:
        return []
    try:
        records = json.loads(body)["resources"]
        return [
            (seq, b"text", record["type"].encode(), b"text", record["id"].encode())
            for record in records
        ]
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return []  # the body itself is wrong, or the key is one of its context


def _read(
    path: str, held: _Held, start: int = 0, end: int | None = None
) -> Iterator[_Block | _Line]:
    return _rows(path) if _magic(path, held) == _SQLITE else _blocks(path, start, end, held)


class _Purges:
    """Compares the table `purges`, which allows entries to be removed, with the entries."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows = connection.execute("SELECT by, first, last FROM purges ORDER BY by, first")
        self._next = self._rows.fetchone()
        self._wrong = ""

    def compare(self, batch: list[Any]) -> None:
        for seq, kind, body, *_ in batch:
            if kind == b"text" and body.startswith(_PURGE_BEGINS) and not self._wrong:
                self.compare_entry(seq, body)

    def compare_entry(self, seq: int, body: bytes) -> None:
        ranges = set(_ranges_of(body))
        lacking = set(ranges)
        while self._next is not None and self._next[0] == seq and self._next[1:] in ranges:
            lacking.discard(self._next[1:])
            self._next = self._rows.fetchone()  # one that is not named stays: it is one too many
        if not all(self.is_void(seq, *pair) for pair in lacking):
            self._wrong = f"at {seq}, the table purges does not name what the entry names"

    def is_void(self, seq: int, first: int, last: int) -> bool:
        """Whether a range is not one that an entry can name, or is named before in part."""
        if not 1 <= first <= last < seq:
            return True
        # SQLite compares: it can, whatever somebody put into the columns.
        query = (
            "SELECT last >= ? AND by <= ? FROM purges WHERE first <= ? ORDER BY first DESC LIMIT 1"
        )
        near = self._connection.execute(query, (first, seq, last)).fetchone()
        return near is not None and bool(near[0])

    def reason(self) -> str:
        """Return what is wrong, once all entries were compared."""
        if not self._wrong and self._next is not None:
            self._wrong = "the table purges names more than the entries do"
        return self._wrong


_PURGE_BEGINS = b'{"action":"retention.apply","actor_id":"chained_logging",'


def _ranges_of(body: bytes) -> list[tuple[int, int]]:
    try:
        ranges = json.loads(body)["context"]["ranges"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return []  # what is wrong with the entry is named
    ranges = ranges.values() if isinstance(ranges, dict) else ranges
    if not isinstance(ranges, Iterable):
        return []
    pairs = [tuple(found[:2]) for found in ranges if isinstance(found, list)]
    return [pair for pair in pairs if [type(number) for number in pair] == [int, int]]
