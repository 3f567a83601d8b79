# What the log says of its keys. Only the key before can name the next one, and only a log without
# a key can be given its first: who can write to the log, and has no key, speaks for nobody.

_KEY_ACTIONS = ("log.open", "key.add", "key.rotate")


class _Naming(NamedTuple):
    """An entry in the log's own name about a key."""

    seq: int
    prev: str
    origin: str
    action: str
    key: Any
    """The key that it names or revokes; None if it names none."""
    old: Any
    """The key before."""
    statement: Any
    """A signature in base64 over :meth:`message`."""

    @classmethod
    def of(cls, line: _Line) -> _Naming | None:
        """Return what an entry says of keys, if that is what it is about."""
        entry, context = line.entry, line.entry["context"]
        action, origin = entry["action"], entry["resource_id"]
        key = context.get("public_key")
        if action == "key.revoke":
            key, origin = origin, context.get("origin")
        elif action not in _KEY_ACTIONS or (action == "log.open" and not key and not line.seq):
            return None
        old, statement = context.get("old_public_key"), context.get("statement")
        return cls(line.seq or 0, line.prev or "", origin, action, key, old, statement)

    def message(self, signer: _Key) -> bytes:
        """Return what `signer` signs in a statement."""
        head = f"chained-logging {self.action} v1\n{self.origin}\n{self.seq}\n{self.prev}\n"
        return f"{head}{signer.vkey}\n{self.key}\n".encode()

    def stated_by(self, signer: _Key) -> bool | None:
        """Whether `signer` made the statement; None where that cannot be checked.

        :raises _Bad: if there is no statement.
        """
        try:
            signature = _unbase64(self.statement)
            if len(signature) != 64:
                raise ValueError
        except (TypeError, ValueError, AttributeError):
            raise _Bad(None, "it holds no statement of the key before") from None
        return signer.verifies(signature, self.message(signer))


def _decision_message(action: str, origin: str, line: _Line, signer: _Key) -> bytes:
    """Return what `signer` signs in the statement of an entry that decides something."""
    try:
        context = _decode_exactly(line.body.decode())["context"]
        context.pop("statement", None)
        digest = _sha256(_canonical(context).encode()).hexdigest()
    except RecursionError:
        raise _Bad(None, "its context is nested too deeply") from None
    head = f"chained-logging {action} v1\n{origin}\n{line.seq}\n{line.prev}\n"
    return f"{head}{signer.vkey}\n{digest}\n".encode()


