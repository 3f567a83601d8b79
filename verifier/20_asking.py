# One log, from what is asked of it to the report.

MAX_ATTEMPTS = 6  # at a log that is written to meanwhile


class Stream(NamedTuple):
    """A log that is not in a file: what a central store returns."""

    name: str
    lines: Iterable[bytes]
    """Stored lines in the order of ``seq``, without their line feeds."""
    notes: Iterable[tuple[bytes, str | None]] = ()
    """Its checkpoints as signed notes, each with a timestamp in base64, if it has one."""
    elsewhere: Sequence[tuple[int, int, str]] = ()
    """What the store says was moved to an archive that is not read: first and last number, in order
    and without overlaps, and where it is."""

    def blocks(self) -> Iterator[_Block]:
        """Yield the lines by blocks; of one that is too long only the start."""
        block: list[bytes] = []
        size = 0
        for line in self.lines:
            block.append(line[:MAX_LINE].replace(b"\n", b"?") + b"\n")
            size += len(block[-1])
            if size >= CHUNK:
                yield _Block(self.name, b"".join(block))
                block, size = [], 0
        if block:
            yield _Block(self.name, b"".join(block))


def verify(
    *paths: str | os.PathLike[str],
    from_hash: str | None = None,
    to_hash: str | None = None,
    on_fault: Callable[[Fault], None] | None = None,
    progress: Callable[[int, float | None], None] | None = None,
    jobs: int = 1,
    careful: bool = False,
    public_key: str | None = None,
    checkpoints: Sequence[str | os.PathLike[str]] = (),
    max_gap: float | None = None,
    witness_keys: Sequence[str] = (),
    timestamp_roots: bytes | None = None,
    stream: Stream | None = None,
    also: Iterable[Fault] = (),
    beside: Sequence[str] = (),
    max_faults: int = MAX_FAULTS,
) -> Report:
    """Check a log, or several files that hold one chain, in any order.

    :param paths: a log's name includes its sealed segments, if they are beside it.
    :param from_hash: the last hash of what came before these files.
    :param to_hash: a hash kept elsewhere, which must occur in the chain.
    :param on_fault: called with each fault as it is found.
    :param progress: called now and then with the number of entries so far, and the share of the
        bytes that they are, from 0 to 1, where it is known.
    :param jobs: how many processes share the work. A log that turns out to be broken is then
        read once more by one of them, which names every break.
    :param careful: check each line by the book alone, in the slow way.
    :param public_key: the log's first public key, from elsewhere: PEM, or a ``vkey``.
    :param checkpoints: files with checkpoints that were kept elsewhere.
    :param max_gap: seconds; a longer time without an entry is named.
    :param witness_keys: keys of witnesses that must have cosigned, each as a ``vkey``.
    :param timestamp_roots: certificates in PEM of authorities, one of which must have timestamped.
    :param stream: a log that is not in a file, instead of `paths`.
    :param beside: files with the log's own checkpoints, other than those found by its name.
    :param also: what somebody else found: how a central store differs, or what is wrong with it.
    :param max_faults: how many faults are kept in the report; all are counted.
    :returns: a report; its ``status`` is ``unchecked``, with a ``reason``, where
        nothing could be checked. Nothing is raised for what a file holds.
    """
    names = [name for path in paths for name in _names_of(os.fspath(path))]
    also = also if stream else list(also)
    try:
        question = _Question.of(
            from_hash, to_hash, jobs, public_key, checkpoints, witness_keys, timestamp_roots
        )
    except _Unchecked as problem:
        return Report(reason=str(problem))

    for attempt in range(MAX_ATTEMPTS):
        report = Report()
        chain = _Chain(
            report,
            on_fault,
            question.from_hash,
            question.to_hash,
            careful or max_gap is not None,
            keep=max_faults,
            max_gap=max_gap,
            keeps_hashes=stream is not None,
        )
        moved = chain.findings.moved = (
            _changes(names, beside) if stream is None and attempt < MAX_ATTEMPTS - 1 else None
        )
        try:
            with _holding() as held, _collecting_rarely(), contextlib.closing(chain.retention):
                notes = _follow(chain, names, held, question, stream, beside, also, progress)
            _conclude(chain, notes, question)
            break
        except BrokenPipeError:  # of `on_fault` or `progress`: nobody reads what is said
            raise
        except (_Moved, _Unchecked, OSError) as problem:
            if moved is None or not (isinstance(problem, _Moved) or moved()):
                report.status, report.reason = "unchecked", str(problem)
                break
            time.sleep(0.01 * 2**attempt)
    return report


@dataclass
class _Question:
    """What somebody wants to know of a log, besides that it is whole."""

    from_hash: str | None
    to_hash: str | None
    jobs: int
    pin: _Key | None
    outside: list[str]  # files with checkpoints
    witnesses: list[_Key]
    roots: bytes | None

    @classmethod
    def of(
        cls,
        from_hash: str | None,
        to_hash: str | None,
        jobs: int,
        public_key: str | None,
        checkpoints: Sequence[str | os.PathLike[str]],
        witness_keys: Sequence[str],
        roots: bytes | None,
    ) -> _Question:
        """Return the question, checked.

        :raises _Unchecked: if it cannot be asked like this.
        """
        try:
            return cls(
                from_hash and _hash(from_hash),
                to_hash and _hash(to_hash),
                _jobs(jobs),
                None if public_key is None else _Key(public_key),
                [os.fspath(path) for path in checkpoints],
                [_Key(text, 4) for text in witness_keys],
                roots,
            )
        except _Bad as bad:
            raise _Unchecked(f"of a public key that was given: {bad.reason}") from None
        except ValueError as error:
            raise _Unchecked(str(error)) from None


