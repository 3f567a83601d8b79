# One stored line, by every rule that concerns it alone.

# Of 64 bytes the last base64 character before the padding carries four bits that must be zero.
_SIGNATURE = "[A-Za-z0-9+/]{85}[AQgw]=="
_ENDING = re.compile(f',"hash":"([0-9a-f]{{64}})"(?:,"signature":"({_SIGNATURE})")?}}'.encode())
_PREV = re.compile(rb',"prev_hash":"(GENESIS|[0-9a-f]{64})"')
_SEQ = re.compile(rb',"seq":(0|[1-9][0-9]{0,15})[,}]')
_STUB_BEGINS = b'{"hash":"'
_STUB = re.compile(
    rb'\{"hash":"([0-9a-f]{64})","seq":(0|[1-9][0-9]{0,15})'
    rb'(?:,"signature":"(%b)")?\}' % _SIGNATURE.encode()
)


@dataclass
class _Block:
    """Whole lines, each with its line feed; or, torn, what is there instead of a line."""

    file: str
    text: bytes = b""
    places: list[Any] | None = None  # the position of each in a database
    torn: bool = False


@dataclass
class _Line:
    """One line, read with care."""

    file: str
    number: int  # from 1; 0 for the file as a whole; -1 for the next after those before
    body: bytes = b""
    hash: str | None = None  # as stored; None if the line has not the form of a stored line
    own: str = ""  # computed
    signature: str | None = None
    seq: int | None = None
    prev: str | None = None
    parsed: bool = False
    bad: _Bad | None = None  # the rule that it breaks, other than its hash
    weight: int = 1  # how many entries it may once have been
    stub: bool = False  # whether it is what is left of an entry
    incomplete: bool = False
    oversize: bool = False
    entry: dict[str, Any] = field(default_factory=dict)

    @property
    def altered(self) -> bool:
        return self.hash != self.own


def _read_line(line: bytes, file: str = "", number: int = 0, exactly: bool = False) -> _Line:
    """Examine a line (without its line feed) by every rule that concerns it alone."""
    stub = _STUB.fullmatch(line) if line.startswith(_STUB_BEGINS) else None
    if stub is not None and int(stub[2]) <= MAX_SAFE_INTEGER:
        return _read_stub(stub, file, number)
    cut = line.rfind(b',"hash":"')
    ending = _ENDING.fullmatch(line, cut) if cut > 0 else None
    if ending is None or not line.startswith(b"{"):
        reason = _what_it_is(line)
        weight = max(1, line.count(b',"prev_hash":"'))
        return _Line(file, number, bad=_Bad(None, reason), weight=weight)
    result = _read_body(line[:cut] + b"}", ending[1].decode(), file, number, exactly)
    result.signature = ending[2].decode() if ending[2] else None
    return result


def _read_stub(found: re.Match[bytes], file: str, number: int) -> _Line:
    hash_, seq = found[1].decode(), int(found[2])
    result = _Line(file, number, hash=hash_, own=hash_, seq=seq, parsed=True, stub=True)
    result.signature = found[3].decode() if found[3] else None
    return result


def _what_it_is(line: bytes) -> str:
    """Return what was done to a line that is not a stored entry, as far as it shows."""
    if not line:
        return (
            "the line is empty. If a program added it, check a copy from which it is removed: "
            "sed '/^$/d'"
        )
    if line.startswith((b'{"action": ', b"{ ")) or line.rstrip() in (b"{", b"["):
        return (
            "its JSON was rewritten by another program (an editor, jq): the bytes that were "
            "hashed are only in the original"
        )
    return "it has not the form of a stored entry"


def _read_body(body: bytes, hash_: str, file: str, number: int, exactly: bool) -> _Line:
    own = _sha256(b"\0" + body).hexdigest()
    result = _Line(file, number, body, hash_, own)
    at = body.rfind(b',"prev_hash":"')
    prev = _PREV.match(body, at) if at > 0 else None
    seq = _SEQ.match(body, body.rfind(b',"seq":', at)) if at > 0 else None
    result.prev = prev[1].decode() if prev else None
    result.seq = int(seq[1]) if seq else None
    try:
        if len(body) > MAX_BODY:
            raise _Bad(None, f"it has {len(body):,} bytes, more than {MAX_BODY:,}")
        entry = _parse(body, exactly)
        result.parsed = True
        _check_fields(entry)
        result.entry = entry
        # Proven to be the same by the format; a difference would be a hole in this program.
        if (result.seq, result.prev) != (entry["seq"], entry["prev_hash"]):
            raise _Bad(None, "its seq and prev_hash are not where they belong")
        result.incomplete = "invalid" in entry["context"]
        result.oversize = "oversize" in entry["context"]
    except _Bad as bad:
        result.bad = bad
        if not result.parsed:
            result.weight = max(1, body.count(b',"prev_hash":"'))
    return result
