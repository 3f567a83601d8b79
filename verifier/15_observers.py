# What is found on the way, and the observers that each look at one thing as entries pass: their
# order, the tree that they make, and the time between them. The keys are a part of their own.


class _Findings:
    """The report, as it grows."""

    def __init__(
        self,
        report: Report,
        on_fault: Callable[[Fault], None] | None = None,
        keep: int = MAX_FAULTS,
    ) -> None:
        self.report, self.on_fault, self.keep = report, on_fault, keep
        self.kinds: set[str] = set()
        self.doubt: str | None = None  # why the log is not called intact, whatever is found
        # Whether the log has changed since it was read.
        self.moved: Callable[[], bool] | None = None

    def fault(self, kind: str, at: _Line, name: str | None, reason: str) -> None:
        name, reason = name and name[:100], reason[:MAX_REASON]  # a file may hold names as it likes
        self.report_fault(Fault(kind, at.file, at.number or None, at.seq, name, reason))

    def report_fault(self, fault: Fault) -> None:
        # Before anything is named: a log that is written to is not judged by half of a change.
        if self.moved is not None and not self.report.fault_count and self.moved():
            raise _Moved
        self.report.fault_count += 1
        self.kinds.add(fault.kind)
        if len(self.report.faults) < self.keep:
            self.report.faults.append(fault)
        if self.on_fault is not None:
            self.on_fault(fault)


class _Order:
    """Checks that each entry follows the previous one, and finds which are missing."""

    def __init__(self, findings: _Findings, from_hash: str | None, goes_on: bool) -> None:
        self.findings, self.from_hash, self.goes_on = findings, from_hash, goes_on
        self.next: int | None = None  # the seq that should come now
        self.links: tuple[str, ...] = ()  # what its prev_hash may be; () if that cannot be told
        self.holes: list[tuple[int, int, _Line]] = []  # seqs that did not come, so far
        self.lost = 0  # unreadable lines since the last readable one

    def see(self, line: _Line, seq: int) -> None:
        """Put an entry in its place."""
        if self.next is None:
            self.begin(line, seq)
        elif seq < self.next:
            self.come_back(line, seq)
            return
        elif seq > self.next:
            # Unreadable lines were here instead: they are named already.
            if seq - self.next > self.lost and len(self.holes) < MAX_HOLES:
                self.holes.append((self.next + self.lost, seq - 1, line))
        elif not self.lost and self.links and not self.links_to(line):
            reason = (
                "its prev_hash is not the hash of the entry before it: one of them was replaced"
            )
            self.findings.fault("inserted", line, "prev_hash", reason)
        if seq and line.prev == GENESIS:
            self.findings.fault("inserted", line, "prev_hash", "a second log begins here")
        self.next, self.lost = seq + 1, 0
        self.links = (line.hash or "", line.own)

    def links_to(self, line: _Line) -> bool:
        """Whether an entry names the one before it; a stub names none."""
        return line.prev in self.links or line.altered or line.stub

    def begin(self, line: _Line, seq: int) -> None:
        if self.goes_on:
            return
        if line.stub and self.from_hash is not None:
            self.findings.doubt = (
                "the first line is a stub, which does not say what is before it, so the hash given "
                "with --from-hash cannot be compared: give the files before it too"
            )
            return
        if self.from_hash is not None:
            if line.prev != self.from_hash:
                reason = "it does not follow the hash given with --from-hash"
                self.findings.kinds.add("inserted")
                self.findings.fault("cut-front", line, "prev_hash", reason)
        elif seq:
            reason = f"the log begins at seq {seq}: what came before it is not here"
            self.findings.fault("cut-front", line, None, reason)
        elif line.prev != GENESIS:
            self.findings.fault(
                "malformed", line, "prev_hash", "entry 0 does not begin with GENESIS"
            )

    def come_back(self, line: _Line, seq: int) -> None:
        index = bisect.bisect_right(self.holes, (seq, sys.maxsize)) - 1  # they are in order
        if index >= 0 and seq <= self.holes[index][1]:
            low, high, at = self.holes[index]
            rest = [(low, seq - 1, at), (seq + 1, high, at)]
            self.holes[index : index + 1] = [hole for hole in rest if hole[0] <= hole[1]]
            reason = f"seq {seq} comes after seq {(self.next or 0) - 1}"
            self.findings.fault("reordered", line, "seq", reason)
            return
        if line.hash in self.links and seq == (self.next or 0) - 1:
            self.findings.fault("duplicated", line, "seq", f"seq {seq} appears here a second time")
        else:
            reason = f"seq {seq} was there before: this is a copy, or another entry with its number"
            self.findings.fault("duplicated", line, "seq", reason)

    def end(self) -> None:
        """Name what did not come."""
        for low, high, at in self.holes:
            what = f"entry {low} is" if low == high else f"entries {low} to {high} are"
            self.findings.fault("missing", at, "seq", f"before seq {at.seq}, {what} missing")


class _Growth:
    """The tree that the entries make, where a checkpoint gives its root."""

    def __init__(self, from_hash: str | None, goes_on: bool) -> None:
        # None where the entries are not those of a whole log.
        self.tree: _Tree | None = _Tree() if from_hash is None else None
        self.goes_on = self.first = goes_on
        self.wanted: list[int] = []  # the sizes at which a checkpoint gives a root, largest first
        self.roots: dict[int, bytes] = {0: _Tree().root()}
        self.subtrees: dict[int, list[tuple[int, bytes]]] = {}  # of a part, instead of roots

    def start_from(self, tree: _Tree) -> None:
        """Go on from a tree over all entries before."""
        self.tree = _joined(tree, [])
        self.roots[tree.size] = tree.root()
        while self.wanted and self.wanted[-1] <= tree.size:
            self.wanted.pop()

    def see(self, seq: int, leaf: bytes) -> None:
        """Add an entry to the tree, as far as some checkpoint reaches."""
        if self.tree is None or not self.wanted:
            return
        if self.first:
            self.tree = _Tree(seq)
            while self.wanted and self.wanted[-1] <= seq:
                self.wanted.pop()
        self.first = False
        if seq != self.tree.size:
            self.tree = None
            return
        self.tree.append(leaf)
        if self.wanted and self.tree.size == self.wanted[-1]:
            size = self.wanted.pop()
            if self.goes_on:
                self.subtrees[size] = list(self.tree.nodes)
            else:
                self.roots[size] = self.tree.root()


class _Clock:
    """How long nothing was recorded."""

    def __init__(self, findings: _Findings, max_gap: float | None) -> None:
        self.findings, self.max_gap = findings, max_gap
        self.last_moment: int | None = None

    def see(self, line: _Line) -> None:
        """Name a silence: by the time in the id, which the log gave, not the caller."""
        moment = int(line.entry["id"][:8] + line.entry["id"][9:13], 16)
        before, self.last_moment = self.last_moment, moment
        if self.max_gap is not None and before is not None:
            gap = (moment - before) / 1000
            if gap > self.max_gap:
                reason = f"before it nothing was recorded for {gap:,.0f} seconds"
                self.findings.fault("silence", line, "id", reason)
