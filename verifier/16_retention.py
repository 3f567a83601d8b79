# What retention removed. A stub is whole if a later entry of the log's own names it, by the rules
# of docs/format.md. All of it is judged at the end, when the keys are known, in little memory.

MAX_POLICIES = 100  # that are told apart in a report
MAX_SAID = 200  # characters of what an entry says, in a report
_PURGE = "retention.apply"
_KEPT = ("key.", "retention.", "hold.")  # entries of the log's own that are never removed


class _Purge:
    """An entry in the log's own name that names entries as removed.

    :raises _Bad: if it does not have the form of one.
    """

    def __init__(self, line: _Line) -> None:
        context = line.entry["context"]
        self.seq, self.prev = line.seq or 0, line.prev or ""
        try:
            self.origin, self.policy = context["origin"], context["policy"]
            self.ranges, self.root = context["ranges"], bytes.fromhex(context["root"])
            self.count, self.statement = context["count"], context.get("statement")
            texts = (self.origin, self.policy, context["before"], context["root"])
            ok = all(isinstance(text, str) for text in texts) and self.policy
            ok = ok and _HEX64.fullmatch(context["root"]) and _are_selectors(context["selector"])
        except (KeyError, TypeError, ValueError):
            ok = False
        if not ok:
            raise _Bad(None, "a key of its context is not there, or is not what it must be")
        self.check_time(context, line.entry["timestamp"])
        self.check_ranges()
        self.standard, self.clause = _said(context, "standard"), _said(context, "clause")

    @staticmethod
    def check_time(context: dict[str, Any], timestamp: str) -> None:
        before, days = context["before"], context.get("days")
        if not _is_timestamp(before) or type(days) is not int or not 0 <= days < 10**7:
            raise _Bad(None, "its before or days is not a time and a number of days")
        # Days between two dates, and then the times of day: no date is too late to compute.
        dates = [datetime.date.fromisoformat(text[:10]).toordinal() for text in (before, timestamp)]
        if (dates[0] + days, before[10:]) > (dates[1], timestamp[10:]):
            raise _Bad(None, f"before is {before}, and {days:,} days had not passed since then")

    def check_ranges(self) -> None:
        count, end = 0, 0  # entry 0 is never named
        if not isinstance(self.ranges, list) or not self.ranges:
            raise _Bad(None, "it names no ranges")
        for found in self.ranges:
            ok = isinstance(found, list) and [type(number) for number in found] == [int, int]
            if not ok or not end < found[0] <= found[1]:
                raise _Bad(
                    None,
                    "its ranges are not pairs of whole numbers from 1 on, ascending, with a gap "
                    "between two of them",
                )
            count, end = count + found[1] - found[0] + 1, found[1] + 1
        if end > self.seq:
            raise _Bad(None, f"it names entry {end - 1}, and comes not after it")
        if type(self.count) is not int or count != self.count:
            raise _Bad(None, f"its ranges are {count:,} entries, and its count says otherwise")

    def message(self, line: _Line, signer: _Key) -> bytes:
        """Return what `signer` signs in a statement."""
        return _decision_message(_PURGE, self.origin, line, signer)

    def batches(self, first: int) -> Iterator[list[int]]:
        """Yield the numbers of the entries that it names, from `first` on, by batches."""
        seqs = itertools.chain.from_iterable(
            range(max(first, low), high + 1) for low, high in self.ranges
        )
        while batch := list(itertools.islice(seqs, _BATCH)):
            yield batch


def _said(context: dict[str, Any], name: str) -> str | None:
    """Return a text that is only shown.

    :raises _Bad: if it is not one.
    """
    found = context.get(name)
    if found is not None and not isinstance(found, str):
        raise _Bad(None, f"its {name} is not a text")
    return found and found[:MAX_SAID]


def _are_selectors(found: Any) -> bool:
    return (
        isinstance(found, dict)
        and {*found} <= {"resource_type", "action", "tenant_id"}
        and all(
            isinstance(values, list) and all(isinstance(value, str) for value in values)
            for values in found.values()
        )
    )


