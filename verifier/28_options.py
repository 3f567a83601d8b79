# The options of the command. The parser here and the package's command are made from one table.


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        value = float(text)
        if 0 <= value < float("inf"):  # which NaN is not either
            return value
    raise ValueError("the gap must be a number of seconds, 0 or more")


class Option(NamedTuple):
    """An option of the command."""

    flag: str
    metavar: str | None
    """What its value is; None for a flag."""
    help: str
    read: Callable[[str], Any] = str
    many: bool = False
    """Whether it may be given more than once."""
    of_proof: bool = False
    """Whether it applies to proofs too."""
    of_evidence: bool = False
    """Whether it applies to packages of evidence, beside what applies to proofs."""

    @property
    def name(self) -> str:
        """What the parser calls its value."""
        return self.flag[2:].replace("-", "_")


OPTIONS = (
    Option("--proof", "FILE", "Check the proof in FILE, without a log."),
    Option("--evidence", "FILE", "Check the package of evidence in FILE, without a log."),
    Option("--json", None, "Print the report as JSON, with every fault.", of_proof=True),
    Option("--quiet", None, "Print nothing if all is well.", of_proof=True),
    Option("--from-hash", "HEX", "Hash of the last entry before these files.", _hash),
    Option(
        "--to-hash",
        "HEX",
        "Hash of an entry, kept elsewhere. The log, proof or evidence must hold that entry.",
        _hash,
        of_proof=True,
    ),
    Option("--jobs", "N", "Number of processes. The default is one for each processor.", _jobs),
    Option(
        "--checkpoint",
        "FILE",
        "File with a checkpoint kept elsewhere, which the log must extend. Repeatable.",
        many=True,
        of_proof=True,
    ),
    Option(
        "--public-key",
        "FILE",
        "File with the log's first public key or a later one, kept elsewhere, as PEM or vkey.",
        of_proof=True,
    ),
    Option(
        "--witness-key",
        "VKEY",
        "Public key of a required witness, as a vkey or a file with one. Repeatable.",
        many=True,
        of_proof=True,
    ),
    Option(
        "--timestamp-root",
        "FILE",
        "File with root certificates in PEM. One of them must vouch for a timestamp of the log.",
        of_evidence=True,
    ),
    Option(
        "--max-gap",
        "SECONDS",
        "Report each gap between entries that is longer than this.",
        _seconds,
    ),
    Option("--against", "URL", "Compare the log with a central store, and report what differs."),
    Option(
        "--origin",
        "NAME",
        "Name of the log: the only one to check in a store, and the one that a proof must be of.",
        of_proof=True,
    ),
    Option(
        "--careful",
        None,
        "Take no shortcuts: parse every line, and check every signature and timestamp.",
    ),
)


def _reader(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a function that reads a value, and says in its own words what is wrong with it."""

    def convert(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="verify", description="Check an audit log.")
    parser.add_argument("log", nargs="*", help="A log, or files that hold one, in any order.")
    for flag, metavar, help_, read, many, *_ in OPTIONS:
        if metavar is None:
            parser.add_argument(flag, action="store_true", help=help_)
        elif many:
            parser.add_argument(
                flag, metavar=metavar, type=_reader(read), help=help_, action="append", default=[]
            )
        else:
            parser.add_argument(flag, metavar=metavar, type=_reader(read), help=help_)
    return parser
