# Several processes. Each checks a part as a chain of its own; the parts are then joined where
# they meet. Only a log in which all is well is judged so; any other is read again by one process.

_PART = 1 << 22  # what is smaller is not worth a process
_LARGE_PART = 1 << 27  # so that what is read in vain is bounded, and progress is seen


def _verify_in_parts(
    chain: _Chain,
    files: list[str],
    jobs: int,
    progress: _Progress,
    again: Callable[[], _Spool],
) -> bool:
    """Follow a chain that is intact, and say whether it is: else one process must look."""
    parts = _parts(files, jobs)
    able = _may_fork() or (sys.executable and os.path.isfile(__file__))
    if chain.report.fault_count or len(parts) < 2 or not able:
        return False
    try:
        place = tempfile.TemporaryDirectory()
    except OSError:  # only stubs would be kept there
        return False
    with place as folder:
        parts = [{**part, "spool": os.path.join(folder, str(at))} for at, part in enumerate(parts)]
        found = _run_parts(chain, parts, jobs, progress)
        return _join(chain, files, found, [part["spool"] for part in parts], again)


def _join(
    chain: _Chain,
    files: list[str],
    found: list[dict[str, Any]],
    spools: list[str],
    again: Callable[[], _Spool],
) -> bool:
    """Take up what was found in parts, if together they are an intact chain."""
    whole = _joined_report(chain, [Report(**part["report"]) for part in found])
    if whole is None:
        return False
    joined = _Chain(whole, from_hash=chain.from_hash)
    joined.keys.known = list(chain.keys.known)
    if chain.front is not None:
        joined.keys.known.clear()
        joined.start_after(chain.front)
    for part in found:
        for naming in part["named"]:
            joined.keys.follow(_Line("", 0, seq=naming[0]), _Naming(*naming))
    with contextlib.closing(joined.retention):
        for spool in spools:
            joined.retention.join(spool)
        joined.retention.end(joined.keys, again)
    unsure = joined.findings.doubt is not None or (chain.to_hash is not None and not whole.anchored)
    if whole.fault_count or unsure:
        return False
    if whole.starts_at_genesis or chain.front is not None:
        _join_trees(joined.growth, found)
    else:
        joined.growth.tree = None
    remarks = chain.report.remarks + whole.remarks
    chain.report.__dict__.update(whole.__dict__, files=files, remarks=remarks)
    chain.growth, chain.keys = joined.growth, joined.keys
    joined.keys.findings = chain.findings
    return True


def _run_parts(
    chain: _Chain, parts: list[dict[str, Any]], jobs: int, progress: _Progress
) -> list[dict[str, Any]]:
    """Return what processes find in the parts; nothing if one finds a fault."""
    options = {
        "to_hash": chain.to_hash,
        "careful": chain.careful,
        "wanted": chain.growth.wanted,
    }
    tasks = [{**part, **options} for part in parts]
    found: list[dict[str, Any]] = []
    entries = 0
    with contextlib.closing(_answers(tasks, jobs)) as answers:
        for task, part in zip(tasks, answers):  # noqa: B905  # Python 3.9
            if part is None:
                return []
            found.append(part)
            entries += part["report"]["entries"]
            progress.add(entries, (task["end"] or _size(task["path"])) - task["start"])
    return found


def _joined_report(chain: _Chain, reports: list[Report]) -> Report | None:
    """Return the report of parts that go on from each other, the first where the chain begins."""
    if not reports:
        return None
    whole, *others = reports
    begins = whole.first_prev_hash == (chain.from_hash or GENESIS)
    if not begins or (chain.from_hash is None and whole.first_seq):
        return None
    whole.revoked = []
    for report in others:
        follows = whole.last_seq is not None and report.first_seq == whole.last_seq + 1
        if not follows or report.first_prev_hash not in (None, whole.last_hash):  # None: a stub
            return None
        whole.entries += report.entries
        whole.stubs += report.stubs
        whole.incomplete += report.incomplete
        whole.oversize += report.oversize
        whole.last_seq, whole.last_hash = report.last_seq, report.last_hash
        whole.last_timestamp = report.last_timestamp or whole.last_timestamp
        if report.anchored:
            whole.anchored, whole.anchored_seq = True, report.anchored_seq
    return whole


def _join_trees(growth: _Growth, found: list[dict[str, Any]]) -> None:
    tree = growth.tree or _Tree()
    for part in found:
        for size, nodes in part["subtrees"].items():
            growth.roots[int(size)] = _joined(tree, nodes).root()
        tree = _joined(tree, part["nodes"])
    growth.tree = tree


