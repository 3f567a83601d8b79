# One expression for the lines in which nothing is odd. It has a part for each field, which matches
# nothing that the field's rule forbids; objects it takes as they are, for `_parse` to judge. There
# is but one way in which it can match, so the time it takes is in proportion to a line, whatever is
# in it. What it does not match is read by the rules above, so it can only ever agree with them.

_CHAR = r"[ !#-\[\]-\xff]"  # what needs no escape in JSON; UTF-8 is checked for a whole block
_ESCAPE = r'\\(?:["\\bfnrt]|u00(?:0[1-7bef]|1[0-9a-f]))'  # all but U+0000, in canonical form
# Atomic repeats keep no way back, which is a twentieth faster; Python has them since 3.11.
_ATOMIC = "+" if sys.version_info >= (3, 11) else ""
_SOME_TEXT = rf'"{_CHAR}*{_ATOMIC}(?:"|(?:{_ESCAPE}{_CHAR}*{_ATOMIC})+")'
# With few escapes, as in DOMAIN\user. At most 1,018 bytes, and none of them is more when decoded.
_FEW_ESCAPES = rf"{_CHAR}{{0,250}}(?:{_ESCAPE}{_CHAR}{{0,250}}){{1,3}}"
_SOME_NAME = rf'"(?:{_CHAR}{{1,1024}}{_ATOMIC}"|{_FEW_ESCAPES}")'
_SOME_RECORD = rf'\{{"id":{_SOME_NAME},"type":{_SOME_NAME}\}}'
_SOME_ID = '"' + "-".join(["[0-9a-f]{8}", "[0-9a-f]{4}", "7[0-9a-f]{3}", "[89ab][0-9a-f]{3}"])
_SOME_ID += '-[0-9a-f]{12}"'
_SOME_DAY = (
    "[12][0-9]{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    "|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
)


def _some_object(name: str, follows: str) -> str:
    """Return an expression for an object up to the last place where `follows` comes after it."""
    text = rf"(?P<{name}>\{{[^\n]*\}})"
    if _ATOMIC:
        return rf"(?:\{{\}}|(?>{text}(?={follows})))"
    return rf"(?:\{{\}}|(?={text}{follows})(?P={name}))"  # a group in a lookahead is atomic too


_ORDINARY = {
    # What the log says of itself is read by the rules above.
    "action": _SOME_NAME,
    "actor_id": rf'(?!"chained_logging"){_SOME_NAME}',
    "actor_type": '"(?:user|(?P<unlocated>service|system)|admin|unknown)"',
    "changed_fields": rf"\[(?:{_SOME_TEXT}(?:,{_SOME_TEXT})*)?\]",
    "context": _some_object("context", r',"id":"[^"\n]{36}","ip_address":'),
    "id": _SOME_ID,
    "ip_address": r'(?:"(?P<address>[^"]{1,49})"|(?(unlocated)null|!))',
    "old_values": _some_object(
        "old_values", f'(?:,"on_behalf_of":{_SOME_NAME})?,"prev_hash":"[0-9a-f]{{64}}",'
    ),
    "on_behalf_of": _SOME_NAME,
    "prev_hash": r'"(?P<prev>[^"]{64})"',
    "reason": _SOME_TEXT,
    "resource_id": _SOME_NAME,
    "resource_type": _SOME_NAME,
    "resources": rf"\[(?:{_SOME_RECORD}(?:,{_SOME_RECORD})*)?\]",
    "result": f'"(?:{"|".join(_ENUMS["result"])})"',
    "seq": "(?P<seq>[1-9][0-9]{0,14})",
    "session_id": _SOME_NAME,
    "timestamp": rf'"{_SOME_DAY}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{{6}}Z"',
    "tenant_id": _SOME_NAME,
    "trace_id": f'"{_TRACE.pattern}"',
    "user_agent": _SOME_TEXT,
    "v": "1",
}


def _rows_expression() -> re.Pattern[bytes]:
    fields = "".join(
        f'(?:,"{name}":{_ORDINARY[name]})' + ("?" if name in _OPTIONAL else "")
        for name in sorted(_FIELDS)
    ).replace("(?:,", r"(?:\{", 1)
    line = rf'(?P<body>{fields}),"hash":"(?P<hash>[^"]{{64}})"\}}\n'
    stub = r'\{"hash":"(?P<stub>[0-9a-f]{64})","seq":(?P<place>[1-9][0-9]{0,14})\}\n'
    return re.compile(f"{line}|{stub}|(?P<odd>[^\n]*)\n".encode("latin-1"))


# The lines of a block, each as the groups of the expression.
_rows_of = _rows_expression().findall


_Row = tuple[bytes, ...]


def _is_ordinary(row: _Row) -> bool:
    return bool(row[0] or row[8])  # a body, or the hash of a stub


