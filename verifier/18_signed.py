# What checkpoints and keys say of a chain that was read.

MAX_CHECKED = 10_000  # checkpoints whose signatures are checked
MAX_STAMPS = 16  # timestamps that are checked: each starts several processes


class _Signed:
    """What checkpoints and keys say of a chain that was read."""

    def __init__(
        self,
        chain: _Chain,
        notes: list[_Note],
        pin: _Key | None,
        witnesses: list[_Key],
        roots: bytes | None,
    ) -> None:
        self.chain, self.notes, self.pin = chain, notes, pin
        self.witnesses, self.roots = witnesses, roots
        self.report = chain.report
        self.named_at = [at for at, _ in chain.keys.known]
        self.sealed = -1  # the last entry that a checkpoint of the log's keys covers
        self.reach = -1  # and one of the key that was given, or of one after it

    def fault(self, kind: str, file: str, seq: int | None, reason: str) -> None:
        self.chain.findings.fault(kind, _Line(file, 0, seq=seq), None, reason)

    def check(self) -> None:
        report, keys = self.report, self.chain.keys.known
        distinct = {(note.data, note.timestamp, note.outside): note for note in self.notes}
        self.notes = [note for note in distinct.values() if not self.is_foreign(note)]
        whole = report.starts_at_genesis or self.chain.growth.tree is not None
        if keys and whole:
            report.public_key = keys[0][1].vkey
        self.check_signed_entries()
        if self.pin is not None and whole:
            self.check_pin(self.pin)
        covered = [note for note in self.notes if self.covers(note)]
        report.checkpoints = len({note.size for note in covered})
        for note in self.newest(covered, MAX_CHECKED, "checkpoints"):
            self.check_cosignatures(note)
            self.check_signature(note)
        stamped = [note for note in covered if note.timestamp is not None]
        for note in self.newest(stamped, MAX_STAMPS if self.roots else None, "timestamps"):
            self.check_timestamp(note)
        for witness in self.witnesses:
            if witness.name not in report.witnessed and not report.unchecked_signatures:
                reason = f"no checkpoint here is cosigned by the witness {witness.name}"
                self.fault("signature", report.files[0], None, reason)
        if self.roots is not None and not (report.timestamped_at or report.unchecked_timestamps):
            reason = "no checkpoint here has a timestamp that the root given vouches for"
            self.fault("timestamp", report.files[0], None, reason)
        if whole and not report.unchecked_signatures:
            self.check_coverage()
        self.check_tail()

    def newest(self, notes: list[_Note], most: int | None, what: str) -> list[_Note]:
        """Return those of the notes whose signatures are checked: each takes its time.

        The newest vouch for all that the others cover, and those from elsewhere were asked for.
        """
        if most is None or len(notes) <= most or self.chain.careful:
            return notes
        chosen = sorted(notes, key=lambda note: (not note.outside, -note.size))[:most]
        self.report.remarks.append(
            f"of {len(notes):,} {what}, the signatures of the newest {most:,} were checked; "
            "--careful checks them all"
        )
        return sorted(chosen, key=lambda note: note.size)

    def is_foreign(self, note: _Note) -> bool:
        """Whether a store's note is signed by no key of the log: then anybody may have put it."""
        if not note.stored:
            return False
        keys = [key for _, key in self.chain.keys.known] + ([self.pin] if self.pin else [])
        for (name, id_), value in note.by_key.items():
            for key in keys:  # of one that was given as PEM the name is not known
                if name != (key.name or name) or id_ != key.id_under(name):
                    continue
                if key.verifies(value, note.text.encode()) is not False:
                    return False
        self.report.foreign += 1
        return True

    def check_pin(self, pin: _Key) -> None:
        """Look for the key that was given among the log's: one of them, first or later."""
        report, keys = self.report, self.chain.keys.known
        found = [at for at, key in keys if key.raw == pin.raw]
        if found:
            report.pinned, report.pinned_seq = True, found[0]
            return
        reason = "the log's first key is not the one that was given: the log was rewritten"
        if not keys:
            reason = "the log has no key, and one was given: the log was rewritten"
        self.fault("key", report.files[0], None, reason)

    def check_coverage(self) -> None:
        """Check that something is left of what the last key, and the one given, signed."""
        report, keys = self.report, self.chain.keys.known
        last, reach = keys[-1][0] if keys else 0, max(self.sealed, self.chain.keys.signed_until)
        # Between a rotation and its seal the writer may have been killed.
        if len(keys) > 1 and reach < last < (report.last_seq or 0):
            reason = "no checkpoint vouches for this rotation, nor for what came after it"
            self.fault("key", report.files[0], last, reason)
        if report.pinned and self.reach < 0:
            reason = "the log has a key, and no checkpoint that the key signed vouches for it"
            if report.pinned_seq:
                reason = "no checkpoint here is of the key that was given, nor of one after it"
            self.fault("signature", report.files[0], None, reason)

    def check_signed_entries(self) -> None:
        report, signer = self.report, self.chain.keys.signer
        self.chain.keys.signed_until = -1 if report.signed_entry is None else report.signed_entry
        if signer is None or signer.vkey in self.chain.keys.revoked:
            report.signed_entry = None
        elif self.chain.from_hash is not None and self.pin is not None:
            report.pinned = True
            report.public_key = signer.vkey if signer.name else signer.raw.hex()

    def check_tail(self) -> None:
        """Say how much nothing signed vouches for, and judge where signatures of entries stop.

        A log that goes on without ``sign="each"`` may have such an end, under a checkpoint. A
        checkpoint or signature after entries without one proves little: who signs goes on from
        what is in the file.
        """
        report, bare, gaps = self.report, self.chain.keys.bare, self.chain.keys.gaps
        if report.last_seq is None or report.unchecked_signatures:
            return
        before = (report.first_seq or 0) - 1
        signed_seq = -1 if report.signed_seq is None else report.signed_seq
        signed_entry = -1 if report.signed_entry is None else report.signed_entry
        until = self.chain.keys.signed_until
        report.unsigned = max(0, report.last_seq - max(before, signed_seq, signed_entry))
        stops = [*(first for first, _ in gaps), *([] if bare is None else [bare])]
        report.unsigned_from = stops[0] if stops else None
        if not report.pinned:
            return
        for first, then in gaps:
            reason = f"from here to seq {then} entries bear no signature, and those around them do"
            self.fault("signature", report.files[0], first, reason)
        if bare is not None and bare > self.reach:
            reason = (
                f"entries bear signatures up to seq {until}, and from here on none, nor "
                "does a checkpoint cover them: they were written without the key"
            )
            self.fault("signature", report.files[-1], bare, reason)

    def covers(self, note: _Note) -> bool:
        """Check a checkpoint's origin, size and root against the entries."""
        report = self.report
        total = (report.last_seq or 0) + 1
        if note.origin != report.origin and report.starts_at_genesis:
            reason = f"a checkpoint is of another log, {note.origin}"
            self.fault("rewritten", note.source, None, reason)
        elif note.size > total:
            reason = (
                f"a checkpoint vouches for {note.size:,} entries, and the log has {total:,}: its "
                "end was cut off"
            )
            self.fault("cut-tail", note.source, report.last_seq, reason)
        elif note.size not in self.chain.growth.roots:
            if note.outside and not report.fault_count:
                reason = "a checkpoint cannot be compared: the entries before it are not all here"
                self.fault("missing", note.source, note.size - 1, reason)
        elif self.chain.growth.roots[note.size] != note.root:
            reason = f"the first {note.size:,} entries are not those that a checkpoint vouches for"
            self.fault("rewritten", note.source, note.size - 1, reason)
        else:
            if note.outside:
                self.anchor(note)
            return True
        return False

    def check_signature(self, note: _Note) -> None:
        """Check that the key of its time signed a checkpoint."""
        keys = self.keys_of(note.size)
        if not keys:
            if not note.outside:
                reason = "there is a checkpoint here, but the log had no key then"
                self.fault("signature", note.source, note.size - 1, reason)
            return
        for at, key in keys:
            value = note.by_key.get((key.name, key.id))
            holds = value is not None and key.verifies(value, note.text.encode())
            if holds is None:
                self.report.unchecked_signatures += 1
                return
            if holds:
                self.vouch(note, at, key)
                return
        reason = f"the checkpoint of size {note.size:,} is not signed by the key of its time"
        self.fault("signature", note.source, note.size - 1, reason)

    def keys_of(self, size: int) -> list[tuple[int, _Key]]:
        """Return which key can have signed a checkpoint, with the seq of the entry that names it.

        A rotation at seq n is sealed by the old key at size n + 1. Where its writer was killed
        before that, the new key vouches for it there: the statement is of the old one.
        """
        keys = self.chain.keys.known
        now = bisect.bisect_left(self.named_at, size)
        first = now - 2 if now > 1 and keys[now - 1][0] == size - 1 else now - 1
        return keys[max(first, 0) : now]

    def vouch(self, note: _Note, at: int, key: _Key) -> None:
        """Note what a valid signature of the log's key vouches for."""
        report = self.report
        self.sealed = max(self.sealed, note.size - 1)
        if at >= (report.pinned_seq or 0):
            self.reach = max(self.reach, note.size - 1)
        # The thief of a revoked key may have made this one.
        if key.vkey not in self.chain.keys.revoked or note.outside:
            report.signed_seq = max(report.signed_seq or 0, note.size - 1)

    def check_cosignatures(self, note: _Note) -> None:
        """Check what known witnesses say of a checkpoint (C2SP ``tlog-cosignature``)."""
        witnessed = self.report.witnessed
        for (name, id_), value in note.by_key.items():
            known = [key for key in self.witnesses if (key.name, key.id) == (name, id_)]
            if not known:
                self.report.unknown_witnesses += len(value) in _COSIGNATURES
                continue
            holds, time_ = known[0].cosigned(note, value)
            if holds is None:
                self.report.unchecked_signatures += 1
            elif not holds:
                reason = f"the cosignature of {name} under the checkpoint of size {note.size:,} is "
                self.fault("signature", note.source, note.size - 1, reason + "not valid")
            elif note.size - 1 >= witnessed.get(name, {"seq": -1})["seq"]:
                moment = datetime.datetime.fromtimestamp(time_, datetime.timezone.utc)
                witnessed[name] = {"seq": note.size - 1, "time": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}
                self.anchor(note)

    def check_timestamp(self, note: _Note) -> None:
        """Check when an authority says that a checkpoint existed."""
        if note.timestamp is None:
            return
        try:
            found = self.roots and _timestamp_time(note.data, note.timestamp, self.roots)
        except _Bad as bad:
            reason = f"the timestamp of the checkpoint of size {note.size:,} does not hold: "
            self.fault("timestamp", note.source, note.size - 1, reason + bad.reason)
            return
        if not found:
            self.report.unchecked_timestamps += 1
        elif note.size - 1 >= (self.report.timestamped_seq or 0):
            self.report.timestamped_seq = note.size - 1
            self.report.timestamped_at = str(found)
            self.anchor(note)

    def anchor(self, note: _Note) -> None:
        note.outside = True  # a thief of the log's key could not have made it
        self.report.anchored = True
        self.report.anchored_seq = max(self.report.anchored_seq or 0, note.size - 1)
