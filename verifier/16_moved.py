# A front that the log itself moved to an archive. An entry says up to where, with the tree over
# what was moved and the keys that it names: so what is here is checked without the archive.

_MOVED_BEGINS = b'{"action":"archive.move","actor_id":"chained_logging","actor_type":"system",'


class _Front:
    """What an entry says of all entries before the first one that is here.

    :raises _Bad: if it does not have the form of one.
    """

    def __init__(self, line: _Line) -> None:
        context = line.entry["context"]
        self.line, self.statement = line, context.get("statement")
        try:
            self.origin, self.archive = context["origin"], context["archive"]
            self.last_seq, self.last_hash = context["last_seq"], context["last_hash"]
            texts = (self.origin, self.archive, self.last_hash, *context["revoked"])
            ok = type(self.last_seq) is int and 0 <= self.last_seq < MAX_SAFE_INTEGER
            ok = ok and all(isinstance(text, str) for text in texts)
            self.tree = _tree_of(_unbase64(context["tree"]), self.last_seq + 1) if ok else _Tree()
            self.keys = [(named["seq"], _Key(named["key"])) for named in context["keys"]]
            self.revoked = set(context["revoked"])
        except (AttributeError, KeyError, TypeError, ValueError):
            ok = False
        if not ok or not self.has_right_keys(context["keys"]):
            raise _Bad(None, "a key of its context is not there, or is not what it must be")

    def has_right_keys(self, named: list[dict[str, Any]]) -> bool:
        """Whether the keys are of this log, in the order in which they were named."""
        seqs = [seq for seq, _ in self.keys]
        return (
            all(type(seq) is int and 0 <= seq <= self.last_seq for seq in seqs)
            and sorted(set(seqs)) == seqs
            and all(key.name == self.origin for _, key in self.keys)
            and [key.vkey for _, key in self.keys] == [one["key"] for one in named]
        )

    def is_before(self, first: _Line) -> bool:
        """Whether an entry is the one that comes next."""
        return (first.seq, first.prev) == (self.last_seq + 1, self.last_hash)

    def message(self, signer: _Key) -> bytes:
        """Return what `signer` signs in a statement."""
        return _decision_message("archive.move", self.origin, self.line, signer)

    def judge(self, chain: _Chain) -> None:
        """Say whether the entry is the log's own word, now that the keys are known."""
        keys, report, seq = chain.keys.known, chain.report, self.line.seq or 0
        then = [key for at, key in keys if at < seq][-1:]
        text = (
            f"entries 0 to {self.last_seq:,} are in the archive {self.archive}, as entry {seq} "
            "says, and were not checked"
        )
        if not then and self.statement is None:
            report.remarks.append(
                f"{text}. No key of the log vouches for that: anyone who can write to it can write "
                "such an entry"
            )
            return
        holds = bool(then) and _made(self.statement, then[0], self.message(then[0]))
        if holds is None:
            report.unchecked_signatures += 1
        if holds is False or then[0].vkey in chain.keys.revoked:
            why = "the log's key did not sign that" if holds is False else "its key was revoked"
            reason = (
                f"the log begins at seq {report.first_seq}. Entry {seq} says that what came before "
                f"was moved to an archive, and {why}: give the archive too"
            )
            at = _Line(report.files[0], 1, seq=report.first_seq)
            chain.findings.fault("cut-front", at, None, reason)
        else:
            report.remarks.append(text)


def _made(statement: Any, signer: _Key, message: bytes) -> bool | None:
    """Whether a key made a statement; None where that cannot be checked."""
    try:
        signature = _unbase64(statement)
    except (AttributeError, TypeError, ValueError):
        return False
    return len(signature) == 64 and signer.verifies(signature, message)


def _tree_of(state: bytes, size: int) -> _Tree:
    """Return a tree from its size and the roots of its complete subtrees, the largest first.

    :raises ValueError: if they are not of a tree of this size.
    """
    tree = _Tree(size)
    levels = [level for level in reversed(range(size.bit_length())) if size >> level & 1]
    if state[:8] != size.to_bytes(8, "big") or len(state) != 8 + 32 * len(levels):
        raise ValueError
    tree.nodes = [(level, state[8 + 32 * at :][:32]) for at, level in enumerate(levels)]
    return tree


def _front_of(files: list[str], held: _Held) -> _Front | None:
    """Return the newest entry that explains why the first ones are not here; None without one."""
    first = _first(files[0], held) if files and _magic(files[0], held) != _SQLITE else None
    if first is None or not first.seq or first.altered:
        return None
    found = None
    for path in files:
        for text in _lines(path, held):
            if text.startswith(_MOVED_BEGINS):
                line = _read_line(text, path)
                with contextlib.suppress(_Bad, KeyError):
                    front = _Front(line) if line.bad is None and not line.altered else None
                    found = front if front is not None and front.is_before(first) else found
    return found
