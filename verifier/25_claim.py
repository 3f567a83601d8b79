# What the manifest of a package claims: which entries it holds, of how many, by which filter, and
# how a sample was drawn. And what a check of it reports.

MAX_SAMPLE = 10_000
_README = """\
Evidence from the audit log {origin}.
{statement}
The entries are in entries.jsonl, one a line, with the bytes that the log holds.
The checkpoint in checkpoint.note is signed, and covers the first {size:,} entries of the log.
The hashes in proof.txt show that each entry here is one of these, at its place.
{meaning}
To check all of it, with Python 3.9 or later: python3 verify.py --evidence evidence.zip
Signatures need the package cryptography. The report says what was not checked.
Get verify.py and the log's public key from elsewhere too, and add: --public-key FILE
Exit status 0: all is as the log has it. 1: something was changed or left out. 2: not checked.
"""


def _drawn(root: bytes, population: int, count: int) -> list[int]:
    """Return which numbers below `population` the root of a checkpoint draws."""
    if count >= population:
        return list(range(population))
    found: set[int] = set()
    for number in itertools.count():
        text = b"chained-logging sample v1\n" + root + number.to_bytes(8, "big")
        found.add(int(_sha256(text).hexdigest(), 16) % population)
        if len(found) == count:
            break
    return sorted(found)


@dataclass
class EvidenceReport(Report):
    """What the verification of a package of evidence found.

    Entries, ``first_seq`` and ``last_seq`` are those of the package.
    """

    size: int | None = None
    """How many entries the log had at the checkpoint."""
    statement: str | None = None
    """How many of these entries are here, and by which filter they were chosen."""
    whole: bool = False
    """Whether nothing is left out from ``first_seq`` to ``last_seq``."""
    around: list[str] = field(default_factory=list)
    """Of a period, the entries just before and after it, with their times."""
    claim_signed: bool | None = False
    """Whether the log's key signed the claim: filter, sample, and the hash of each file. None where
    the signature could not be checked."""
    unproven: list[str] = field(default_factory=list)
    """What the package claims, or could be taken to show, and nothing in it proves."""


class _Claim:
    """What the manifest of a package says of its selection.

    :raises _Bad: if it is not a manifest, or contradicts itself.
    """

    def __init__(self, data: bytes) -> None:
        said = _parse(data, exactly=True)
        if said.get("format") != _FORMAT:
            raise _Bad(None, f"its format is not {_FORMAT}")
        try:
            self.origin, self.root = str(said.pop("origin")), _unbase64(said.pop("root"))
            self.statement, text = str(said.pop("statement")), str(said.pop("filter"))
            numbers = ("entries", "population", "size", "first_seq", "last_seq", "sample", "purged")
            found = {name: said.pop(name) for name in numbers if name in said}
            if any(type(number) is not int or number < 0 for number in found.values()):
                raise ValueError
            self.entries, self.population = found["entries"], found["population"]
            self.size, self.sample = found["size"], found.get("sample")
            self.first, self.last = found.get("first_seq"), found.get("last_seq")
            self.purged = found.get("purged")
            self.files = {str(name): str(hash_) for name, hash_ in said.pop("files").items()}
        except (AttributeError, KeyError, TypeError, ValueError):
            raise _Bad(None, "its fields are not those of a manifest") from None
        if {*said} != {"format"}:
            raise _Bad(None, "it has other fields than a manifest")
        self.filter = _Filter(text)
        if not self._agrees():
            raise _Bad(None, "its numbers contradict each other, or its filter")
        self.expected = self._expected()

    def _agrees(self) -> bool:
        first, last = self.first, self.last
        if self.purged is not None and not (
            self.filter.is_period and 0 < self.purged <= self.entries
        ):
            return False  # only of a period it is known which stubs belong to it
        if self.filter.is_period:
            ends = first is not None and last is not None and first <= last < self.size
            agrees = ends and self.population == (last or 0) - (first or 0) + 1
        else:
            agrees = first is None and last is None and self.population <= self.size
        if self.sample is None:
            return agrees and self.entries == self.population > 0
        right = 0 < self.sample <= MAX_SAMPLE
        return agrees and right and 0 < self.entries == min(self.sample, self.population)

    def _expected(self) -> Sequence[int] | None:
        """Return which entries must be here; None where the filter alone does not tell."""
        if self.first is None or self.last is None:
            return None
        if self.sample is None:
            return range(self.first, self.last + 1)
        return [self.first + at for at in _drawn(self.root, self.population, self.sample)]

    @property
    def edges(self) -> dict[int, bool]:
        """Of a period, the entries at its ends and beside them, and whether they must fit."""
        if self.first is None or self.last is None:
            return {}
        beside = {self.first - 1: False, self.last + 1: False}
        edges = {**beside, self.first: True, self.last: True}
        return {seq: fits for seq, fits in edges.items() if 0 <= seq < self.size}

    def reaches(self, seq: int) -> bool:
        """Whether an entry is of the period, or beside it."""
        if self.first is None or self.last is None:
            return False
        return bool(self.first - 1 <= seq <= self.last + 1)

    def sentence(self) -> str:
        how = "chosen by this filter"
        if self.sample is not None:
            how = f"drawn from the {self.population:,} that this filter chooses"
        head = f"{self.entries:,} of {self.size:,} entries of this log, "
        if self.purged is not None:
            head += f"{self.purged:,} of them purged, "
        return f"{head}{how}: {self.filter.words}"

    def readme(self) -> str:
        meaning = "That no other entry fits the filter cannot be seen from here: ask for a period."
        if self.sample is not None:
            meaning = "The root of the checkpoint drew the sample. docs/format.md has the steps."
        elif self.filter.is_period:
            meaning = f"Nothing is left out from seq {self.first} to seq {self.last}: "
            meaning += "verify.py checks it."
        return _README.format(
            origin=self.origin, statement=self.sentence(), size=self.size, meaning=meaning
        )

    def unproven(self) -> Iterator[str]:
        """Yield what the selection leaves open, whatever is found."""
        if not self.filter.is_period:
            what = "that no other entry of the log fits the filter"
            if self.sample is not None:
                what += f", nor that the sample is drawn from just the {self.population:,} that fit"
            yield what + ": that needs the log, or a period"
        elif self.filter.since is not None or self.filter.until is not None:
            yield (
                "that no entry before or after these numbers bears a time of this period: order is "
                "seq, and the clock of who reported an event may have been wrong"
            )