def _hash(text: str) -> str:
    """Return a hash as it is stored.

    :raises ValueError: if it has not the form of one.
    """
    found = text.strip().lower()
    if not _HEX64.fullmatch(found):
        raise ValueError("a hash must have 64 hexadecimal digits")
    return found


def _jobs(value: str | int) -> int:
    with contextlib.suppress(ValueError):
        if int(value) >= 1:
            return int(value)
    raise ValueError("the number of jobs must be 1 or more")


def _processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def _collecting_rarely() -> Iterator[None]:
    """Keep Python from looking for garbage among the parts of each line, in vain: it takes long."""
    before = gc.get_threshold()
    if before[0]:
        gc.set_threshold(max(before[0], 100_000), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextlib.contextmanager
def _holding() -> Iterator[_Held]:
    held: _Held = {}
    try:
        yield held
    finally:
        for fd in held.values():
            os.close(fd)


def _follow(
    chain: _Chain,
    names: list[str],
    held: _Held,
    question: _Question,
    stream: Stream | None,
    beside: Sequence[str],
    also: Iterable[Fault],
    progress: Callable[[int, float | None], None] | None,
) -> list[_Note]:
    """Read a log from its first entry to its last, and return its checkpoints."""
    report = chain.report
    if question.pin is not None and question.from_hash is not None:
        chain.keys.known.append((-1, question.pin))  # the key may be named before these entries
    # The checkpoints first: those that come later are of entries that may come later.
    notes = list(_gather(chain, names, question.outside, beside, stream))
    chain.growth.wanted = sorted({note.size for note in notes if note.size}, reverse=True)
    listings = [path for path in beside if path.endswith(_LISTINGS)]
    chain.listed = _listed([*listings, *(name + ".manifest" for name in names)])
    files: list[str] = []
    if stream is None:
        files, copies = _in_order(_with_segments(names, held), held)
        report.remarks += [f"{path} holds nothing but a copy: left out" for path in copies]
    front = _front_of(files, held) if stream is None and question.from_hash is None else None
    if front is not None:
        chain.start_after(front)
    again = functools.partial(_hashes_in, files, held)
    alone = question.jobs == 1 or chain.clock.max_gap is not None
    joined = not alone and _verify_in_parts(
        chain, files, question.jobs, _Progress(progress, files), again
    )
    if not joined:
        whole = _Progress(progress, files)
        for path in files:
            report.files.append(path)
            _read_into(chain, path, held, progress=whole)
    if stream is not None:
        chain.retention.elsewhere = stream.elsewhere
        _read_stream(chain, stream, progress)
    for fault in also:
        if fault.kind == FOREIGN:
            report.foreign += 1
        else:
            chain.findings.report_fault(fault)
    chain.order.end()
    if not joined:
        chain.retention.end(chain.keys, again)
    if front is not None and report.last_seq is not None:
        front.judge(chain)
    return notes


def _hashes_in(files: list[str], held: _Held) -> _Spool:
    """Read a log again, for the hashes of its entries, and nothing else."""
    chain = _Chain(Report(), keeps_hashes=True)
    with contextlib.closing(chain.retention):
        for path in files:
            _read_into(chain, path, held)
        hashes, chain.retention.others = chain.retention.others, None
    return _Spool() if hashes is None else hashes


def _read_stream(
    chain: _Chain, stream: Stream, progress: Callable[[int, float | None], None] | None
) -> None:
    report = chain.report
    report.files.append(stream.name)
    with contextlib.suppress(_Unread):
        for block in stream.blocks():
            chain.add_block(block)
            if progress is not None:
                progress(report.entries, None)
    if report.entries and not chain.keys.known:
        report.remarks.append(
            "the log has no key, so nobody can tell its entries from what others may have added "
            "to the store"
        )


class _Progress:
    """Says now and then how far the reading of files is."""

    def __init__(
        self, tell: Callable[[int, float | None], None] | None, files: Sequence[str]
    ) -> None:
        self.tell = tell
        self.read = 0
        # Of what is compressed, or a database, the bytes that are read are not those of the file.
        plain = tell is not None and not any(map(_is_packed, files))
        self.total = sum(map(_size, files)) if plain else 0

    def add(self, entries: int, size: int) -> None:
        """Note a number of bytes that were read since, with all entries so far."""
        self.read += size
        if self.tell is not None:
            self.tell(entries, min(1.0, self.read / self.total) if self.total else None)


def _read_into(
    chain: _Chain,
    path: str,
    held: _Held,
    start: int = 0,
    end: int | None = None,
    progress: _Progress | None = None,
) -> None:
    chain.number = 0
    with contextlib.suppress(_Unread):
        for item in _read(path, held, start, end):
            if isinstance(item, _Block):
                chain.add_block(item)
            else:
                chain.add(item)
            if progress is not None:
                size = len(item.text) if isinstance(item, _Block) else 0
                progress.add(chain.report.entries, size)
