# What is found, and in which words a program is told of it.

__all__ = ["Fault", "Report", "Stream", "main", "verify", "verify_evidence", "verify_proof"]

MAX_BODY = 65_535
MAX_LINE = MAX_BODY + 200  # a body with its hash and signature is at most 178 bytes longer
MAX_FAULTS = 10_000  # kept in a report; all are counted
MAX_HOLES = 10_000
FOREIGN = "foreign"  # the kind of what anybody may have added to a store: not a fault of the log
GENESIS = "GENESIS"
_HEX64 = re.compile("[0-9a-f]{64}")


@dataclass
class Fault:
    """One break of the chain or of the format."""

    kind: str
    """``edited``, ``missing``, ``inserted``, ``reordered``, ``duplicated``, ``cut-front``,
    ``cut-tail``, ``torn``, ``malformed``, ``unreadable``; ``rewritten`` (a checkpoint contradicts
    the entries), ``signature``, ``timestamp``, ``key``, ``checkpoint`` (it is not a checkpoint),
    ``retention`` (nothing explains a stub, or what would explain it breaks a rule), ``silence``, or
    a kind that a central store reports."""
    file: str
    line: int | None
    """The line in that file (the row in a database), from 1."""
    seq: int | None
    field: str | None
    """The field in doubt, where it can be told."""
    reason: str


@dataclass
class Report:
    """What a verification found."""

    status: str = "unchecked"
    """``intact``; ``tampered``; ``incomplete``, where entries are missing at the front or the last
    line is torn, and what is here was not changed; or ``unchecked``."""
    reason: str | None = None
    """Why the log could not be checked, or what is missing."""
    entries: int = 0
    first_seq: int | None = None
    last_seq: int | None = None
    first_hash: str | None = None
    first_prev_hash: str | None = None
    last_hash: str | None = None
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    origin: str | None = None
    incomplete: int = 0
    """Entries that lacked a required field when they were recorded (``context.invalid``)."""
    oversize: int = 0
    """Entries with a value too large to keep (``context.oversize``)."""
    stubs: int = 0
    """Entries that were removed and of which a stub is here; ``entries`` leaves them out."""
    purged: list[dict[str, Any]] = field(default_factory=list)
    """By the policy under which entries were removed: ``policy``, ``standard``, ``clause``, how
    many ``entries`` are stubs now, how many entries of the log say so (``applies``), the first and
    the last of these (``first_by``, ``last_by``), and whether the log's key ``signed`` them: None
    where that could not be checked."""
    starts_at_genesis: bool = False
    anchored: bool = False
    """Whether a hash kept elsewhere was given and found."""
    anchored_seq: int | None = None
    public_key: str | None = None
    """The log's first public key, as a C2SP ``vkey``."""
    pinned: bool = False
    """Whether the key that was given from outside is one of the log's."""
    checkpoints: int = 0
    """Checkpoints whose root is that of the entries they cover."""
    signed_seq: int | None = None
    """Up to where checkpoints of the log's own keys vouch for it, signatures checked."""
    signed_entry: int | None = None
    """The last entry with a signature of its own (``sign="each"``) that the log's key made."""
    unsigned: int | None = None
    """Entries after the last checkpoint and the last such signature, for which nothing signed
    vouches; None where signatures could not be checked."""
    unsigned_from: int | None = None
    """If entries have signatures: the first later entry of a caller that has no signature. Somebody
    without the key can write such entries, and the log's writer may sign after them."""
    unsigned_own: int = 0
    """If entries have signatures: how many in the log's own name lack one."""
    unsigned_own_from: int | None = None
    """The first of these."""
    pinned_seq: int | None = None
    """The entry that names the key that was given: 0, or later if it is not the first."""
    revoked: list[dict[str, Any]] = field(default_factory=list)
    """Keys that were revoked: ``key``, the ``seq`` of the revocation, and whether it is ``signed``
    by the log's key. What such a key signed proves nothing by itself, and ``signed_seq`` and
    ``signed_entry`` leave it out."""
    witnessed: dict[str, Any] = field(default_factory=dict)
    """By the name of each witness whose key was given: up to which ``seq``, and at what ``time``,
    it cosigned."""
    foreign: int = 0
    """Items in a store that are not checkpoints, or that no key of the log signed. Anyone who may
    add to the store can put them there, and they are ignored."""
    unknown_witnesses: int = 0
    """Cosignatures of witnesses whose keys were not given."""
    timestamped_seq: int | None = None
    """Up to where an authority whose root was given says that the log existed."""
    timestamped_at: str | None = None
    """When, by the newest such timestamp."""
    unchecked_timestamps: int = 0
    """Timestamps that were there, and no root was given to check them."""
    unchecked_signatures: int = 0
    """Signatures that were there and could not be checked."""
    fault_count: int = 0
    faults: list[Fault] = field(default_factory=list)
    """The first 10,000 faults."""
    files: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """Facts that are not faults, such as files that are copies and were left out."""

    @property
    def intact(self) -> bool:
        """Whether everything that was checked is as it was written."""
        return self.status == "intact"

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {"status": self.status, "intact": self.intact, **asdict(self)}


class _Unread(Exception):
    """The rest of a file is not worth reading: what is wrong with it is named."""


class _Moved(Exception):
    """The log was written to in such a way that it must be read again."""


class _Unchecked(Exception):
    """The log cannot be checked; the message is for a person."""


class _Bad(ValueError):
    """A body that breaks a rule: which field, and how."""

    def __init__(self, name: str | None, reason: str) -> None:
        super().__init__(reason)
        self.field = name
        self.reason = reason