def _joined(tree: _Tree, nodes: list[tuple[int, str]]) -> _Tree:
    """Return a tree with what a part adds to it."""
    result = _Tree(tree.size)
    result.nodes = list(tree.nodes)
    for level, node in nodes:
        result.append(bytes.fromhex(node), level)
    return result


def _parts(files: list[str], jobs: int) -> list[dict[str, Any]]:
    size = sum(map(os.path.getsize, files)) // jobs + 1
    size = max(_PART, min(size, _LARGE_PART))
    parts = []
    for path in files:
        start, total = 0, os.path.getsize(path)
        if not _is_packed(path):
            while total - start > size + _PART // 2:
                end = _line_start(path, start + size)
                if end is None:
                    break
                parts.append({"path": path, "start": start, "end": end})
                start = end
        parts.append({"path": path, "start": start, "end": None})
    return parts


def _line_start(path: str, near: int) -> int | None:
    with open(path, "rb") as file:
        file.seek(near)
        at = file.read(MAX_LINE + 1).find(b"\n")
    return near + at + 1 if at >= 0 else None


def _answers(
    tasks: Iterable[dict[str, Any]], jobs: int
) -> Generator[dict[str, Any] | None, None, None]:
    """Yield what processes find in parts, in their order, while others go on with the next."""
    start = _Forked if _may_fork() else _Started
    running: list[_Forked | _Started] = []
    try:
        for task in tasks:
            running.append(start(task))
            if len(running) == jobs:
                yield _taken(running)
        while running:
            yield _taken(running)
    finally:
        for process in running:
            process.stop()


def _taken(running: list[_Forked | _Started]) -> dict[str, Any] | None:
    """Return what the first of some processes found, and remove it from them."""
    said = running[0].result()
    del running[0]
    try:
        found: dict[str, Any] | None = json.loads(said)
    except ValueError:  # it was killed
        return None
    return found


def _may_fork() -> bool:
    """Whether a copy of this process can go on by itself, and nothing else waits for its end.

    Only Linux tells for certain that there is one thread. If SIGCHLD is ignored, or has a handler,
    the copy's number may be another process's before it is stopped here.
    """
    try:
        alone = len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False
    return alone and signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL


class _Forked:
    """A copy of this process, at work on a part. It is ready at once."""

    def __init__(self, task: dict[str, Any]) -> None:
        reading, writing = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            try:
                with os.fdopen(writing, "w") as pipe:
                    json.dump(_found_in_part(task), pipe)
            finally:
                os._exit(0)  # nothing of what this process would do at its end
        os.close(writing)
        self.pipe = os.fdopen(reading, "rb")

    def result(self) -> bytes:
        said = self.pipe.read()
        self.end()
        return said

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.end()

    def end(self) -> None:
        self.pipe.close()
        os.waitpid(self.pid, 0)


class _Started:
    """A new process, where this one cannot be copied: in a program with threads."""

    def __init__(self, task: dict[str, Any]) -> None:
        # Without "-S" where orjson is used: it is in a directory that "site" adds.
        command = [sys.executable, "-I", *(["-S"] if _orjson is None else []), __file__, "--part"]
        # This interpreter with this file: nothing of the log is an argument.
        self.process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        pipe: Any = self.process.stdin
        with contextlib.suppress(BrokenPipeError), pipe:
            pipe.write(json.dumps(task).encode())

    def result(self) -> bytes:
        pipe: Any = self.process.stdout
        said: bytes = pipe.read()
        self.end()
        return said

    def stop(self) -> None:
        self.process.kill()
        self.end()

    def end(self) -> None:
        with self.process:  # which closes its pipes, and waits for it
            pass


def _found_in_part(task: dict[str, Any]) -> dict[str, Any] | None:
    """Return what a part is to the whole; None if anything is wrong with it."""
    report = Report()
    chain = _Chain(
        report, None, None, task["to_hash"], task["careful"], goes_on=True, spool=task["spool"]
    )
    chain.growth.wanted = task["wanted"]
    with _collecting_rarely(), contextlib.closing(chain.retention):
        _read_into(chain, task["path"], {}, task["start"], task["end"])
    chain.order.end()

    def text(nodes: list[tuple[int, bytes]]) -> list[tuple[int, str]]:
        return [(level, node.hex()) for level, node in nodes]

    if not report.entries + report.stubs or report.fault_count or chain.findings.doubt is not None:
        return None
    return {
        "report": asdict(report),
        "named": chain.keys.named,
        "nodes": text(chain.growth.tree.nodes if chain.growth.tree else []),
        "subtrees": {size: text(nodes) for size, nodes in chain.growth.subtrees.items()},
    }
