# Evidence: entries of a log in a package, with one proof that they are in it, checked without the
# log. The entries are read once, from the first to the last, in little memory.


class _Evidence:
    """The check of one package."""

    def __init__(
        self,
        package: _Package,
        path: str,
        chain: _Chain,
        report: EvidenceReport,
        wanted: str | None,
    ) -> None:
        self.package, self.path, self.report = package, path, report
        self.chain, self.wanted = chain, wanted
        self.unclear = 0  # entries whose resource may be the one asked for
        self.before: _Line | None = None
        self.begins = False  # whether the log's first entry is here
        self.edges: dict[int, bool] = {}
        self.inner: _Line | None = None  # of a period, its last entry so far
        self.front = 0  # up to where it begins with stubs
        chain.retention.partial = True
        self.next = 0  # among the entries that must be here

    def fault(self, kind: str, file: str, reason: str, seq: int | None = None) -> None:
        name = f"{self.path}: {file}" if file else self.path
        self.chain.findings.fault(kind, _Line(name, 0, seq=seq), None, reason)

    def check(self, question: _Question, origin: str | None) -> None:
        """Check all of it.

        :raises _Bad: if something is such that the rest cannot be understood.
        """
        manifest = self.package.content(_MANIFEST)
        claim = self.claim = _Claim(manifest)
        self.check_files()
        note = _Note(self.package.content("checkpoint.note"), f"{self.path}: checkpoint.note")
        if (claim.origin, claim.size, claim.root) != (note.origin, note.size, note.root):
            self.fault("claim", _MANIFEST, "its origin, size or root is not the checkpoint's")
        if origin is not None and origin != note.origin:
            self.fault("claim", "", f"it is of the log {note.origin}, not of {origin}")
        report = self.report
        report.origin, report.size, report.statement = note.origin, note.size, claim.sentence()
        if (claim.statement, claim.readme().encode()) != (
            report.statement,
            self.package.content("README.txt"),
        ):
            self.fault("claim", "README.txt", "it does not say what the manifest says")
        self.check_entries(note)
        self.check_keys()
        self.chain.retention.end(self.chain.keys, _Spool)
        outside = self.outside_notes(question, note)
        last, report.last_seq = report.last_seq, note.size - 1  # of the log, as _Signed asks
        notes = [*self.notes(note), *outside]
        _Signed(self.chain, notes, question.pin, question.witnesses, question.roots).check()
        report.last_seq = last
        self.check_claim_note(_sha256(manifest).hexdigest())
        self.conclude()

    def check_files(self) -> None:
        """Compare each file with its hash in the manifest."""
        members = list(self.package.members)
        end = [_MANIFEST, *([_CLAIM_NOTE] if _CLAIM_NOTE in members else [])]
        extra = [name for name in members if name not in (*_PACKED, *end)]
        if members != [*_PACKED, *extra, *end] or {*members} - {*end} != {*self.claim.files}:
            self.fault(
                "claim", _MANIFEST, "it names other files than are here, or in another order"
            )
        for name in members:
            try:
                if self.package.digest(name) != self.claim.files.get(name) and name not in end:
                    self.fault("edited", name, "its hash is not the one in the manifest")
            except _Bad as bad:
                self.fault("edited", name, bad.reason)
        if extra:
            names = ", ".join(extra)
            self.report.unproven.append(f"what {names} says: only that its bytes are those named")
        if self.package.content("verify.py") != _own_text():
            self.report.remarks.append(
                "the verify.py in the package is not the one that checks it here, which counts"
            )

    def check_entries(self, note: _Note) -> None:
        """Check each entry, that it is in the log, and that it is one that was to be chosen."""
        report = self.report
        report.starts_at_genesis, self.edges = True, self.claim.edges
        self.front = self.claim.first or 0
        hashes = self.hashes()
        root = _root_of(note.size, self.leaves(), hashes)
        if self.claim.expected is not None:
            self.miss(self.claim.expected, len(self.claim.expected))
        here = report.entries + report.stubs, report.stubs
        if here != (self.claim.entries, self.claim.purged or 0):
            reason = "{:,} entries are here, {:,} of them purged".format(*here)
            self.fault("missing", "entries.jsonl", reason + ": the manifest says otherwise")
        for seq in self.edges:
            reason = "the entry is not here that shows where the period begins or ends"
            self.fault("missing", "around.jsonl", reason, seq)
        if self.wanted is not None and not report.anchored:
            self.fault("missing", "entries.jsonl", "no entry here has the hash that was given")
        # As _Signed compares a log's entries with a checkpoint.
        self.chain.growth.roots = {note.size: root}

    def hashes(self) -> Iterator[bytes]:
        for line in self.package.lines("proof.txt"):
            yield _hashes([line.decode("ascii", "replace")])[0]

    def leaves(self) -> Iterator[tuple[int, bytes]]:
        """Yield number and hash of each entry in the package, once and in order."""
        files = ("entries.jsonl", "around.jsonl", "keys.jsonl")
        lines = heapq.merge(*map(self.lines, files), key=lambda line: line.seq or 0)
        for seq, same in itertools.groupby(lines, lambda line: line.seq or 0):
            first, *others = same
            if any((line.body, line.hash) != (first.body, first.hash) for line in others):
                self.fault("edited", "keys.jsonl", "the same entry is here in two forms", seq)
            self.follow(first, seq)
            yield seq, bytes.fromhex(first.hash or "")

    def lines(self, name: str) -> Iterator[_Line]:
        """Yield the entries of a file. A line that is not an entry ends the check."""
        last = -1
        for number, text in enumerate(self.package.lines(name), 1):
            line = _read_line(text, f"{self.path}: {name}", number)
            if line.hash is None or line.seq is None or line.seq <= last:
                reason = "it is not an entry, or not after the one before it"
                raise _Bad(None, f"{name}, line {number:,}: {reason}")
            last = line.seq
            self.chain.judge(line)
            if name == "entries.jsonl":
                self.choose(line, last)
            elif name == "keys.jsonl" and last and not _is_about_keys(line):
                self.fault("inserted", name, "it is not about a key or what was removed", last)
            elif name == "around.jsonl" and not self.claim.reaches(last):
                self.fault("inserted", name, "it is not at an end of the period", last)
            yield line

    def choose(self, line: _Line, seq: int) -> None:
        """Check that an entry is one that the claim chooses."""
        report, claim = self.report, self.claim
        self.chain.count(line)
        report.anchored |= self.wanted is not None and line.own == self.wanted
        if claim.expected is not None:
            self.expect(seq, claim.expected)
        elif line.stub:
            reason = "it is a stub, which does not show whether it fits the filter"
            self.fault("claim", "entries.jsonl", reason, seq)
        elif line.entry:
            misfit = claim.filter.misfit(line.entry)
            if misfit is not None:
                reason = f"the entry does not fit the filter: {misfit}"
                self.fault("claim", "entries.jsonl", reason, seq)
            self.unclear += claim.filter.concerns(line.entry) is None

    def expect(self, seq: int, expected: Sequence[int]) -> None:
        """Compare an entry with those that must be here."""
        at = bisect.bisect_left(expected, seq, self.next)
        self.miss(expected, at)
        if at < len(expected) and expected[at] == seq:
            self.next = at + 1
        else:
            reason = "the entry is not one that the claim chooses"
            self.fault("inserted", "entries.jsonl", reason, seq)

    def miss(self, expected: Sequence[int], until: int) -> None:
        """Name what is not here of the entries that must be, from the next one on."""
        count = until - self.next
        if count > 0:
            what = "it was" if count == 1 else f"with it, {count:,} entries were"
            self.fault("missing", "entries.jsonl", f"{what} left out", expected[self.next])
        self.next = max(self.next, until)

    def follow(self, line: _Line, seq: int) -> None:
        """Follow what an entry says of keys, its link, and the ends of the period."""
        before, self.before = self.before, line
        linked = line.stub or before is None or before.seq != seq - 1 or line.prev == before.hash
        if not linked:
            self.chain.findings.fault("inserted", line, "prev_hash", "it does not follow the last")
        if line.bad is not None or line.altered:
            return
        self.chain.retention.see(line, seq)
        if not line.stub:
            self.follow_entry(line, seq)
        if seq in self.edges:
            self.check_edge(line, seq, self.edges.pop(seq))
        if (self.claim.first or 0) <= seq <= (self.claim.last or 0) and not line.stub:
            self.inner = line

    def follow_entry(self, line: _Line, seq: int) -> None:
        self.begins |= seq == 0
        if seq == 0 and line.entry["resource_id"] != self.report.origin:
            self.fault("rewritten", "keys.jsonl", "it begins another log than the checkpoint's", 0)
        self.chain.keys.see(line)

    def check_edge(self, line: _Line, seq: int, must: bool) -> None:
        """Check what is at an end of a period, or beside it.

        A stub shows its number alone. So the period goes on over stubs at its ends, and what
        counts is the first or last entry in it.
        """
        first, last = self.claim.first or 0, self.claim.last or 0
        if line.stub:
            fits = self.claim.filter.first <= seq <= self.claim.filter.last
            if fits and must and seq == self.front:
                self.front = seq + 1
                if self.front <= last:
                    self.edges[self.front] = True
            if fits and must and seq == last and self.inner is not None:
                self.check_edge(self.inner, self.inner.seq or 0, True)
        else:
            fits = self.claim.filter.misfit(line.entry) is None
        if fits is not must:
            reason = "by the filter, the period does not begin or end here"
            self.fault("missing", "around.jsonl", reason, seq)
        if seq in (first - 1, last + 1):
            what = "was purged" if line.stub else f"is of {line.entry['timestamp']}"
            self.report.around.append(f"seq {seq} {what}")

    def check_keys(self) -> None:
        """Check that the first entry is here, and the keys are those that the entries name."""
        keys = [key for _, key in self.chain.keys.known]
        if "".join(f"{key.vkey}\n" for key in keys).encode() != self.package.content(
            "public-keys.txt"
        ):
            self.fault("key", "public-keys.txt", "the keys are not those that the entries name")
        if not self.begins:
            self.fault("missing", "keys.jsonl", "the first entry of the log is not here")

    def notes(self, note: _Note) -> Iterator[_Note]:
        """Yield the checkpoint, and each of its versions that was timestamped."""
        yield note
        name = "timestamps.jsonl"
        for line in self.package.content(name).splitlines():
            said = _parse(line)
            if {*said} != {"note", "timestamp"} or not all(
                isinstance(x, str) for x in said.values()
            ):
                raise _Bad(None, f"{name}: a line is not a timestamp")
            stamped = _Note(
                said["note"].encode(), f"{self.path}: {name}", timestamp=said["timestamp"]
            )
            if stamped.text != note.text:
                self.fault("timestamp", name, "a timestamp is of another checkpoint")
            yield stamped

    def outside_notes(self, question: _Question, note: _Note) -> list[_Note]:
        """Return the checkpoints that were kept elsewhere.

        :raises _Unchecked: if one is of another size: that needs the log.
        """
        outside = [each for path in question.outside for each in _given_notes(path)]
        for each in outside:
            if each.size != note.size:
                raise _Unchecked(
                    f"the checkpoint given is of size {each.size:,}, and the evidence of "
                    f"{note.size:,}: ask for evidence with --size {each.size}"
                )
        return outside

    def check_claim_note(self, digest: str) -> None:
        """Check the signature of the log's key over the manifest."""
        report = self.report
        if _CLAIM_NOTE not in self.package.members:
            report.unproven.append(
                "who made the claim: no key signed filter and sample, which somebody may have put "
                "in place of others that these entries fit too"
            )
            return
        note = _Statement(self.package.content(_CLAIM_NOTE), _CLAIM_NOTE)
        if note.lines != ["chained-logging evidence v1", str(report.origin), digest]:
            self.fault("signature", _CLAIM_NOTE, "it is not over this manifest")
            return
        key = self.chain.keys.known[-1][1] if self.chain.keys.known else None
        value = note.by_key.get((key.name, key.id)) if key else None
        holds = key.verifies(value, note.text.encode()) if key and value else False
        if holds is None:
            report.unchecked_signatures += 1
        elif not holds or len(note.signatures) != 1:
            self.fault(
                "signature", _CLAIM_NOTE, "it is not signed by the log's key, and that alone"
            )
        elif key and key.vkey in self.chain.keys.revoked:
            report.unproven.append("who made the claim: its key was revoked, as a stolen one is")
            return
        report.claim_signed = holds

    def conclude(self) -> None:
        report, claim = self.report, self.claim
        report.unproven[:0] = claim.unproven()
        if self.unclear:
            report.unproven.append(
                f"that {self.unclear:,} entries are about the resource of the filter: it is an "
                "address, and is not split here"
            )
        timed = claim.filter.since is not None or claim.filter.until is not None
        if timed and claim.first is not None and self.inner is None:
            self.fault("missing", "entries.jsonl", "no entry here shows that the period is right")
        if report.stubs and timed:
            report.unproven.append(
                f"that the {report.stubs:,} purged entries bear a time of this period: a stub "
                "shows its number alone"
            )
        report.whole = claim.sample is None and claim.filter.is_period and not report.fault_count
        report.unsigned = None


