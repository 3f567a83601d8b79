# The chain: entries from the first to the last, and what breaks.

MAX_JUNK = 1_000_000  # short lines in a row, before the same
_SHORT = 300  # bytes: fewer than any stored entry has
MAX_REASON = 500


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
            if not run[0][0]:
                self.add_lines([row[-1] for row in run], block.file, there)
            elif not self.add_run(run, there):
                # Where no hash or address is, a line feed may have been matched.
                text = b"".join([b'%b,"hash":"%b"}\n' % (row[0], row[-2]) for row in run])
                self.add_lines(text.split(b"\n")[:-1], block.file, there)

    def add_run(self, rows: list[tuple[bytes, ...]], places: list[Any] | None) -> bool:
        """Add ordinary lines that continue the chain; if anything is odd, do nothing."""
        bodies, _, contexts, addresses, olds, prevs, seqs, hashes, _ = zip(*rows)  # noqa: B905  # Python 3.9
        if self.order.next is None or self.order.lost or prevs[0].decode() not in self.order.links:
            return False
        numbers = range(self.order.next, self.order.next + len(rows))
        own = [_sha256(b"\0%b}" % body).digest() for body in bodies]
        if (
            b"".join(own).hex().encode() != b"".join(hashes)
            or prevs[1:] != hashes[:-1]
            or b",".join(seqs) != ",".join(map(str, numbers)).encode()
            or max(map(len, bodies)) >= MAX_BODY  # without its closing brace
            or not _addresses_obey(set(addresses))
            or (places is not None and places != list(numbers))
        ):
            return False
        try:
            incomplete, oversize = _marks(bodies, contexts, olds)
        except _Bad:
            return False
        report, last = self.report, bodies[-1]
        self.number += len(rows)
        report.entries += len(rows)
        report.incomplete += incomplete
        report.oversize += oversize
        report.last_seq, report.last_hash = numbers[-1], hashes[-1].decode()
        at = last.rindex(b',"timestamp":"') + 14  # after it no text can hold a quotation mark alone
        report.last_timestamp = last[at : at + 27].decode()
        self.order.next, self.order.links = numbers[-1] + 1, (report.last_hash,)
        self.keys.see_unsigned(numbers[0])
        if self.growth.wanted:
            for seq, leaf in zip(numbers, own):  # noqa: B905  # Python 3.9
                self.growth.see(seq, leaf)
        if self.to_hash is not None and self.to_hash.encode() in hashes:
            report.anchored = True
            report.anchored_seq = numbers[hashes.index(self.to_hash.encode())]
        return True

    def add_lines(self, lines: list[bytes], file: str, places: list[Any] | None) -> None:
        """Add lines by every rule, one after the other."""
        index = 0
        while index < len(lines):
            end = index
            while end < len(lines) and len(lines[end]) < _SHORT:
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
        if not self.report.entries:
            self.begin(line)
        self.count(line)
        self.judge(line)
        if line.seq is None:
            self.order.lost += line.weight
        else:
            self.growth.see(line.seq, bytes.fromhex(line.own))
            self.order.see(line, line.seq)
        if line.bad is None and not line.altered:
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
        report.entries += 1
        report.incomplete += line.incomplete
        report.oversize += line.oversize
        moment = line.entry.get("timestamp")
        if report.entries == 1:
            report.first_seq, report.first_hash = line.seq, line.hash
            report.first_timestamp, report.first_prev_hash = moment, line.prev
        report.last_seq, report.last_hash, report.last_timestamp = line.seq, line.hash, moment

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
