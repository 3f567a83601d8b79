"""What the verifier says of a log, in words for people who do not run it themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from chained_logging.review.moments import spoken
from chained_logging.review.opening import is_url
from chained_logging.review.stores import CentralStores
from chained_logging.text import printable
from chained_logging.verify import Fault, Report, verify

SHOWN: Final = 20
"""How many faults are put into words. They are all counted."""
_GAPS: Final = {"missing", "cut-front", "cut-tail", "torn"}


@dataclass(frozen=True)
class Evidence:
    """What somebody has from outside the log to check it with, as ``verify`` takes it.

    :ivar public_key: the log's first public key: PEM, or a ``vkey``.
    :ivar witness_keys: keys of witnesses that must have cosigned, each as a ``vkey``.
    :ivar timestamp_roots: certificates in PEM of timestamp authorities.
    :ivar checkpoints: files with checkpoints that were kept elsewhere.
    """

    public_key: str | None = None
    witness_keys: Sequence[str] = ()
    timestamp_roots: bytes | None = None
    checkpoints: Sequence[str] = ()


@dataclass(frozen=True)
class Verdict:
    """Whether a log is as it was written, and what vouches for it.

    :ivar status: ``intact``, ``tampered``, ``incomplete`` or ``unchecked``, as
        :class:`chained_logging.verify.Report` has it.
    :ivar headline: the verdict in one line.
    :ivar sentences: what it covers, and what it does not.
    :ivar faults: the first :data:`SHOWN` faults, in words.
    :ivar gaps: those of them that say that entries are missing.
    :ivar report: all that the verifier found.
    """

    status: str
    headline: str
    sentences: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    report: Report = field(default_factory=Report, repr=False)

    @property
    def intact(self) -> bool:
        """Whether everything that was checked is as it was written."""
        return self.status == "intact"

    @property
    def covered(self) -> int:
        """The last ``seq`` that something signed by the log's key vouches for; -1 without any."""
        signed = (self.report.signed_seq, self.report.signed_entry)
        return max((seq for seq in signed if seq is not None), default=-1)


def judge(
    log: str, *, origin: str | None = None, evidence: Evidence | None = None, jobs: int = 1
) -> Verdict:
    """Return the verdict on a log. Nothing is raised for what is in it.

    :param log: the path of a log, or the URL of a central store.
    :param origin: the name of the log, where a store holds several.
    :param jobs: how many processes share the work on files.
    :raises DestinationError: if a store cannot be read; also ShipError.
    """
    given = evidence or Evidence()
    if not is_url(log):
        return spoken_verdict(verify(log, jobs=jobs, **vars(given)))
    for stream, faults in CentralStores().streams(log, origin, given.public_key):
        return spoken_verdict(verify(stream=stream, also=faults, **vars(given)))
    return spoken_verdict(Report(reason="the store does not hold the log"))


def spoken_verdict(report: Report) -> Verdict:
    """Return what the verifier found, in words."""
    return Verdict(
        report.status,
        _headline(report),
        tuple(chain(_on_entries(report), _on_signatures(report), _on_others(report))),
        tuple(map(_fault, report.faults[:SHOWN])),
        tuple(_fault(fault) for fault in report.faults if fault.kind in _GAPS)[:SHOWN],
        report,
    )


def _headline(report: Report) -> str:
    if report.status == "tampered":
        return f"Tampered with: {_many(report.fault_count, 'fault', 'faults')} in the chain"
    if report.status == "incomplete":
        return f"Incomplete: {printable(report.reason or 'entries are missing')}"
    if report.status != "intact":
        return f"Not checked: {printable(report.reason or 'it could not be read')}"
    return "Intact: no entry was changed, removed or inserted"


def _fault(fault: Fault) -> str:
    place = "" if fault.seq is None else f"entry {fault.seq:,}: "
    if fault.seq is None and fault.line is not None:
        place = f"{fault.file}, line {fault.line:,}: "
    name = f" ({fault.field})" if fault.field else ""
    return printable(f"{place}{fault.kind}{name}: {fault.reason}")


def _many(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"


def _on_entries(report: Report) -> Iterator[str]:
    if report.entries and report.first_seq is not None and report.last_seq is not None:
        yield (
            f"{_many(report.entries, 'entry was', 'entries were')} checked, number "
            f"{report.first_seq:,} to {report.last_seq:,}."
        )
    if report.status == "intact" and not report.starts_at_genesis:
        yield "The log does not begin with its first entry: what came before is not checked."


def _on_signatures(report: Report) -> Iterator[str]:
    signed = [seq for seq in (report.signed_seq, report.signed_entry) if seq is not None]
    if signed and report.public_key is not None:
        name = printable(report.public_key.split("+")[0])
        yield f"Signed by {name} up to entry {max(signed):,}."
        if report.unsigned:
            yield f"{_many(report.unsigned, 'later entry is', 'later entries are')} not signed yet."
        yield (
            "The key is the one that you gave."
            if report.pinned
            else "Only the log itself says that this is its key: compare it with the one you keep."
        )
    elif report.unchecked_signatures:
        yield "There are signatures, and they could not be checked."
    elif report.entries and report.status == "intact":
        yield ("Nothing is signed: anyone who can write to the log could have rewritten all of it.")
    if report.unsigned_from is not None or report.unsigned_own:
        yield "Some entries lack the signature that others have: see chained-logging verify."
    for revoked in report.revoked:
        yield f"A key was revoked at entry {revoked['seq']:,}: what it signed proves nothing alone."


def _on_others(report: Report) -> Iterator[str]:
    for name, found in report.witnessed.items():
        yield (
            f"The witness {printable(name)} cosigned it up to entry {found['seq']:,}, "
            f"at {spoken(str(found['time']))}."
        )
    if report.unknown_witnesses:
        yield (
            f"{_many(report.unknown_witnesses, 'cosignature', 'cosignatures')} of witnesses whose "
            "keys were not given."
        )
    if report.timestamped_at is not None:
        yield (
            f"An authority timestamped it up to entry {report.timestamped_seq:,}, at "
            f"{spoken(report.timestamped_at)}."
        )
    if report.unchecked_timestamps:
        yield (
            f"{_many(report.unchecked_timestamps, 'timestamp', 'timestamps')} not checked: no root "
            "certificate was given."
        )
    if report.anchored:
        yield f"A checkpoint from elsewhere confirms it up to entry {report.anchored_seq:,}."
    elif report.entries:
        yield (
            "No checkpoint from elsewhere was given: entries cut off at the end would not be "
            "noticed."
        )