def _is_purge(line: _Line) -> bool:
    entry = line.entry
    return bool(
        entry.get("action") == _PURGE
        and entry["actor_id"] == "chained_logging"
        and entry["actor_type"] == "system"
    )


class _Retention:
    """The stubs of a log, and the entries that say why.

    :param path: the beginning of the names of its files; None for files without names.
    :param keeps: whether to keep the hashes of entries too: where they cannot be read again.

    With `partial`, only some of what an entry names is here: proven by a tree, not by its root.
    """

    partial = False

    def __init__(
        self,
        findings: _Findings,
        path: str | None = None,
        keeps: bool = False,
    ) -> None:
        self.findings, self.path = findings, path
        self.stubs = _Spool(path and path + ".stubs")
        self.others: _Spool | None = _Spool() if keeps else None
        self.kept = _Spool(path and path + ".kept")  # entries that are never removed
        self.entries: BinaryIO | None = None  # that name stubs, one after the other
        self.sources: list[tuple[int, str]] = []  # from which stub on they are of which file
        self.left = 0  # entries that are named and there
        self.still: list[int] = []  # the first and last entry that name such
        self.elsewhere: Sequence[tuple[int, int, str]] = ()  # what is in an archive
        self.fronts: list[int] = []  # and that name some before what is checked here

    def add_run(self, run: _Run, numbers: range, file: str) -> None:
        """Take up ordinary lines."""
        if run.stubs:
            self.add_stubs(
                [numbers[at] for at in run.stubs], [run.leaves[at] for at in run.stubs], file
            )
            self.findings.report.stubs += len(run.stubs)
        if self.others is not None:
            entries = run.entries
            self.add_others([numbers[at] for at in entries], [run.leaves[at] for at in entries])

    def see(self, line: _Line, seq: int) -> None:
        """Take up a line."""
        leaf = bytes.fromhex(line.own)
        if line.stub:
            self.add_stubs([seq], [leaf], line.file)
        else:
            self.add_others([seq], [leaf])
            if line.entry.get("actor_id") == "chained_logging" and not line.altered:
                self.see_own(line, seq, leaf)

    def see_own(self, line: _Line, seq: int, leaf: bytes) -> None:
        """Take up an entry of the log's own."""
        if line.entry["action"].startswith(_KEPT) and seq > self.kept.last:
            self.kept.add([seq], leaf)
        if _is_purge(line):
            self.keep(line)

    def add_stubs(self, seqs: Sequence[int], leaves: Sequence[bytes], file: str) -> None:
        """Take up stubs that come in order; what does not is named elsewhere."""
        if seqs[0] > self.stubs.last:
            self.stubs.add(seqs, b"".join(leaves))
            if not self.sources or self.sources[-1][1] != file:
                self.sources.append((seqs[0], file))

    def add_others(self, seqs: Sequence[int], leaves: Sequence[bytes]) -> None:
        if self.others is not None and seqs and seqs[0] > self.others.last:
            self.others.add(seqs, b"".join(leaves))

    def keep(self, line: _Line) -> None:
        """Keep an entry for the end, when all stubs and keys are known."""
        if self.entries is None:
            self.entries = _opened(self.path and self.path + ".entries")
        signature = "" if line.signature is None else f',"signature":"{line.signature}"'
        text = line.body[:-1] + f',"hash":"{line.hash}"{signature}}}'.encode()
        self.entries.write(json.dumps([line.file, line.number]).encode() + b"\n" + text + b"\n")

    def join(self, path: str) -> None:
        """Take up what another process found in a part of the log."""
        self.stubs.join(path + ".stubs")
        self.kept.join(path + ".kept")
        if os.path.exists(path + ".entries"):
            if self.entries is None:
                self.entries = _opened(self.path)
            with open(path + ".entries", "rb") as file:
                shutil.copyfileobj(file, self.entries)

    def close(self) -> None:
        for spool in (self.stubs, self.kept, self.others, self.entries):
            if spool is not None:
                spool.close()

    def purges(self) -> Iterator[_Line]:
        if self.entries is None:
            return
        self.entries.seek(0)
        while place := self.entries.readline():
            yield _read_line(self.entries.readline()[:-1], *json.loads(place))

    def end(self, keys: _Keys, again: Callable[[], _Spool]) -> None:
        """Judge all of it.

        :param again: reads the log again, and returns the hashes of its entries.
        """
        named_at = [at for at, _ in keys.known]
        for line in self.purges():
            try:
                purge = _Purge(line)
                then = keys.known[: bisect.bisect_left(named_at, purge.seq)][-1:]
                signed = self.check_statement(purge, line, keys, then[0][1] if then else None)
                if self.partial:
                    self.check_named(purge)
                else:
                    self.check_root(purge, again)
            except _Bad as bad:
                reason = f"it does not explain what was removed: {bad.reason}"
                self.findings.fault("retention", line, "context", reason)
            else:
                self.note(purge, signed)
        self.check_left()
        self.remark()

    def check_statement(
        self, purge: _Purge, line: _Line, keys: _Keys, signer: _Key | None
    ) -> bool | None:
        """Whether the key of its time made the statement; None where that cannot be checked.

        :param signer: that key, if there was one.
        :raises _Bad: if it did not.
        """
        report = self.findings.report
        for note in report.revoked:
            if signer and note["key"] == signer.vkey and note["seq"] < purge.seq:
                raise _Bad(None, "the log's key was revoked before it")
        if report.origin is not None and purge.origin != report.origin:
            raise _Bad(None, "it is of another log")
        if signer is None and (keys.whole or purge.statement is None):
            return False
        try:
            signature = _unbase64(purge.statement or "")
            if len(signature) != 64:
                raise ValueError
        except (TypeError, ValueError):
            raise _Bad(None, "it holds no statement of the log's key") from None
        holds = signer and signer.verifies(signature, purge.message(line, signer))
        if holds is None or (not holds and not keys.whole):
            report.unchecked_signatures += 1
            return None
        if not holds:
            raise _Bad(None, "its statement is not of the log's key")
        return signer is not None and signer.vkey not in keys.revoked

    def check_root(self, purge: _Purge, again: Callable[[], _Spool]) -> None:
        """Compare the entries that were removed with the root over all of them.

        :raises _Bad: if they are not those, or one of them is not there, or was named before.
        """
        tree, removed, first = _Tree(), 0, self.findings.report.first_seq or 0
        for seqs in purge.batches(first):
            hashes = self.stubs.take(seqs)
            removed += len(hashes) - hashes.count(None)
            if None in hashes:
                hashes = self.with_others(seqs, hashes, again)
            tree.extend([hash_ for hash_ in hashes if hash_])
        if tree.size < purge.count:
            self.fronts = [*self.fronts[:1], purge.seq]
            if tree.size and self.findings.doubt is None:
                self.findings.doubt = (
                    f"the root of entry {purge.seq} is not only of stubs that are here: name the "
                    "files before these too"
                )
        elif tree.root() != purge.root:
            raise _Bad(None, "its root is not that of the hashes of the entries that it names")
        if tree.size > removed:
            self.still = [*self.still[:1], purge.seq]
            self.left += tree.size - removed
        purge.count = removed

    def check_named(self, purge: _Purge) -> None:
        """Take up the stubs here that an entry names.

        :raises _Bad: if one was named before.
        """
        purge.count = sum(self.stubs.take_within(*pair) for pair in purge.ranges)

    def with_others(
        self,
        seqs: Sequence[int],
        hashes: list[bytes | None],
        again: Callable[[], _Spool],
    ) -> list[bytes | None]:
        """Fill in the hashes of entries that are named and still there."""
        if self.others is None:
            self.others = again()
        there = [at for at, hash_ in enumerate(hashes) if hash_ is None]
        self.check_kept([seqs[at] for at in there])
        for at, found in zip(there, self.others.take([seqs[at] for at in there])):  # noqa: B905  # Python 3.9
            if found is None:
                raise _Bad(None, f"it names entry {seqs[at]}, of which not even a stub is here")
            hashes[at] = found
        return hashes

    def check_kept(self, seqs: Sequence[int]) -> None:
        """Check that no entry is named that is never removed.

        :raises _Bad: if one is.
        """
        due = -1  # the next one that is never removed
        for seq in seqs:
            if seq > due:
                due = self.kept.following(seq)
            if seq == due:
                raise _Bad(None, f"it names entry {seq}, which is never removed")

    def note(self, purge: _Purge, signed: bool | None) -> None:
        """Count what was removed, by policy."""
        found = self.findings.report.purged
        policy = purge.policy[:MAX_SAID]
        same = [p for p in found if (p["policy"], p["signed"]) == (policy, signed)]
        if not purge.count or (not same and len(found) == MAX_POLICIES):
            return
        if not same:
            about = {"policy": policy, "standard": purge.standard, "clause": purge.clause}
            same = [{**about, "signed": signed, "entries": 0, "applies": 0, "first_by": purge.seq}]
            found += same
        same[0]["entries"] += purge.count
        same[0]["applies"] += 1
        same[0]["last_by"] = purge.seq

    def remark(self) -> None:
        """Say what was removed, and what is not a fault, but should be known."""
        remarks = self.findings.report.remarks
        remarks += map(_on_policy, self.findings.report.purged)
        if self.still:
            remarks.append(
                f"{self.left:,} entries that {_entries(self.still)} names are still there: run the "
                "command retention apply, which removes them"
            )
        if self.fronts:
            remarks.append(
                f"{_entries(self.fronts)} says what was removed before the first entry here: its "
                "root was not checked"
            )

    def check_left(self) -> None:
        """Name the stubs that no entry explains."""
        moved: list[tuple[int, int, str]] = []
        for first, last in itertools.islice(self.unexplained(moved), MAX_HOLES):
            what = f"of entry {first}" if first == last else f"of entries {first} to {last}"
            reason = f"nothing but stubs is left {what}, and no retention.apply explains it"
            at = bisect.bisect_right(self.sources, (first, "\U0010ffff")) - 1
            file = self.sources[at][1] if at >= 0 else ""
            self.findings.fault("retention", _Line(file, 0, seq=first), None, reason)
        if moved:
            count = sum(last - first + 1 for first, last, _ in moved)
            where = ", ".join(sorted({archive for _, _, archive in moved}))
            reason = (
                f"{count:,} entries up to {moved[-1][1]:,} are in the archive {where}, as the "
                "store says, and were not checked: give it with --archive"
            )
            self.findings.fault("archived", _Line("", 0, seq=moved[0][0]), None, reason)

    def unexplained(self, moved: list[tuple[int, int, str]]) -> Iterator[tuple[int, int]]:
        """Yield the stubs that nobody took, by runs, but for those that an archive has.

        :param moved: takes up the latter.
        """
        at = 0
        for first, last in self.stubs.left():
            while first <= last:
                while at < len(self.elsewhere) and self.elsewhere[at][1] < first:
                    at += 1
                begin, end, archive = last + 1, last + 1, ""
                if at < len(self.elsewhere):
                    begin, end, archive = self.elsewhere[at]
                if first < begin:
                    yield first, min(last, begin - 1)
                    first = begin
                else:
                    moved.append((first, min(last, end), archive))
                    first = end + 1


def _entries(seqs: list[int]) -> str:
    return f"entry {seqs[0]}" + (f" or one up to {seqs[-1]}" if len(seqs) > 1 else "")


def _on_policy(found: dict[str, Any]) -> str:
    first, last = found["first_by"], found["last_by"]
    by = f"entry {first}"
    if found["applies"] > 1:
        by = f"{found['applies']:,} entries from {first} to {last}"
    text = f"{found['entries']:,} entries were purged under policy {found['policy']} by {by}"
    if found["signed"] is False:
        text += ", for which no key of the log vouches: anyone who can write to it can write such"
    return text
