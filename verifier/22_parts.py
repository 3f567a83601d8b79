# Several processes. Each checks a part as a chain of its own; the parts are then joined where
# they meet. Only a log in which all is well is judged so; any other is read again by one process.

_PART = 1 << 22  # what is smaller is not worth a process
_LARGE_PART = 1 << 27  # so that what is read in vain is bounded, and progress is seen


def _verify_in_parts(chain: _Chain, files: list[str], jobs: int, progress: _Progress) -> bool:
    """Follow a chain that is intact, and say whether it is: else one process must look."""
    parts = _parts(files, jobs)
    able = sys.executable and os.path.isfile(__file__)
    if chain.report.fault_count or len(parts) < 2 or not able:
        return False
    found = _run_parts(chain, parts, jobs, progress)
    whole = _joined_report(chain, [Report(**part["report"]) for part in found])
    if whole is None:
        return False
    joined = _Chain(whole, from_hash=chain.from_hash)
    joined.keys.known = list(chain.keys.known)
    for part in found:
        for naming in part["named"]:
            joined.keys.follow(_Line("", 0, seq=naming[0]), _Naming(*naming))
    if whole.fault_count or (chain.to_hash is not None and not whole.anchored):
        return False
    if whole.starts_at_genesis:
        _join_trees(joined.growth, found)
    else:
        joined.growth.tree = None
    chain.report.__dict__.update(whole.__dict__, files=files, remarks=chain.report.remarks)
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
    with ThreadPoolExecutor(jobs) as pool:
        for task, part in zip(tasks, pool.map(_start_part, tasks)):  # noqa: B905  # Python 3.9
            if part is None:
                pool.shutdown(cancel_futures=True)
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
        if not follows or report.first_prev_hash != whole.last_hash:
            return None
        whole.entries += report.entries
        whole.incomplete += report.incomplete
        whole.oversize += report.oversize
        whole.last_seq, whole.last_hash = report.last_seq, report.last_hash
        whole.last_timestamp = report.last_timestamp
        if report.anchored:
            whole.anchored, whole.anchored_seq = True, report.anchored_seq
    return whole


def _join_trees(growth: _Growth, found: list[dict[str, Any]]) -> None:
    tree = _Tree()
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


def _start_part(task: dict[str, Any]) -> dict[str, Any] | None:
    # Without "-S" where orjson is used: it is in a directory that "site" adds.
    command = [sys.executable, "-I", *(["-S"] if _orjson is None else []), __file__, "--part"]
    # This interpreter with this file: nothing of the log is an argument.
    done = subprocess.run(  # noqa: S603
        command, input=json.dumps(task).encode(), capture_output=True, check=False
    )
    if done.returncode:
        return None
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _verify_part(task: dict[str, Any]) -> int:
    report = Report()
    chain = _Chain(report, None, None, task["to_hash"], task["careful"], goes_on=True)
    chain.growth.wanted = task["wanted"]
    with _collecting_rarely():
        _read_into(chain, task["path"], {}, task["start"], task["end"])
    chain.order.end()

    def text(nodes: list[tuple[int, bytes]]) -> list[tuple[int, str]]:
        return [(level, node.hex()) for level, node in nodes]

    found = {
        "report": asdict(report),
        "named": chain.keys.named,
        "nodes": text(chain.growth.tree.nodes if chain.growth.tree else []),
        "subtrees": {size: text(nodes) for size, nodes in chain.growth.subtrees.items()},
    }
    print(json.dumps(found))
    whole = report.entries and not report.fault_count and chain.findings.doubt is None
    return 0 if whole else 1
