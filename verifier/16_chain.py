# The chain: entries from the first to the last, and what breaks.

MAX_JUNK = 1_000_000  # short lines in a row, before the same
_SHORT = 300  # bytes: fewer than any stored entry has
MAX_REASON = 500


class _Chain:
    """Follows entries from first to last, and says what breaks."""

    def __init__(
        self,
        report: Report,
        on_fault: Callable[[Fault], None] | None = None,
        from_hash: str | None = None,
        to_hash: str | None = None,
        careful: bool = False,
        goes_on: bool = False,
        keep: int = MAX_FAULTS,
    ) -> None:
        self.report = report
        self.keep = keep
        self.kinds: set[str] = set()
        self.doubt: str | None = None  # why the log is not called intact, whatever is found
        self.listed: list[tuple[str, int]] = []  # up to where catalogues of segments say it goes
        self.moved: Callable[[], bool] | None = (
            None  # whether the log has changed since it was read
        )
        self.on_fault = on_fault
        self.from_hash = from_hash
        self.to_hash = to_hash
        self.careful = careful
        self.goes_on = goes_on  # a part of a log: what stands before it is checked elsewhere
        self.next: int | None = None  # the seq that should come now
        self.links: tuple[str, ...] = ()  # what its prev_hash may be; () if that cannot be told
        self.holes: list[tuple[int, int, _Line]] = []  # seqs that did not come, so far
        self.lost = 0  # unreadable lines since the last readable one
        self.number = 0  # of the last line of the file
        self.tree: _Tree | None = _Tree()  # None where the entries are not those of a whole log
        self.wanted: list[int] = []  # the sizes at which a checkpoint gives a root, largest first
        self.roots: dict[int, bytes] = {0: _Tree().root()}
        self.subtrees: dict[int, list[tuple[int, bytes]]] = {}  # of a part, instead of roots
        self.named: list[_Naming] = []  # of a part: what it says of keys
        self.keys: list[tuple[int, _Key]] = []  # each with the seq of the entry that names it
        self.vkeys: set[str] = set()  # of these keys
        self.revoked: set[str] = set()  # and of these, those that were
        self.signer: _Key | None = None  # which signed the last entry with a signature
        self.signed_until = -1  # and that entry
        self.bare: int | None = None  # the first caller's entry since then
        self.gaps: list[tuple[int, int]] = []  # such, each with the next signed one
        self.max_gap: float | None = None
        self.last_moment: int | None = None

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
        """Add ordinary lines that go on where the chain stands; if anything is odd, do nothing."""
        bodies, _, contexts, addresses, olds, prevs, seqs, hashes, _ = zip(*rows)  # noqa: B905  # Python 3.9
        if self.next is None or self.lost or prevs[0].decode() not in self.links:
            return False
        numbers = range(self.next, self.next + len(rows))
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
        self.next, self.links = numbers[-1] + 1, (report.last_hash,)
        if self.signer is not None and self.bare is None:
            self.bare = numbers[0]
        if self.wanted:
            for seq, leaf in zip(numbers, own):  # noqa: B905  # Python 3.9
                self.grow(seq, leaf)
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
                reason = f"the row stands at {places[index]}, and its entry says {line.seq}"
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
        if self.lost > MAX_JUNK:
            raise _Unread

    def add(self, line: _Line) -> None:
        if line.number < 0:
            self.number += 1
            line.number = self.number
        if self.to_hash is not None and line.hash == self.to_hash and not line.altered:
            self.report.anchored, self.report.anchored_seq = True, line.seq
        if line.hash is None:
            bad = line.bad or _Bad(None, "it has not the form of a stored entry")
            name = bad.field
            if name == _DOUBT:
                self.doubt = bad.reason
                return
            if name == "schema":
                self.fault("edited", line, name, bad.reason)
                return
            kind = name if name in ("torn", "unreadable") else "malformed"
            self.fault(kind, line, None if kind == name else name, bad.reason)
            self.lost += line.weight
            return
        self.count(line)
        if line.altered:
            reason = "its hash is not that of its content: the entry or its hash was edited"
            self.fault("edited", line, line.bad.field if line.bad else None, reason)
        elif line.bad is not None:
            self.fault("malformed", line, line.bad.field, line.bad.reason)
        if line.seq is None:
            self.lost += line.weight
        else:
            self.grow(line.seq, bytes.fromhex(line.own))
            self.place(line, line.seq)
        if line.bad is None and not line.altered:
            self.note_key(line)
            self.note_time(line)

    def grow(self, seq: int, leaf: bytes) -> None:
        """Add an entry to the tree, as far as some checkpoint reaches."""
        if self.tree is None or not self.wanted:
            return
        if self.goes_on and self.next is None:
            self.tree = _Tree(seq)
            while self.wanted and self.wanted[-1] <= seq:
                self.wanted.pop()
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

    def note_key(self, line: _Line) -> None:
        """Follow what the log says of its keys, and check the signature of an entry."""
        entry, seq = line.entry, line.seq or 0
        own = entry["actor_id"] == "chained_logging"
        if own and entry["actor_type"] != "system":
            reason = "it bears the name of the log itself, which has the type system"
            self.fault("inserted", line, "actor_type", reason)
            return
        naming = _Naming.of(line) if own else None
        if naming is not None and not self.follow_key(line, naming):
            return
        if line.signature:
            self.check_entry(line, seq)
        elif self.signer is not None and own:
            # A command without the key may add what the log says of itself: a revocation.
            self.report.unsigned_own += 1
            if self.report.unsigned_own_from is None:
                self.report.unsigned_own_from = seq
        elif self.signer is not None and self.bare is None:
            self.bare = seq

    def check_entry(self, line: _Line, seq: int) -> None:
        """Check the signature that an entry bears."""
        if self.goes_on:  # which key it was then, a part cannot know
            self.fault("signature", line, "signature", "it is not checked here")
            return
        # An entry that names a new key is signed with the old one; the first key signs its own.
        then = [key for at, key in self.keys[-2:] if at < seq] or [key for _, key in self.keys[:1]]
        message = b"chained-logging entry v1\n" + (line.hash or "").encode() + b"\n"
        signature = base64.b64decode(line.signature or "")
        holds = then[-1].verifies(signature, message) if then else False
        if holds:
            if self.bare is not None and len(self.gaps) < MAX_HOLES:
                self.gaps.append((self.bare, seq))
            self.signer, self.report.signed_entry, self.bare = then[-1], seq, None
        elif holds is None or not self.whole:  # there it may be of a later key, or of one before
            self.report.unchecked_signatures += 1
        else:
            self.fault("signature", line, "signature", "its signature is not of the log's key")

    @property
    def whole(self) -> bool:
        """Whether the entry is here that names the first key, if there is one."""
        return self.from_hash is None and self.report.starts_at_genesis

    def follow_key(self, line: _Line, naming: _Naming) -> bool:
        """Take up a key, or its revocation, and say whether the entry is one of the log's."""
        if self.goes_on:
            self.named.append(naming)
            return True
        try:
            if naming.action == "key.revoke":
                self.revoke(naming)
            elif naming.action == "key.rotate":
                self.rotate(naming)
            else:
                self.begin_key(naming)
        except _Bad as bad:
            self.fault("key", line, "context", f"a key is not named like this: {bad.reason}")
            return False
        return True

    def key_named(self, naming: _Naming) -> _Key:
        if not isinstance(naming.key, str):
            raise _Bad(None, "it names no key")
        key = _Key(naming.key)
        if key.name != (self.report.origin or naming.origin) or key.vkey != naming.key:
            raise _Bad(None, "the key has the name of another log")
        return key

    def take_key(self, seq: int, key: _Key) -> None:
        self.keys.append((seq, key))
        self.vkeys.add(key.vkey)

    def begin_key(self, naming: _Naming) -> None:
        """Take up the first key. Nobody vouches for it but who knows it from elsewhere."""
        if naming.action == "log.open" and naming.seq:
            raise _Bad(None, "a log is opened by its first entry, and by no other")
        key = self.key_named(naming)
        if self.whole and self.keys:
            raise _Bad(None, "the log had a key already, which must name the next one")
        if self.whole:
            self.take_key(naming.seq, key)

    def rotate(self, naming: _Naming) -> None:
        """Take up the next key, if the one before says so."""
        key, old = self.key_named(naming), _Key(str(naming.old))
        before = self.keys[-1][1] if self.keys else None
        if self.whole and (before is None or before.vkey != old.vkey):
            raise _Bad(None, "the key before is not the log's key")
        holds = naming.stated_by(old)
        if holds is False:
            raise _Bad(None, "its statement is not of the key before")
        if holds is None:
            self.report.unchecked_signatures += 1
        # In the middle of a log the key before must be the one that was given, or is unknown.
        if before is not None and before.raw == old.raw:
            self.take_key(naming.seq, key)

    def revoke(self, naming: _Naming) -> None:
        """Note a revocation. Without a statement, whoever can write the file can have made it."""
        signed = False
        if naming.statement is not None and self.keys:
            holds = naming.stated_by(self.keys[-1][1])
            if holds is False and self.whole:
                raise _Bad(None, "its statement is not of the log's key")
            if holds is None:
                self.report.unchecked_signatures += 1
            signed = bool(holds)
        if naming.key in self.vkeys - self.revoked:
            self.revoked.add(naming.key)
            note = {"key": naming.key, "seq": naming.seq, "signed": signed}
            self.report.revoked.append(note)

    def note_time(self, line: _Line) -> None:
        """Name a silence: by the time in the id, which the log gave, not the caller."""
        moment = int(line.entry["id"][:8] + line.entry["id"][9:13], 16)
        before, self.last_moment = self.last_moment, moment
        if self.max_gap is not None and before is not None:
            gap = (moment - before) / 1000
            if gap > self.max_gap:
                reason = f"before it nothing was recorded for {gap:,.0f} seconds"
                self.fault("silence", line, "id", reason)

    def count(self, line: _Line) -> None:
        report = self.report
        report.entries += 1
        report.incomplete += line.incomplete
        report.oversize += line.oversize
        moment = line.entry.get("timestamp")
        if report.entries == 1:
            report.first_seq, report.first_hash = line.seq, line.hash
            report.first_timestamp, report.first_prev_hash = moment, line.prev
            report.starts_at_genesis = line.seq == 0 and line.prev == GENESIS
            if line.seq == 0:
                report.origin = line.entry.get("resource_id")
        report.last_seq, report.last_hash, report.last_timestamp = line.seq, line.hash, moment

    def place(self, line: _Line, seq: int) -> None:
        if self.next is None:
            self.begin(line, seq)
        elif seq < self.next:
            self.come_back(line, seq)
            return
        elif seq > self.next:
            # Lines that could not be read stood in these places: they are named already.
            if seq - self.next > self.lost and len(self.holes) < MAX_HOLES:
                self.holes.append((self.next + self.lost, seq - 1, line))
        elif not self.lost and self.links and line.prev not in self.links and not line.altered:
            reason = (
                "its prev_hash is not the hash of the entry before it: one of them was replaced"
            )
            self.fault("inserted", line, "prev_hash", reason)
        if seq and line.prev == GENESIS:
            self.fault("inserted", line, "prev_hash", "a second log begins here")
        self.next, self.lost = seq + 1, 0
        self.links = (line.hash or "", line.own)

    def begin(self, line: _Line, seq: int) -> None:
        if self.goes_on:
            return
        if seq or self.from_hash is not None:
            self.tree = None
        if self.from_hash is not None:
            if line.prev != self.from_hash:
                reason = "it does not follow the hash given with --from-hash"
                self.kinds.add("inserted")
                self.fault("cut-front", line, "prev_hash", reason)
        elif seq:
            reason = f"the log begins at seq {seq}: what stood before it is not here"
            self.fault("cut-front", line, None, reason)
        elif line.prev != GENESIS:
            self.fault("malformed", line, "prev_hash", "entry 0 does not begin with GENESIS")

    def come_back(self, line: _Line, seq: int) -> None:
        index = bisect.bisect_right(self.holes, (seq, sys.maxsize)) - 1  # they are in order
        if index >= 0 and seq <= self.holes[index][1]:
            low, high, at = self.holes[index]
            rest = [(low, seq - 1, at), (seq + 1, high, at)]
            self.holes[index : index + 1] = [hole for hole in rest if hole[0] <= hole[1]]
            reason = f"seq {seq} stands after seq {(self.next or 0) - 1}"
            self.fault("reordered", line, "seq", reason)
            return
        if line.hash in self.links and seq == (self.next or 0) - 1:
            self.fault("duplicated", line, "seq", f"seq {seq} stands here a second time")
        else:
            reason = f"seq {seq} had its place before: this is a copy of it, or another entry"
            self.fault("duplicated", line, "seq", reason)

    def end(self) -> None:
        for low, high, at in self.holes:
            what = f"entry {low} is" if low == high else f"entries {low} to {high} are"
            self.fault("missing", at, "seq", f"before seq {at.seq}, {what} missing")