class _Keys:
    """The keys of a log, from the first to the last, and the signatures that entries bear."""

    def __init__(self, findings: _Findings, from_hash: str | None, goes_on: bool) -> None:
        self.findings, self.from_hash = findings, from_hash
        self.goes_on = goes_on
        self.begun = False  # whether it is known which keys came before the first entry
        self.known: list[tuple[int, _Key]] = []  # each with the seq of the entry that names it
        self.vkeys: set[str] = set()  # of these keys
        self.revoked: set[str] = set()  # and of these, those that were
        self.named: list[_Naming] = []  # of a part: what it says of keys
        self.signer: _Key | None = None  # which signed the last entry with a signature
        self.signed_until = -1  # and that entry
        self.bare: int | None = None  # the first caller's entry since then
        self.gaps: list[tuple[int, int]] = []  # such, each with the next signed one

    def see(self, line: _Line) -> None:
        """Follow what the log says of its keys, and check the signature of an entry."""
        entry, seq = line.entry, line.seq or 0
        own = entry["actor_id"] == "chained_logging"
        if own and entry["actor_type"] != "system":
            reason = "it bears the name of the log itself, which has the type system"
            self.findings.fault("inserted", line, "actor_type", reason)
            return
        naming = _Naming.of(line) if own else None
        if naming is not None and not self.follow(line, naming):
            return
        if line.signature:
            self.check_entry(line, seq)
        elif self.signer is not None and own:
            # A command without the key may add what the log says of itself: a revocation.
            self.findings.report.unsigned_own += 1
            if self.findings.report.unsigned_own_from is None:
                self.findings.report.unsigned_own_from = seq
        else:
            self.see_unsigned(seq)

    def see_stub(self, line: _Line) -> None:
        """Check the signature of what is left of an entry. Without one, it may be the log's own."""
        if line.signature:
            self.check_entry(line, line.seq or 0)

    def check_entry(self, line: _Line, seq: int) -> None:
        """Check the signature that an entry bears."""
        if self.goes_on:  # which key it was then, a part cannot know
            self.findings.fault("signature", line, "signature", "it is not checked here")
            return
        # An entry that names a new key is signed with the old one; the first key signs its own.
        then = [key for at, key in self.known[-2:] if at < seq] or [
            key for _, key in self.known[:1]
        ]
        message = b"chained-logging entry v1\n" + (line.hash or "").encode() + b"\n"
        signature = base64.b64decode(line.signature or "")
        holds = then[-1].verifies(signature, message) if then else False
        if holds:
            if self.bare is not None and len(self.gaps) < MAX_HOLES:
                self.gaps.append((self.bare, seq))
            self.signer, self.findings.report.signed_entry, self.bare = then[-1], seq, None
        elif holds is None or not self.whole:  # there it may be of a later key, or of one before
            self.findings.report.unchecked_signatures += 1
        else:
            self.findings.fault(
                "signature", line, "signature", "its signature is not of the log's key"
            )

    @property
    def whole(self) -> bool:
        """Whether it is known which key is the first, if there is one."""
        begins = self.from_hash is None and self.findings.report.starts_at_genesis
        return self.begun or begins

    def follow(self, line: _Line, naming: _Naming) -> bool:
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
                self.begin(naming)
        except _Bad as bad:
            self.findings.fault(
                "key", line, "context", f"a key is not named like this: {bad.reason}"
            )
            return False
        return True

    def key_named(self, naming: _Naming) -> _Key:
        if not isinstance(naming.key, str):
            raise _Bad(None, "it names no key")
        key = _Key(naming.key)
        if key.name != (self.findings.report.origin or naming.origin) or key.vkey != naming.key:
            raise _Bad(None, "the key has the name of another log")
        return key

    def take(self, seq: int, key: _Key) -> None:
        self.known.append((seq, key))
        self.vkeys.add(key.vkey)

    def begin(self, naming: _Naming) -> None:
        """Take up the first key. Nobody vouches for it but who knows it from elsewhere."""
        if naming.action == "log.open" and naming.seq:
            raise _Bad(None, "a log is opened by its first entry, and by no other")
        key = self.key_named(naming)
        if self.whole and self.known:
            raise _Bad(None, "the log had a key already, which must name the next one")
        if self.whole:
            self.take(naming.seq, key)

    def rotate(self, naming: _Naming) -> None:
        """Accept the next key, if the previous key says so."""
        key, old = self.key_named(naming), _Key(str(naming.old))
        before = self.known[-1][1] if self.known else None
        if self.whole and (before is None or before.vkey != old.vkey):
            raise _Bad(None, "the key before is not the log's key")
        holds = naming.stated_by(old)
        if holds is False:
            raise _Bad(None, "its statement is not of the key before")
        if holds is None:
            self.findings.report.unchecked_signatures += 1
        # In the middle of a log the previous key must be the given one, or it is unknown.
        if before is not None and before.raw == old.raw:
            self.take(naming.seq, key)

    def revoke(self, naming: _Naming) -> None:
        """Note a revocation. Without a statement, anyone with write access could have made it."""
        signed = False
        if naming.statement is not None and self.known:
            holds = naming.stated_by(self.known[-1][1])
            if holds is False and self.whole:
                raise _Bad(None, "its statement is not of the log's key")
            if holds is None:
                self.findings.report.unchecked_signatures += 1
            signed = bool(holds)
        if naming.key in self.vkeys - self.revoked:
            self.revoked.add(naming.key)
            note = {"key": naming.key, "seq": naming.seq, "signed": signed}
            self.findings.report.revoked.append(note)

    def see_unsigned(self, seq: int) -> None:
        """Note entries of callers, from this one on, that bear no signature."""
        if self.signer is not None and self.bare is None:
            self.bare = seq