def _runs(rows: list[_Row]) -> Iterator[list[_Row]]:
    """Yield rows by runs: of ordinary lines, stubs among them, and of odd ones."""
    if all(map(operator.itemgetter(0), rows)):
        yield rows
        return
    for _, run in itertools.groupby(rows, _is_ordinary):
        yield list(run)


def _line_of(row: _Row) -> bytes:
    """Return the line that an ordinary row was."""
    if row[8]:
        return b'{"hash":"%b","seq":%b}\n' % row[8:10]
    return b'%b,"hash":"%b"}\n' % (row[0], row[7])


class _Run:
    """Ordinary lines, column by column."""

    def __init__(self, rows: list[_Row]) -> None:
        columns = zip(*rows)  # noqa: B905  # Python 3.9
        self.bodies, _, self.contexts, self.addresses, self.olds, *rest = columns
        self.prevs, self.seqs, self.hashes, stubs, places, _ = rest
        self.stubs: list[int] = []  # which of them are stubs
        if not any(stubs):
            self.leaves = [_sha256(b"\0%b}" % body).digest() for body in self.bodies]
            return
        self.stubs = [at for at, stub in enumerate(stubs) if stub]
        self.seqs = tuple([seq or place for seq, place in zip(self.seqs, places)])  # noqa: B905
        self.hashes = tuple([hash_ or stub for hash_, stub in zip(self.hashes, stubs)])  # noqa: B905
        self.leaves = [
            _sha256(b"\0%b}" % body).digest() if body else bytes.fromhex(hash_.decode())
            for body, hash_ in zip(self.bodies, self.hashes)  # noqa: B905
        ]

    def follows(self, links: tuple[str, ...]) -> bool:
        """Whether each entry names the one before it; a stub names none.

        :param links: what the first may name.
        """
        prevs, hashes = self.prevs, self.hashes
        if prevs[0] and prevs[0].decode() not in links:
            return False
        if not self.stubs:
            return bool(prevs[1:] == hashes[:-1])
        pairs = zip(prevs[1:], hashes)  # noqa: B905
        return all([prev == hash_ or not prev for prev, hash_ in pairs])

    def obeys(self, numbers: range) -> bool:
        """Whether hashes, numbers, lengths and addresses are as they must be."""
        return (
            b"".join(self.leaves).hex().encode() == b"".join(self.hashes)
            and b",".join(self.seqs) == ",".join(map(str, numbers)).encode()
            and max(map(len, self.bodies)) < MAX_BODY  # without its closing brace
            and _addresses_obey(set(self.addresses))
        )

    @property
    def entries(self) -> list[int]:
        """Which of them are entries."""
        if not self.stubs:
            return list(range(len(self.bodies)))
        return [at for at, body in enumerate(self.bodies) if body]


_known_address = functools.lru_cache(4096)(_is_address)


def _addresses_obey(addresses: set[bytes]) -> bool:
    return all(_known_address(text.decode()) for text in addresses - {b"", b"unknown"})


_OWN_KEYS = frozenset({"invalid", "oversize", "resources_part"})
_DEEP = 400  # levels; a parser goes deeper, but not without end
_known: set[bytes] = set()  # short objects that obey wherever they stand: many events repeat them


def _marks(
    bodies: Sequence[bytes], contexts: Sequence[bytes], olds: Sequence[bytes]
) -> tuple[int, int]:
    """Judge objects, and return how many entries are incomplete, and how many are oversize.

    :raises _Bad: for an object that breaks a rule.
    """
    objects = {*contexts, *olds} - _known
    objects.discard(b"")
    # What is deep may be as deep as a parser goes, and in its entry it is deeper.
    deep = {text for text in objects if len(text) > 2 * _DEEP and _depth(text) > _DEEP}
    values = _parse_all(list(objects - deep))
    own = {text for text, value in values.items() if not _OWN_KEYS.isdisjoint(value)}
    odd = own | deep
    _remember(objects - odd)
    incomplete = oversize = 0
    if odd:
        parse = _parse if deep else _load  # which is enough where all of an entry is judged
        for body, context, old in zip(bodies, contexts, olds):  # noqa: B905  # Python 3.9
            if context in odd or old in odd:
                entry = parse(body + b"}")
                _check_context(entry)
                incomplete += "invalid" in entry["context"]
                oversize += "oversize" in entry["context"]
    return incomplete, oversize


def _depth(text: bytes) -> int:
    """Return how deep an object may be at most."""
    return text.count(b"{") + text.count(b"[")


def _remember(objects: set[bytes]) -> None:
    if len(_known) > 4096:
        _known.clear()
    _known.update(text for text in objects if len(text) < 500)


def _is_utf8(text: bytes) -> bool:
    try:
        return text.isascii() or bool(text.decode())
    except UnicodeDecodeError:
        return False
