# Which files a log is: its segments, copies, and the logs of a folder.


_SEALED = re.compile(r"\.[0-9]{20}\.[a-z]+(\.gz)?\Z", re.ASCII)


def _with_segments(paths: list[str], held: _Held) -> list[str]:
    """Add the sealed segments beside a log: ``audit.<20 digits>.jsonl``.

    A log is held open first. Should it be sealed meanwhile, it is still what it was, and its new
    name and what came after it are left out. Segments, which keep their names, take what is left
    of the files that may be open at once.
    """
    found = []
    for path in sorted(paths, key=lambda path: _SEALED.search(path) is not None):
        log = _hold(path, held)
        segments = _segments_beside(path)
        if log is not None or not segments:  # a crash may have left segments alone
            found.append(path)
        for segment in segments:
            if path in held and _is_file(segment, log):
                break
            found.append(segment)
    return found


def _hold(path: str, held: _Held) -> os.stat_result | None:
    """Open a log that a writer may rename; return its status, or None if it does not exist."""
    for _ in range(5):
        try:
            found = os.stat(path)
            text = stat.S_ISREG(found.st_mode) and found.st_size and len(held) < MAX_HELD
            if text and _magic(path, {}) != _SQLITE:
                held[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
                return os.fstat(held[path])
            return found
        except FileNotFoundError:  # between two names, perhaps
            time.sleep(0.002)
        except OSError:
            break  # that it cannot be read is said where it is read
    return None


def _is_file(path: str, found: os.stat_result | None) -> bool:
    try:
        return found is not None and os.path.samestat(os.stat(path), found)
    except OSError:
        return False


def _segments_beside(path: str) -> list[str]:
    folder, name = os.path.split(path)
    stem, suffix = os.path.splitext(name)
    segment = re.compile(
        re.escape(stem) + r"\.[0-9]{20}" + re.escape(suffix) + r"(\.gz)?", re.ASCII
    )
    found: list[str] = []
    for _ in range(10):  # until two lists agree: names may change while one is made
        before = found
        try:
            found = sorted(filter(segment.fullmatch, os.listdir(folder or ".")))
        except OSError:
            return []
        if found == before:
            break
    return [os.path.join(folder, name) for name in found if suffix]


# Also as logrotate names what it moved away: audit.jsonl.1, audit.jsonl-20261127.gz.
_LOG_NAME = re.compile(
    r"(.*?)(\.[0-9]{20})?(?:(\.jsonl|\.ndjson)(?:[.-][0-9]{1,14})?|(\.db|\.sqlite3?))(?:\.gz)?",
    re.ASCII | re.DOTALL,
)
# Files beside a log that hold no entries: see docs/format.md.
_BESIDE = re.compile(
    r".*(\.checkpoints|\.lock|\.writers|\.manifest|\.index|\.new|\.spill(\..*)?|\.ship-[0-9a-f]{12}|-wal|-shm|"
    r"-journal)",
    re.DOTALL,
)
# Of a log in S3, by folder; beside these is the folder "segments".
_SHIPPED = {
    "checkpoints": re.compile(r"[0-9]{20}\.json", re.ASCII),
    "anchored": re.compile(r"[0-9]{20}-[0-9a-f]{16}\.json", re.ASCII),
    "digests": re.compile(r".*\.digest", re.DOTALL),
}


def _is_anchored(path: str) -> bool:
    """Whether a note is one that no digest lists, so that its signatures show whose it is."""
    return os.path.basename(os.path.dirname(path)) == "anchored"


def _logs_in(folder: str) -> tuple[list[tuple[str, list[str], list[str]]], list[str]]:
    """Return each log in a folder and below, and what looks like a log and is skipped.

    A log is the name of its folder or file, its files, and files with its checkpoints. Where only
    checkpoints are left, it has no files.

    :raises _Unchecked: if there is no log, and nothing was skipped.
    """
    logs: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
    skipped: list[str] = []

    def unreadable(error: OSError) -> None:
        logs[error.filename, ""] = [error.filename], []  # a log that cannot be read

    for place, folders, names in os.walk(folder, onerror=unreadable):
        folders.sort()
        for name in folders:
            if os.path.islink(os.path.join(place, name)):
                skipped.append(f"{os.path.join(place, name)}: a symbolic link to a folder")
        for name in sorted(names):
            path = os.path.join(place, name)
            found = _log_of(place, name, names)
            if found is not None:
                key, of_notes = found
                logs.setdefault(key, ([], []))[of_notes].append(path)
            elif _LOG_NAME.match(name) and not _BESIDE.fullmatch(name):
                skipped.append(f"{path}: not the name of a log; name it to check it")
    if not logs and not skipped:
        raise _Unchecked(f"there is no log in {folder}")
    listed = [(os.path.join(place, log), *files) for (place, log), files in logs.items()]
    return listed, skipped


def _log_of(place: str, name: str, names: list[str]) -> tuple[tuple[str, str], bool] | None:
    """Return which log a file in a folder is of, and whether it holds checkpoints of it.

    In a folder "segments", as in S3, all files are of one log; elsewhere, those with one name. A
    database is a log by itself.
    """
    shipped = os.path.basename(place)
    match = _LOG_NAME.fullmatch(name)
    if match is not None:
        return (place, "" if shipped == "segments" else match[1] + (match[3] or match[4])), False
    if shipped in _SHIPPED and _SHIPPED[shipped].fullmatch(name):
        return (os.path.join(os.path.dirname(place), "segments"), ""), True
    stem = name[:-12] if name.endswith(".checkpoints") else ""
    match = _LOG_NAME.fullmatch(stem)
    if match is not None and not {stem, stem + ".gz"}.intersection(names):
        return (place, match[1] + (match[3] or match[4])), True
    return None


def _in_order(paths: list[str], held: _Held) -> tuple[list[str], list[str]]:
    """Return each file once, by the seq of its first entry; and those that are copies.

    :raises _Unchecked: if they are of two logs.
    """
    once: dict[tuple[int, int], str] = {}
    sizes: dict[str, int] = {}
    for path in paths:
        if path not in held:
            _check_regular(path)
        found = os.fstat(held[path]) if path in held else os.stat(path)
        once.setdefault((found.st_dev, found.st_ino), path)
        sizes[path] = found.st_size
    files = list(once.values())
    if len(files) == 1:
        return files, []
    # The log itself is empty between the sealing of a segment and the next entry.
    files = [path for path in files if sizes[path]] or files[:1]
    firsts = {path: _first(path, held) for path in files}
    files.sort(key=lambda path: (firsts[path].seq is None, firsts[path].seq or 0))
    kept, copies = files[:1], []
    for path in files[1:]:
        one, two = firsts[kept[-1]], firsts[path]
        if two.seq is None or one.seq != two.seq:
            kept.append(path)
            continue
        if one.hash != two.hash and one.seq == 0 and one.bad is two.bad is None:
            raise _Unchecked(
                f"{kept[-1]} and {path} are two logs: each begins with an entry 0 of its own. "
                "Check them one at a time"
            )
        longer = _longer(kept[-1], path, held)
        if longer is None:  # they differ: the chain says where
            kept.append(path)
        else:
            copies.append(kept[-1] if longer == path else path)
            kept[-1] = longer
    return kept, copies


def _first(path: str, held: _Held) -> _Line:
    """Return a file's first entry."""
    for text in itertools.islice(_lines(path, held), 1000):
        line = _read_line(text)
        if line.seq is not None:
            return line
    return _Line(path, 0)


def _lines(path: str, held: _Held) -> Iterator[bytes]:
    for item in _read(path, held):
        if isinstance(item, _Block):
            yield from item.text.split(b"\n")[:-1]


def _longer(one: str, two: str, held: _Held) -> str | None:
    """Return which of two files holds all that the other holds, in the same order; if one does."""
    for a, b in itertools.zip_longest(_lines(one, held), _lines(two, held)):
        if a is None or b is None:
            return two if a is None else one
        if a != b:
            return None
    return one


def _changes(names: list[str], beside: Sequence[str]) -> Callable[[], bool]:
    """Return what says whether a log was written to, rotated or sealed since now."""
    sides = ("", ".checkpoints", "-wal", "-journal")
    paths = [*beside, *(name + side for name in names for side in sides)]

    def state() -> list[Any]:
        found: list[Any] = [_segments_beside(name) for name in names]
        for path in paths:
            try:
                one = os.stat(path)
                found.append((one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns))
            except OSError:
                found.append(None)
        return found

    before = state()
    return lambda: state() != before
