# The chain: entries from the first to the last, and what breaks.

MAX_JUNK = 1_000_000  # short lines in a row, before the same
_SHORT = 300  # bytes: fewer than any stored entry has
MAX_REASON = 500


def _is_short(line: bytes) -> bool:
    """Whether a line is too short for an entry, and no stub."""
    return len(line) < _SHORT and not (
        line.startswith(_STUB_BEGINS) and _STUB.fullmatch(line) is not None
    )


class _Chain:
    """Follows entries from first to last, and shows each to the observers."""

    def __init__(
        self,
        report: Report,
        on_fault: Callable[[Fault], None] | None = None,
        from_hash: str | None = None,
        to_hash: str | None = None,
        careful: bool = False,
        goes_on: bool = False,
        keep: int = MAX_FAULTS,
        max_gap: float | None = None,
        spool: str | None = None,
        keeps_hashes: bool = False,
    ) -> None:
        self.report = report
        self.from_hash = from_hash
        self.to_hash = to_hash
        self.careful = careful
        self.listed: list[tuple[str, int]] = []  # up to where catalogues of segments say it goes
        self.number = 0  # of the last line of the file
        # With `goes_on`, the entries before these are checked elsewhere.
        self.findings = _Findings(report, on_fault, keep)
        self.order = _Order(self.findings, from_hash, goes_on)
        self.growth = _Growth(from_hash, goes_on)
        self.keys = _Keys(self.findings, from_hash, goes_on)
        self.clock = _Clock(self.findings, max_gap)
        self.retention = _Retention(self.findings, spool, keeps_hashes)
        self.front: _Front | None = None

    def start_after(self, front: _Front) -> None:
        """Go on from what an entry says of those before."""
        self.front, self.report.origin = front, front.origin
        self.from_hash = self.order.from_hash = self.keys.from_hash = front.last_hash
        self.keys.begun = True
        for seq, key in front.keys:
            self.keys.take(seq, key)
        self.keys.revoked |= front.revoked
        self.growth.start_from(front.tree)

    def add_block(self, block: _Block) -> None:
        if block.torn:
            reason = "the file ends in the middle of a line: its writer was stopped, or it was cut"
            self.add(_Line(block.file, -1, bad=_Bad("torn", reason)))
            return
        places = block.places
        if places is None and not block.text.strip(b"\n"):
            self.add_short(len(block.text), b"", block.file)
            return
        if self.careful or not _is_utf8(block.text):
            self.add_lines(block.text.split(b"\n")[:-1], block.file, places)
            return
        at = 0
        for run in _runs(_rows_of(block.text)):
            there = places and places[at : at + len(run)]
            at += len(run)
            if not _is_ordinary(run[0]):
                self.add_lines([row[-1] for row in run], block.file, there)
            elif not self.add_run(_Run(run), block.file, there):
                # Where no hash or address is, a line feed may have been matched.
                text = b"".join(map(_line_of, run))
                self.add_lines(text.split(b"\n")[:-1], block.file, there)

    def add_run(self, run: _Run, file: str, places: list[Any] | None) -> bool:
        """Add ordinary lines that continue the chain; if anything is odd, do nothing."""
        if self.order.next is None or self.order.lost or not run.follows(self.order.links):
            return False
        numbers = range(self.order.next, self.order.next + len(run.leaves))
        if not run.obeys(numbers) or (places is not None and places != list(numbers)):
            return False
        try:
            marks = _marks(run.bodies, run.contexts, run.olds)
        except _Bad:
            return False
        self.number += len(numbers)
        self.order.next, self.order.links = numbers[-1] + 1, (run.hashes[-1].decode(),)
        self.count_run(run, numbers, marks)
        self.retention.add_run(run, numbers, file)
        if self.growth.wanted:
            for seq, leaf in zip(numbers, run.leaves):  # noqa: B905  # Python 3.9
                self.growth.see(seq, leaf)
        return True

    def count_run(self, run: _Run, numbers: range, marks: tuple[int, int]) -> None:
        """Count ordinary lines, and note the last of them."""
        report, entries = self.report, run.entries
        report.entries += len(entries)
        report.incomplete += marks[0]
        report.oversize += marks[1]
        report.last_seq, report.last_hash = numbers[-1], run.hashes[-1].decode()
        if entries:
            last = run.bodies[entries[-1]]
            # After it no text can hold a quotation mark alone.
            at = last.rindex(b',"timestamp":"') + 14
            report.last_timestamp = last[at : at + 27].decode()
            self.keys.see_unsigned(numbers[entries[0]])
        if self.to_hash is not None and self.to_hash.encode() in run.hashes:
            report.anchored = True
            report.anchored_seq = numbers[run.hashes.index(self.to_hash.encode())]

    def add_lines(self, lines: list[bytes], file: str, places: list[Any] | None) -> None:
        """Add lines by every rule, one after the other."""
        index = 0
        while index < len(lines):
            end = index
            while end < len(lines) and _is_short(lines[end]):
                end += 1
            if end > index + 1:
                self.add_short(end - index, lines[index], file)
                index = end
                continue
            line = _read_line(lines[index], file, -1, self.careful)
            if line.bad is None and places is not None and line.seq != places[index]:
                reason = f"the row has the number {places[index]}, and its entry says {line.seq}"
                line.bad = _Bad("seq", reason)
            self.add(line)
            index += 1

    def add_short(self, count: int, first: bytes, file: str) -> None:
        """Add lines that are too short for an entry as one.

        So that what a file of them takes to check, and to report, is bounded.
        """
        reason = f"here and in the {count - 1:,} lines after it: {_what_it_is(first)}"
        self.add(_Line(file, -1, bad=_Bad(None, reason), weight=count))
        self.number += count - 1
        if self.order.lost > MAX_JUNK:
            raise _Unread

    def add(self, line: _Line) -> None:
        if line.number < 0:
            self.number += 1
            line.number = self.number
        if self.to_hash is not None and line.hash == self.to_hash and not line.altered:
            self.report.anchored, self.report.anchored_seq = True, line.seq
        if line.hash is None:
            self.add_none(line, line.bad or _Bad(None, "it has not the form of a stored entry"))
            return
        if not self.report.entries and not self.report.stubs:
            self.begin(line)
        self.count(line)
        self.judge(line)
        if line.seq is None:
            self.order.lost += line.weight
        else:
            self.growth.see(line.seq, bytes.fromhex(line.own))
            self.order.see(line, line.seq)
            self.retention.see(line, line.seq)
        if line.bad is None and not line.altered and line.stub:
            self.keys.see_stub(line)
            self.clock.last_moment = None  # nobody knows what was recorded when
        elif line.bad is None and not line.altered:
            self.keys.see(line)
            self.clock.see(line)

    def judge(self, line: _Line) -> None:
        """Name what is wrong with an entry by itself."""
        if line.altered:
            reason = "its hash is not that of its content: the entry or its hash was edited"
            self.findings.fault("edited", line, line.bad.field if line.bad else None, reason)
        elif line.bad is not None:
            self.findings.fault("malformed", line, line.bad.field, line.bad.reason)

    def begin(self, line: _Line) -> None:
        """Note where the log begins."""
        self.report.starts_at_genesis = line.seq == 0 and line.prev == GENESIS
        if line.seq == 0:
            self.report.origin = line.entry.get("resource_id")

    def count(self, line: _Line) -> None:
        """Count an entry, and note the first and the last one."""
        report = self.report
        report.entries += not line.stub
        report.stubs += line.stub
        report.incomplete += line.incomplete
        report.oversize += line.oversize
        if report.entries + report.stubs == 1:
            report.first_seq, report.first_hash = line.seq, line.hash
            report.first_timestamp, report.first_prev_hash = line.entry.get("timestamp"), line.prev
        report.last_seq, report.last_hash = line.seq, line.hash
        if not line.stub:
            report.last_timestamp = line.entry.get("timestamp")

    def add_none(self, line: _Line, bad: _Bad) -> None:
        """Note a line that is not an entry."""
        name = bad.field
        if name == _DOUBT:
            self.findings.doubt = bad.reason
        elif name == "schema":
            self.findings.fault("edited", line, name, bad.reason)
        else:
            kind = name if name in ("torn", "unreadable") else "malformed"
            self.findings.fault(kind, line, None if kind == name else name, bad.reason)
            self.order.lost += line.weight
