# What is found, in words for a person.


def _shown(text: Any) -> str:
    """Return text without what could steer a terminal."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in str(text)
    )


MAX_SHOWN = 100


def _describe(fault: Fault) -> str:
    where = fault.file + (f", line {fault.line}" if fault.line else "")
    where += f", seq {fault.seq}" if fault.seq is not None else ""
    what = f" ({fault.field})" if fault.field else ""
    return _shown(f"{fault.kind}{what}: {where}: {fault.reason}")


def _summary(report: Report) -> list[str]:
    """Return the verdict, and what it covers, a line each."""
    if report.status == "unchecked":
        return [f"NOT CHECKED: {report.reason}"]
    if not report.entries:
        return [f"TAMPERED: {report.fault_count:,} breaks, listed above"]
    verdict = (
        "INTACT" if report.intact else f"TAMPERED: {report.fault_count:,} breaks, listed above"
    )
    if report.status == "incomplete":
        verdict = f"INCOMPLETE: {report.reason}"
    stubs = f", and stubs of {report.stubs:,} that were purged" if report.stubs else ""
    covered = [
        f"{report.entries:,} entries, {report.incomplete:,} of them incomplete{stubs}",
        f"from seq {report.first_seq}, {report.first_timestamp}, hash {report.first_hash}",
        f"to   seq {report.last_seq}, {report.last_timestamp}, hash {report.last_hash}",
        *(_on_keys(report) if report.public_key is not None else ()),
        *(_revocation(report, note) for note in report.revoked),
        *_on_others(report),
    ]
    return [verdict, *(f"  {line}" for line in covered)]


def _summary_of_evidence(report: EvidenceReport) -> list[str]:
    """Return the verdict on a package of evidence, and what it covers, a line each."""
    if report.status == "unchecked":
        return [f"NOT CHECKED: {report.reason}"]
    if report.fault_count:
        return [f"TAMPERED: {report.fault_count:,} breaks, listed above"]
    covered = [
        str(report.statement),
        f"from the log {report.origin}, from seq {report.first_seq} to seq {report.last_seq}",
        "each of them is in the log at its number, as the checkpoint has it",
        *(["nothing is left out between these numbers"] if report.whole else []),
        *report.around,
        f"{report.incomplete:,} of them are incomplete",
        *_on_keys(report),
        *(["the claim is signed by the log's key"] if report.claim_signed else []),
        *(_revocation(report, note) for note in report.revoked),
        *_on_others(report),
        *(f"NOT PROVEN: {what}" for what in report.unproven),
    ]
    return ["INTACT", *(f"  {line}" for line in covered)]


def _on_keys(report: Report) -> Iterator[str]:
    how = "which nothing from elsewhere confirms"
    if report.pinned:
        how = "which is the one given"
        if report.pinned_seq:
            how = f"its first; the one given is its key since seq {report.pinned_seq}"
    yield f"key {report.public_key}, {how}"
    signed = [seq for seq in (report.signed_seq, report.signed_entry) if seq is not None]
    if signed:
        text = f"signed up to seq {max(signed)}, {report.checkpoints} checkpoints"
        if report.unsigned:
            entries = "entry" if report.unsigned == 1 else "entries"
            text += f"; {report.unsigned:,} {entries} after it NOT SIGNED"
        yield text
    elif not report.unchecked_signatures:
        yield "not signed: no checkpoint of that key is here"
    if signed and report.unsigned_from is not None:
        yield (
            "WARNING: entries bear signatures, and some after them none, the first at seq "
            f"{report.unsigned_from}"
        )
    if report.unsigned_own:
        yield (
            f"WARNING: entries bear signatures, and {report.unsigned_own:,} in the log's own "
            f"name none, the first at seq {report.unsigned_own_from}: anybody who can write "
            "the log can have written them"
        )


def _on_others(report: Report) -> Iterator[str]:
    """Yield what witnesses, authorities and stores say, and what could not be checked of it."""
    for name, found in report.witnessed.items():
        yield f"witnessed up to seq {found['seq']} by {name}, at {found['time']}"
    if report.foreign:
        yield (
            f"{report.foreign:,} objects or checkpoints in the store are FOREIGN: no key of the "
            "log vouches for them, and they count for nothing"
        )
    if report.unknown_witnesses:
        yield f"{report.unknown_witnesses:,} cosignatures of witnesses whose keys were not given"
    if report.timestamped_at is not None:
        yield f"timestamped up to seq {report.timestamped_seq}, {report.timestamped_at}"
    if report.unchecked_timestamps:
        yield (
            f"{report.unchecked_timestamps:,} timestamps NOT CHECKED: no root certificate was given"
        )
    if report.unchecked_signatures:
        yield _unchecked_signatures(report)
    if report.anchored_seq is not None:
        yield f"anchored up to seq {report.anchored_seq} by what was given from elsewhere"
    elif report.anchored:  # in evidence, where the entries before it are not all there
        yield "the entry with the hash that was given is here: that vouches for no other entry"
    else:
        yield (
            "not anchored: no hash or checkpoint kept elsewhere was given, so a cut at the end "
            "cannot be seen"
        )


def _revocation(report: Report, note: dict[str, Any]) -> str:
    text = f"WARNING: the key {note['key']} was revoked at seq {note['seq']}"
    if not note["signed"]:
        text += ", by an entry that no key signed"
    text += ": what it signed proves nothing by itself, since the thief could have made it"
    if not report.anchored:
        text += "; compare with a checkpoint kept elsewhere from before the theft"
    return text
