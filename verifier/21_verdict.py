# The verdict: what was read is compared with what vouches for it, and judged by one function from
# the report and the question to a word.


def _conclude(chain: _Chain, notes: list[_Note], question: _Question) -> None:
    """Compare what was read with what vouches for it, and judge."""
    report = chain.report
    if question.to_hash is not None and not report.anchored:
        at = _Line(report.files[-1], 0, seq=report.last_seq)
        reason = (
            "the hash kept elsewhere is not in the log: its end was cut off, or it was rewritten"
        )
        chain.findings.fault("cut-tail", at, None, reason)
    for path, seq in chain.listed if report.last_seq is not None else ():
        if seq > (report.last_seq or 0):
            reason = f"it lists entries up to seq {seq}: the end of the log was cut off"
            chain.findings.fault("cut-tail", _Line(path, 0, seq=report.last_seq), None, reason)
    if report.entries:
        _Signed(chain, notes, question.pin, question.witnesses, question.roots).check()
    elif not report.fault_count and any(note.size and not note.stored for note in notes):
        size = max(note.size for note in notes)
        reason = f"a checkpoint vouches for {size:,} entries, and none is here"
        chain.findings.fault("missing", _Line(report.files[0], 0), None, reason)
    report.status, report.reason = _judge(
        report, chain.findings.kinds, question, chain.findings.doubt
    )


_LACKING = {"archived", "cut-front", "torn"}  # faults that are of what is not here


def _judge(
    report: Report, kinds: set[str], question: _Question, doubt: str | None
) -> tuple[str, str | None]:
    """Return the status, and a reason where it needs one."""
    if not report.entries + report.stubs and kinds <= {"malformed", "torn", "unreadable"}:
        altered = any(fault.field for fault in report.faults)
        what = "no entry of a log" if report.fault_count else "nothing to verify"
        if not altered:
            return "unchecked", f"there is {what} in {', '.join(report.files)}"
    if kinds - _LACKING:
        return "tampered", None
    if kinds:
        return "incomplete", _what_is_lacking(report, kinds)
    if doubt is not None:
        return "unchecked", f"{doubt}. All hashes are right"
    if report.unchecked_signatures and (question.pin or question.outside or question.witnesses):
        return "unchecked", f"{_unchecked_signatures(report)}. All hashes are right"
    if question.pin is not None and not report.pinned:
        return "unchecked", (
            "the public key could not be checked from here: no entry bears a signature of it, and "
            "checkpoints need the log from its beginning. All hashes are right"
        )
    if report.unchecked_timestamps and question.roots is not None:
        return "unchecked", (
            f"{report.unchecked_timestamps:,} timestamps: the program openssl, which checks them, "
            "is not there. All hashes are right"
        )
    return "intact", None


def _what_is_lacking(report: Report, kinds: set[str]) -> str:
    parts = []
    if "cut-front" in kinds:
        parts.append(
            f"it begins at seq {report.first_seq}, and what was before is not here. Retention "
            "leaves a stub of each entry, so it is in other files, or was cut off: name those "
            "files too, or give the hash before it with --from-hash"
        )
    if "archived" in kinds:
        parts.append("a part of it is in an archive, which --archive names")
    if "torn" in kinds:
        parts.append("its last line was not written to the end, or was cut")
    return "; ".join(parts) + ". Nothing of what is here was changed"


def _unchecked_signatures(report: Report) -> str:
    why = "the package cryptography, which checks them, is not installed, or too old for them"
    if not report.starts_at_genesis and _Key.usable():
        why = "they are not of a key that is known here, from the middle of the log"
    return f"{report.unchecked_signatures:,} signatures NOT CHECKED: {why}"
