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