def _is_about_keys(line: _Line) -> bool:
    """Whether an entry names a key, or what was removed; True for one that cannot be read."""
    if not line.entry:
        return not line.stub
    return _Naming.of(line) is not None or _is_purge(line)


class _Statement(_Note):
    """A signed note that is not a checkpoint."""

    def _read_text(self, *lines: str) -> None:
        self.lines = list(lines)


def _own_text() -> bytes:
    with open(__file__, "rb") as file:
        return file.read()


def verify_evidence(
    path: str | os.PathLike[str],
    *,
    on_fault: Callable[[Fault], None] | None = None,
    public_key: str | None = None,
    checkpoints: Sequence[str | os.PathLike[str]] = (),
    witness_keys: Sequence[str] = (),
    timestamp_roots: bytes | None = None,
    origin: str | None = None,
    entry_hash: str | None = None,
) -> EvidenceReport:
    """Check a package of evidence, without the log.

    :param public_key: the log's first public key or a later one, from elsewhere.
    :param checkpoints: files with checkpoints that were kept elsewhere, of the package's size.
    :param witness_keys: keys of witnesses that must have cosigned the checkpoint, as ``vkey``.
    :param timestamp_roots: certificates in PEM; one must vouch for a timestamp of the checkpoint.
    :param origin: the name that the log must have.
    :param entry_hash: the hash of an entry that must be in the package.
    :returns: a report, as of :func:`verify`. Nothing is raised for what the package holds.
    """
    name = os.fspath(path)
    report = EvidenceReport(files=[name])
    chain = _Chain(report, on_fault)
    try:
        question = _Question.of(
            None, entry_hash, 1, public_key, checkpoints, witness_keys, timestamp_roots
        )
        _check_regular(name)
        with contextlib.closing(chain.retention), open(name, "rb") as file:
            try:
                evidence = _Evidence(_Package(file), name, chain, report, question.to_hash)
                evidence.check(question, origin)
            except _Bad as bad:
                chain.findings.fault("malformed", _Line(name, 0), None, bad.reason)
        report.status = "tampered"
        if not report.fault_count:
            report.status, report.reason = _judge(report, set(), question, None)
    except (_Unchecked, OSError) as problem:
        report.status, report.reason = "unchecked", str(problem)
    return report
