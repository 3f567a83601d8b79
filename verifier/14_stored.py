# Checkpoints as they are kept: beside a log, in a database, in files of their own.


class _Stored(NamedTuple):
    """A checkpoint as a log keeps it."""

    number: int
    note: bytes
    timestamp: str | None = None
    size: Any = None
    """The size stored beside the note, which must be the note's; None for a note alone."""
    state: Any = None
    torn: bool = False

    def agrees(self, note: _Note) -> bool:
        """Whether its size and the frontier of its tree, from which the log goes on, are right."""
        if not self.state:  # the state is of use where a log is written to, and there alone
            return self.size in (None, note.size)
        try:
            state = _unbase64(self.state)
        except (TypeError, ValueError):
            return False
        tree = _Tree()
        tree.nodes = [(0, state[at : at + 32]) for at in range(8, len(state), 32)]
        return (
            type(self.size) is int
            and self.size == note.size == int.from_bytes(state[:8], "big")
            and len(state) == 8 + 32 * bin(note.size).count("1")
            and tree.root() == note.root
        )


def _notes_beside(path: str) -> Iterator[_Stored]:
    """Yield the checkpoints that a log keeps with itself."""
    if os.path.isfile(path) and _magic(path, {}) == _SQLITE:
        yield from _note_rows(path)
        return
    # A log that was compressed since keeps the checkpoints of its first name.
    for name in (path, path[:-3] if path.endswith(".gz") else path):
        if os.path.lexists(name + ".checkpoints"):
            yield from _notes_in(name + ".checkpoints")
            return


def _note_rows(path: str) -> Iterator[_Stored]:
    """Yield the checkpoints in a database; of what is wrong with it, `_rows` tells."""
    number = -1
    try:
        with _database(path) as connection:
            connection.execute("BEGIN")
            if not _Schema(connection, path).checkpoints:
                return
            number = 0
            rows = connection.execute(
                "SELECT typeof(note), typeof(state), typeof(timestamp), note, timestamp, size,"
                " state FROM checkpoints NOT INDEXED ORDER BY id"
            )
            for number, (*kinds, note, timestamp, size, state) in enumerate(rows, 1):
                if kinds[:2] != [b"text", b"text"] or kinds[2] not in (b"text", b"null"):
                    yield _Stored(number, b"")
                    continue
                at = None if timestamp is None else _decoded(timestamp)
                yield _Stored(number, note, at, size, _decoded(state))
    except _SQL_ERRORS:
        if number >= 0:
            yield _Stored(number + 1, b"")


def _notes_in(path: str) -> Iterator[_Stored]:
    """Yield the notes in a file: one signed note, or a log's file of checkpoints."""
    _check_regular(path)
    with open(path, "rb") as file:
        left = os.fstat(file.fileno()).st_size  # what is written meanwhile is of later entries
        if not left:
            yield _Stored(1, b"", torn=True)
            return
        first = file.read(min(1, left))
        file.seek(0)
        if first != b"{":
            yield _Stored(1, file.read(min(MAX_NOTE + 1, left)))
            return
        number = 0
        while left > 0:
            number += 1
            line = file.readline(min(MAX_NOTE, left))
            left -= len(line)
            if not line.endswith(b"\n"):
                if len(line) == MAX_NOTE or not _grows(path, file.tell()):
                    yield _Stored(number, b"", torn=len(line) < MAX_NOTE)
                return  # what is being written is of entries that are still to come
            yield _note_line(number, line)


def _note_line(number: int, line: bytes) -> _Stored:
    try:
        found = json.loads(line)
        timestamp = found.get("timestamp")
        if isinstance(timestamp, (str, type(None))):
            note = found["note"].encode()
            return _Stored(number, note, timestamp, found.get("size"), found.get("state"))
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError):
        pass
    return _Stored(number, b"")


def _grows(path: str, size: int) -> bool:
    """Whether a file's last line is only just being written: a moment later it has grown."""
    for _ in range(10):
        if _size(path) != size:
            return True
        time.sleep(0.01)
    return False


_LISTINGS = (".digest", ".manifest")
_LISTED = re.compile(
    rb'segments/[0-9]{20}-([0-9]{20})\.jsonl|"last_seq":([0-9]{1,16})[,}]'  # of S3; of a log
)


def _listed(paths: Iterable[str]) -> list[tuple[str, int]]:
    """Return the last entry that each catalogue of segments beside a log lists."""
    found = []
    for path in paths:
        last, left = -1, _side(path)
        if not left:
            continue
        with open(path, "rb") as file:
            while left > 0 and (line := file.readline(min(left, MAX_NOTE))):
                left -= len(line)
                last = max([last, *(int(a or b) for a, b in _LISTED.findall(line))])
        found.append((path, last))
    return found


MAX_BAD_NOTES = 1000


def _gather(
    chain: _Chain,
    logs: list[str],
    outside: list[str],
    beside: Sequence[str],
    stream: Stream | None,
) -> Iterator[_Note]:
    """Yield the checkpoints beside the logs, and those that were kept elsewhere."""
    for path in outside:
        yield from _given_notes(path)
    for log in logs:
        yield from _good_notes(chain, log, _notes_beside(log), of_log=True)
    for path in beside:
        if not path.endswith(_LISTINGS):
            yield from _good_notes(chain, path, _notes_in(path), in_store=_is_anchored(path))
    if stream is not None:
        notes = (_Stored(number, *pair) for number, pair in enumerate(stream.notes, 1))
        yield from _good_notes(chain, stream.name, notes, in_store=True)


def _given_notes(path: str) -> Iterator[_Note]:
    found = False
    for stored in _notes_in(path):
        try:
            yield _Note(stored.note, path, outside=True, timestamp=stored.timestamp)
            found = True
        except _Bad as bad:
            raise _Unchecked(f"{path}, note {stored.number}: {bad.reason}") from None
    if not found:
        raise _Unchecked(f"{path} holds no checkpoint")


def _good_notes(
    chain: _Chain,
    source: str,
    notes: Iterable[_Stored],
    of_log: bool = False,
    in_store: bool = False,
) -> Iterator[_Note]:
    """Yield the checkpoints that are whole, and name the others.

    :param of_log: whether a log keeps them with itself, each with the state of its tree.
    :param in_store: whether others may have added some, which count for nothing.
    """
    bad_notes = 0
    for stored in notes:
        if stored.torn and of_log:  # of a checkpoint that never was: its writer died
            chain.report.remarks.append(f"{source}: its file of checkpoints ends in half of one")
            continue
        try:
            note = _Note(stored.note, source, timestamp=stored.timestamp)
            if not stored.agrees(note) or (of_log and not stored.state):
                raise _Bad(None, "its size or state is not that of its note")
            note.stored = in_store
            yield note
        except _Bad as bad:
            if in_store:
                chain.report.foreign += 1
                continue
            reason = "the file ends in the middle of it" if stored.torn else bad.reason
            reason = f"note {stored.number}: {reason}"
            chain.findings.fault("checkpoint", _Line(source, 0), None, reason)
            bad_notes += 1
        if bad_notes == MAX_BAD_NOTES:
            reason = "the notes after it are not read"
            chain.findings.fault("checkpoint", _Line(source, 0), None, reason)
            return
