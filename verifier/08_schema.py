# Databases. SQL must not answer other than the bodies that are verified. So the schema is compared
# as SQLite keeps it, before anything in it is run: all columns of the known one are virtual, and
# SQLite computes them from the body. It checks its own indexes, which hold copies. Files beside the
# database count too: readers take them into account.

_SCHEMA = """\
{{ chained_logging/sinks/schema.sql }}
"""
_STATISTICS = {  # what ANALYZE adds: it has a say in speed alone
    (b"table", name, name, b"CREATE TABLE " + name + columns)
    for name, columns in (
        (b"sqlite_stat1", b"(tbl,idx,stat)"),
        (b"sqlite_stat4", b"(tbl,idx,neq,nlt,ndlt,sample)"),
    )
}
_APPLICATION = 0x636C6F67  # "clog"
# The last: of an error whose message holds bytes of a damaged file.
_SQL_ERRORS = (sqlite3.Error, sqlite3.Warning, MemoryError, OverflowError, UnicodeError)


@contextlib.contextmanager
def _database(path: str) -> Iterator[sqlite3.Connection]:
    """Open a database so that what a reader sees is seen, and nothing beside it is written.

    :raises _Unchecked: if readers would first change the file.
    """
    if _side(path + "-journal"):
        raise _Unchecked(
            f"{path}-journal is beside the database: opening it may undo changes first. Open and "
            "close the log with a program that may write it, or move the journal away"
        )
    with contextlib.ExitStack() as stack:
        options = "?mode=ro"
        if not _side(path + "-wal"):
            # The file is all there is. An open one is read with SQLite's locks; for any other,
            # "immutable" makes no file beside it.
            options += "" if _is_open(path) else "&immutable=1"
        elif not os.path.exists(path + "-shm"):
            # Nobody has it open, and SQLite would write an index beside it: it gets a copy.
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            copy = os.path.join(folder, "log")
            for suffix in ("", "-wal"):
                _check_regular(path + suffix)
                shutil.copyfile(path + suffix, copy + suffix)
            path = copy
        uri = "file:" + urllib.parse.quote(os.fsencode(os.path.abspath(path))) + options
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=10)
        stack.enter_context(contextlib.closing(connection))
        connection.text_factory = bytes
        yield connection


def _catalogue(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
    # With this set, SQLite lists objects too that it cannot make sense of. Nothing is written, and
    # nothing in them runs: what is read later are plain columns, or those of the very schema above.
    connection.execute("PRAGMA writable_schema = ON")
    columns = ("type", "name", "tbl_name", "sql")
    query = ", ".join((*columns, *(f"typeof({name})" for name in columns)))
    rows = connection.execute(f"SELECT {query} FROM sqlite_master").fetchall()  # noqa: S608  # these
    connection.execute("PRAGMA writable_schema = RESET")
    # A name that is a BLOB has the same bytes, and is found by no query that asks for a text.
    return [row[:4] if set(row[4:]) == {b"text"} else (*row[:3], row[3:]) for row in rows]


def _refusal(connection: sqlite3.Connection) -> list[str]:
    """Return why other programs cannot read a database that `_catalogue` can, if they cannot."""
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except _SQL_ERRORS as error:
        if "locked" in str(error):
            raise
        return [f"SQLite refuses to read it: {error}"]
    return []


def _expected() -> list[tuple[Any, ...]]:
    """Return the catalogue of a new log with a key."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.text_factory = bytes
        connection.executescript(_SCHEMA)
        return _catalogue(connection)


class _Schema:
    """How a database's schema differs from the one that a log makes."""

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        refused = _refusal(connection)
        found, made = _catalogue(connection), _expected()
        marks = [_pragma(connection, name) for name in ("application_id", "user_version")]
        if (b"table", b"entries") not in [row[:2] for row in found]:
            if not found and (_APPLICATION in marks or _is_of_wal(path)):
                raise _Unchecked(f"{path} {_NO_WAL}")
            raise _Unchecked(f"{path} is a database of something else: no table 'entries'")
        self.doubt = f"{path} {_FROM_DUMP}" if marks == [0, 0] else None
        if not any(str(row[2]).lower() == "b'checkpoints'" for row in found):  # no key yet
            made = [row for row in made if row[2] != b"checkpoints"]
        altered = [row for row in made if found.count(row) != 1]
        self.reasons = [*refused, *(_altered(*row[:2]) for row in altered)]
        names = [row[:2] for row in altered]
        for row in found:
            if row not in made and row not in _STATISTICS and row[:2] not in names:
                kind, name = (_decoded(part)[:100] for part in row[:2])
                self.reasons.append(f"a log has no {kind} {name}: it may change what is shown")
        if self.doubt is None and marks[0] != _APPLICATION:
            self.reasons.append("its application_id is not that of a log")
        if self.doubt is None and marks[1] != 1:
            self.reasons.append("its user_version is not that of a log")
        tables = {row for row in made if row[0] != b"trigger"} - set(altered)
        self.entries = any(row[:2] == (b"table", b"entries") for row in tables)
        self.checkpoints = any(row[:2] == (b"table", b"checkpoints") for row in tables)
        self.resources = any(row[:2] == (b"table", b"resources") for row in tables)
        self.stubs = any(row[:2] == (b"table", b"stubs") for row in tables)
        self.purges = any(row[:2] == (b"table", b"purges") for row in tables)
        self.exact = tables == {row for row in made if row[0] != b"trigger"}


_NO_WAL = (
    "holds no table: the entries may still be in the log's file -wal, which is not beside it, or "
    "not whole. Copy both files, or make a copy with VACUUM INTO"
)
_FROM_DUMP = (
    "was made from a dump, or by another program: it is not marked as a log's database, and a "
    "log's own always is. Check the original, or a copy of it that VACUUM INTO made; or mark "
    f"this one: PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = 1"
)


def _pragma(connection: sqlite3.Connection, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def _is_of_wal(path: str) -> bool:
    """Whether a database's header says that a WAL may be beside it."""
    with open(path, "rb") as file:
        return file.read(20)[18:] == b"\2\2"


def _altered(kind: bytes, name: bytes) -> str:
    return {
        b"table": f"the table {name.decode()} is not as the log makes it: its columns may say "
        "anything",
        b"index": f"the index {name.decode()} is gone or was altered: queries may miss entries",
        b"trigger": f"the trigger {name.decode()}, which refuses changes, is gone or was altered",
    }[kind]


def _decoded(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
