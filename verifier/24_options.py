# The options of the command. One table makes the parser here, and the command's own in the package.


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
    """What its value is; None if it takes none."""
    help: str
    read: Callable[[str], Any] = str
    many: bool = False
    """Whether it may be given more than once."""
    of_proof: bool = False
    """Whether it says something of a proof too."""


OPTIONS = (
    Option("--proof", "FILE", "Check the proof in FILE, without a log."),
    Option("--json", None, "Print the report as JSON, with every fault.", of_proof=True),
    Option("--quiet", None, "Print nothing if all is well.", of_proof=True),
    Option("--from-hash", "HEX", "The last hash of what came before these files.", _hash),
    Option(
        "--to-hash",
        "HEX",
        "A hash kept elsewhere, which the log must hold; of a proof, the entry's hash.",
        _hash,
        of_proof=True,
    ),
    Option(
        "--jobs",
        "N",
        "Share the work between N processes. By default, between all processors.",
        _jobs,
    ),
    Option(
        "--checkpoint",
        "FILE",
        "A checkpoint kept elsewhere, which the log must extend. Repeatable.",
        many=True,
        of_proof=True,
    ),
    Option(
        "--public-key",
        "FILE",
        "The log's public key, kept elsewhere, as PEM or vkey: its first, or a later one.",
        of_proof=True,
    ),
    Option(
        "--witness-key",
        "VKEY",
        "The key of a witness, or a file with it, which must have cosigned. Repeatable.",
        many=True,
        of_proof=True,
    ),
    Option(
        "--timestamp-root",
        "FILE",
        "Root certificates in PEM, one of which must vouch for a timestamp.",
    ),
    Option("--max-gap", "S", "Name each time of more than S seconds without an entry.", _seconds),
    Option("--against", "URL", "Compare the log with a central store, and name what differs."),
    Option("--origin", "NAME", "Of the logs in a store, check only the log NAME.", of_proof=True),
    Option(
        "--careful",
        None,
        "Check each line the slow way, and every signature and timestamp.",
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
    for flag, metavar, help_, read, many, _ in OPTIONS:
        if metavar is None:
            parser.add_argument(flag, action="store_true", help=help_)
        elif many:
            parser.add_argument(
                flag, metavar=metavar, type=_reader(read), help=help_, action="append", default=[]
            )
        else:
            parser.add_argument(flag, metavar=metavar, type=_reader(read), help=help_)
    return parser
