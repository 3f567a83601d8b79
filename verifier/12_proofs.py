# Proofs that are checked without the log.


def verify_proof(
    data: bytes,
    public_key: str | None = None,
    checkpoint: bytes | None = None,
    *,
    witness_keys: Sequence[str] = (),
    origin: str | None = None,
    entry_hash: str | None = None,
) -> dict[str, Any]:
    """Check a proof, without the log.

    The log's own signature must hold, under the name that is the checkpoint's origin, and so must
    each signature of a key that is given here (C2SP ``tlog-proof`` and ``signed-note``). Those of
    other keys are ignored.

    :param data: a C2SP ``tlog-proof`` whose extra data is the entry, for one entry; or, for two
        states of a log, ``old N``, hashes, an empty line and the newer checkpoint.
    :param public_key: the log's key when the checkpoint was made: PEM, or a ``vkey``.
    :param checkpoint: the older checkpoint, for two states.
    :param witness_keys: keys of witnesses, each of which must have cosigned, as ``vkey``.
    :param origin: the name that the log must have.
    :param entry_hash: the hash that the entry must have, in hexadecimal.
    :returns: ``status`` (``proven``, ``refuted`` or ``unchecked``), ``reason``, what was
        proven, and in ``witnessed`` the time of each witness's cosignature, by its name.
    """
    found: dict[str, Any] = {"status": "unchecked", "reason": None}
    try:
        key = None if public_key is None else _Key(public_key)
        witnesses = [_Key(text, 4) for text in witness_keys]
    except _Bad as bad:
        found["reason"] = f"of a public key that was given: {bad.reason}"
        return found
    try:
        head, _, note_bytes = data.partition(b"\n\n")
        note = _Note(note_bytes, "the proof")
        found.update(origin=note.origin, size=note.size)
        if origin is not None and origin != note.origin:
            raise _Bad(None, f"the checkpoint is of the log {note.origin}, not of {origin}")
        lines = head.decode("ascii", "replace").split("\n")
        line = None
        if data.startswith(_PROOF):
            if checkpoint is not None:
                raise _Unchecked("a proof of one entry is not compared with another checkpoint")
            line = _prove_entry(note, lines[1:], entry_hash)
            found["entry"] = (line.body[:-1] + b',"hash":"' + line.own.encode() + b'"}').decode()
        else:
            if entry_hash is not None:
                raise _Unchecked("this is not a proof of one entry, so no hash of one can be found")
            _prove_extension(note, lines, checkpoint)
            found["old_size"] = int(lines[0][4:])
        found["witnessed"] = _prove_cosignatures(note, witnesses)
        if key is None:
            raise _Unchecked("no public key was given")
        _prove_signature(note, key, line)
        found["status"] = "proven"
    except _Unchecked as problem:
        found["reason"] = str(problem)
    except _Bad as bad:
        found["status"], found["reason"] = "refuted", bad.reason
    return found


def _holds(verdict: bool | None) -> bool:
    if verdict is None:
        raise _Unchecked(
            "the package cryptography, which checks signatures, is missing, or too old for this key"
        )
    return verdict


def _prove_signature(note: _Note, key: _Key, line: _Line | None) -> None:
    """Check that a key signed the checkpoint, and the entry where that bears a signature."""
    if key.name and key.name != note.origin:
        raise _Bad(None, f"the checkpoint is of the log {note.origin}, the key of {key.name}")
    by = (note.origin, key.id_under(note.origin))
    values = [value for name, id_, value in note.signatures if (name, id_) == by]
    if not values:
        raise _Bad(None, "the key given did not sign the checkpoint")
    if not all(_holds(key.verifies(value, note.text.encode())) for value in values):
        raise _Bad(None, "the signature of the key given does not hold")
    if line is not None and line.signature is not None:
        message = b"chained-logging entry v1\n" + line.own.encode() + b"\n"
        if not _holds(key.verifies(base64.b64decode(line.signature), message)):
            raise _Unchecked(
                "the entry bears a signature that is not of the key given: it was changed, or is "
                "of an earlier key. What the checkpoint says of the entry holds"
            )


def _prove_cosignatures(note: _Note, witnesses: list[_Key]) -> dict[str, str]:
    """Check that each witness cosigned, and return when."""
    times = {}
    for key in witnesses:
        values = [v for name, id_, v in note.signatures if (name, id_) == (key.name, key.id)]
        if not values:
            raise _Bad(None, f"the checkpoint is not cosigned by the witness {key.name}")
        for value in values:
            verdict, time_ = key.cosigned(note, value)
            if not _holds(verdict):
                raise _Bad(None, f"the cosignature of the witness {key.name} does not hold")
            moment = datetime.datetime.fromtimestamp(time_, datetime.timezone.utc)
            times[key.name] = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    return times


def _prove_entry(note: _Note, lines: list[str], entry_hash: str | None) -> _Line:
    if lines and lines[0].startswith("index "):
        raise _Unchecked("the proof does not hold the entry it is about: it has no line extra")
    if len(lines) < 2 or not lines[0].startswith("extra ") or not lines[1].startswith("index "):
        raise _Bad(None, "the proof holds no entry, or no index")
    index = lines[1][6:]
    try:
        text = _unbase64(lines[0][6:])
    except ValueError:
        raise _Bad(None, "the entry in the proof is not base64") from None
    line = _read_line(text)
    if line.bad is not None or line.altered:
        raise line.bad or _Bad(None, "the hash of the entry is not that of its content")
    if str(line.seq) != index or not int(index) < note.size:
        raise _Bad(None, "the entry is not the one at the index of the proof")
    if _fold(int(index), note.size, bytes.fromhex(line.own), _hashes(lines[2:])) != note.root:
        raise _Bad(None, "the proof does not lead to the root of the checkpoint")
    if entry_hash is not None and entry_hash.lower() != line.own:
        raise _Bad(None, "the entry has not the hash that was given")
    return line


def _prove_extension(note: _Note, lines: list[str], checkpoint: bytes | None) -> None:
    if not re.fullmatch("old (0|[1-9][0-9]{0,15})", lines[0]):
        raise _Unchecked("this is not a proof")
    if checkpoint is None:
        raise _Unchecked("the older checkpoint is needed too: --checkpoint FILE")
    older = _Note(checkpoint, "the older checkpoint")
    if older.origin != note.origin or str(older.size) != lines[0][4:]:
        raise _Bad(None, "the older checkpoint is not the one that the proof is about")
    if not _extends(older.size, older.root, note.size, note.root, _hashes(lines[1:])):
        raise _Bad(None, "the newer state does not extend the older one")
