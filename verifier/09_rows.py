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
    named = _Resources(connection) if schema.resources else None
    for batch in _batches(connection, path):
        yield from _row_blocks(path, batch)
        if named is not None:
            named.compare(batch)
    if named is not None and named.reason():
        yield _Line(path, 0, bad=_Bad("schema", named.reason()))


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


def _batches(connection: sqlite3.Connection, path: str) -> Iterator[list[Any]]:
    rows = connection.execute(
        "SELECT seq, typeof(body), substr(CAST(body AS BLOB), 1, 70000), typeof(hash),"
        " substr(CAST(hash AS BLOB), 1, 100), typeof(signature),"
        " substr(CAST(signature AS BLOB), 1, 100) FROM entries NOT INDEXED ORDER BY seq"
    )
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
        line, bad = _row_line(*parts)
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
    kind: bytes,
    body: bytes | None,
    hash_kind: bytes,
    hash_: bytes | None,
    sign_kind: bytes,
    sign: bytes | None,
) -> tuple[bytes, _Bad | None]:
    body, hash_ = body or b"", hash_ or b""  # SQLite makes NULL of a part of an empty BLOB
    if kind != b"text" or not body.endswith(b"}") or b"\n" in body:
        return b"", _Bad("body", "the body is no JSON text")
    for name, found in (("hash", hash_kind), ("signature", sign_kind)):
        if found != b"text" and (name, found) != ("signature", b"null"):
            return b"", _Bad(name, f"the column {name} holds {_STORED[found]}, not a text")
    ending = b',"hash":"' + hash_.replace(b"\n", b"?") + b'"'
    if sign_kind != b"null":
        ending += b',"signature":"' + (sign or b"").replace(b"\n", b"?") + b'"'
    return body[:-1] + ending + b"}\n", None


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
