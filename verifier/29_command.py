# The command.

_CENTRAL = "a URL is central storage: the command chained-logging verify reads it"  # no password


class Stores:
    """How logs in central storage are read. This file alone cannot: the package gives its own."""

    def streams(
        self, url: str, origin: str | None, public_key: str | None = None
    ) -> Iterator[tuple[Stream, Iterable[Fault]]]:
        """Yield each log that a store holds, and what is wrong with the store.

        :param public_key: the file of a log's first key, by which the log is told from others of
            its name that somebody else may have put there.
        """
        raise _Unchecked(_CENTRAL)

    def differences(self, log: str, url: str, origin: str | None) -> tuple[list[Fault], int, str]:
        """Return how a store differs from a log, how far it is behind, and its name."""
        raise _Unchecked(_CENTRAL)


def main(argv: list[str] | None = None, stores: Stores | None = None) -> int:
    """Run the command and return its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["--part"]:  # a process that --jobs started
        print(json.dumps(_found_in_part(json.load(sys.stdin))))
        return 0
    parser = _parser()
    try:
        options = parser.parse_args(argv)
        if [*map(bool, (options.log, options.proof, options.evidence))].count(True) != 1:
            parser.error("name a log, or a proof with --proof, or evidence with --evidence")
    except SystemExit as stop:
        return 2 if stop.code else 0
    try:
        status = _status(options, stores or Stores())
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return 2
    except BrokenPipeError:  # `verify LOG | head`: nobody read the verdict
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        return 2


def _status(options: argparse.Namespace, stores: Stores) -> int:
    if options.evidence:
        return _run_evidence(options)
    return _run_proof(options) if options.proof else _run(options, stores)


def _bytes_of(path: str) -> bytes:
    _check_regular(path)  # a pipe might never end, or never begin
    with open(path, "rb") as file:
        return file.read(2 * MAX_NOTE)


def _check_applicable(options: argparse.Namespace, to: str) -> None:
    """Refuse an option that would be ignored."""
    for option in OPTIONS:
        given = getattr(options, option.name)
        applies = option.of_proof or (option.of_evidence and options.evidence)
        said = given is not None and given is not False and given != []
        if said and not applies and option.flag not in ("--proof", "--evidence"):
            raise _Unchecked(f"{option.flag} does not apply to {to}")


def _run_evidence(options: argparse.Namespace) -> int:
    teller = _Teller(options.json)
    try:
        _check_applicable(options, "evidence")
        report = verify_evidence(
            options.evidence,
            on_fault=teller.fault,
            checkpoints=options.checkpoint,
            **_trusted(options),
            origin=options.origin,
            entry_hash=options.to_hash,
        )
    except (_Unchecked, OSError) as error:
        report = EvidenceReport(reason=str(error))
    teller.end()
    _show_report(report, options, None, None)
    return {"intact": 0, "tampered": 1}.get(report.status, 2)


def _run_proof(options: argparse.Namespace) -> int:
    try:
        _check_applicable(options, "a proof")
        if len(options.checkpoint) > 1:
            raise _Unchecked("a proof takes one checkpoint at most")
        found = verify_proof(
            _bytes_of(options.proof),
            _text_of(options.public_key) if options.public_key is not None else None,
            _bytes_of(options.checkpoint[0]) if options.checkpoint else None,
            witness_keys=[_given_key(given) for given in options.witness_key],
            origin=options.origin,
            entry_hash=options.to_hash,
        )
    except (_Unchecked, OSError) as error:
        found = {"status": "unchecked", "reason": str(error)}
    _show_proof(found, options)
    return {"proven": 0, "refuted": 1}.get(found["status"], 2)


def _show_proof(found: dict[str, Any], options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(found))
    elif found["status"] != "proven":
        word = "NOT CHECKED" if found["status"] == "unchecked" else "REFUTED"
        print(_shown(f"{word}: {found['reason']}"), file=sys.stderr)
    elif not options.quiet:
        print("PROVEN")
        if "entry" in found:
            print(f"  this entry is in the log {_shown(found['origin'])}:")
            print("  " + _shown(found["entry"]))
        else:
            what = f"its first {found['size']:,} entries begin with its first {found['old_size']:,}"
            print(f"  of the log {_shown(found['origin'])}, {what}")
        for name, at in found["witnessed"].items():
            print(f"  witnessed by {_shown(name)}, at {at}")


def _text_of(path: str) -> str:
    return _bytes_of(path).decode("utf-8", "replace")


def _given_key(given: str) -> str:
    """Return a witness's key that is on the command line, or in a file, also below PEM."""
    text = given if re.fullmatch(_VKEY, given) else _text_of(given)
    vkeys = [line for line in map(str.strip, text.splitlines()) if re.fullmatch(_VKEY, line)]
    return vkeys[0] if len(vkeys) == 1 else text


def _trusted(options: argparse.Namespace) -> dict[str, Any]:
    """Return the keys and certificates that were given, read from their files."""
    key, roots = options.public_key, options.timestamp_root
    return {
        "public_key": None if key is None else _text_of(key),
        "witness_keys": [_given_key(given) for given in options.witness_key],
        "timestamp_roots": None if roots is None else _bytes_of(roots),
    }


_VKEY = r"[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+={0,2}"
_RESTORING = ".restoring"  # at the end of the name of a folder in which a log is restored


def _check_finished(paths: list[str]) -> None:
    """Refuse what an interrupted restore left behind: it is not a log yet."""
    for path in paths:
        target = os.path.realpath(path)
        within = _RESTORING + os.sep in target + os.sep
        beside = target + _RESTORING
        if within or (os.path.isdir(beside) and {*os.listdir(beside)} - {"lock"}):
            raise _Unchecked(f"{path} is not restored yet: run the command restore again")


def _run(options: argparse.Namespace, stores: Stores) -> int:
    """Check files as one log, and each log of each folder and store by itself."""
    folders = [log for log in options.log if os.path.isdir(log)]
    urls = [log for log in options.log if "://" in log]
    files = [log for log in options.log if log not in folders and log not in urls]
    worst = 0
    try:
        _check_finished(files + folders)
        if options.origin is not None and not (options.against or urls):
            raise _Unchecked("--origin chooses among the logs of a store, and no store is named")
        if options.against and (len(files) != 1 or files != options.log):
            raise _Unchecked("--against compares one log, named by its file, and nothing else")
        if files:
            worst = _check_files(options, files, stores)
        for folder in folders:
            worst = max(worst, _check_folder(options, folder))
        for url in urls:
            for stream, faults in stores.streams(url, options.origin, options.public_key):
                worst = max(worst, _check(options, [], stream, faults))
    except BrokenPipeError:
        raise
    except (_Unchecked, OSError, ValueError, ImportError) as problem:
        print(f"NOT CHECKED: {_shown(problem)}", file=sys.stderr)
        return 2
    return worst


def _check_files(options: argparse.Namespace, files: list[str], stores: Stores) -> int:
    if not options.against:
        return _check(options, files)
    found, behind, name = stores.differences(files[0], options.against, options.origin)
    compared = f"compared with {name}, which is {behind:,} entries behind"
    return _check(options, files, None, found, compared)


def _check_folder(options: argparse.Namespace, folder: str) -> int:
    worst = 0
    logs, skipped = _logs_in(folder)
    for name, log, beside in logs:
        gone = None if log else Stream(name.rstrip(os.sep), ())
        worst = max(worst, _check(options, log, gone, beside=beside))
    for what in skipped:
        print(_shown(f"NOTE: skipped {what}"), file=sys.stderr)
    if not logs:
        raise _Unchecked(f"there is no log in {folder} but what was skipped")
    return worst


class _Teller:
    """Tells a person of faults and progress, while a log is read."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.started, self.faults = time.monotonic(), 0

    def fault(self, fault: Fault) -> None:
        self.faults += 1
        if not self.quiet and self.faults <= MAX_SHOWN:
            print(("FIRST BREAK  " if self.faults == 1 else "BREAK        ") + _describe(fault))

    def progress(self, count: int, share: float | None) -> None:
        passed = max(time.monotonic() - self.started, 0.001)
        left = f", {passed / share - passed:,.0f} s left" if share else ""
        text = f"\r{count:,} entries, {count / passed:,.0f}/s{left}\x1b[K"
        print(text, end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self.faults > MAX_SHOWN and not self.quiet:
            print(f"and {self.faults - MAX_SHOWN:,} more, which --json lists")
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr)


def _check(
    options: argparse.Namespace,
    files: list[str],
    stream: Stream | None = None,
    also: Iterable[Fault] = (),
    compared: str | None = None,
    beside: Sequence[str] = (),
) -> int:
    """Check one log, say what was found, and return the exit status."""
    teller = _Teller(options.json)
    try:
        trusted = _trusted(options)
    except (_Unchecked, OSError) as error:
        print(f"NOT CHECKED: {_shown(error)}", file=sys.stderr)
        return 2
    report = verify(
        *files,
        from_hash=options.from_hash,
        to_hash=options.to_hash,
        on_fault=teller.fault,
        progress=teller.progress if sys.stderr.isatty() else None,
        jobs=options.jobs or _processors(),
        careful=options.careful,
        checkpoints=options.checkpoint,
        max_gap=options.max_gap,
        **trusted,
        stream=stream,
        also=also,
        beside=beside,
        max_faults=sys.maxsize if options.json else MAX_FAULTS,
    )
    teller.end()
    several = stream is not None or beside or any(map(os.path.isdir, options.log))
    name = stream.name if stream else files[0]
    _show_report(report, options, name if several else None, compared)
    return {"intact": 0, "tampered": 1, "incomplete": 1}.get(report.status, 2)


def _show_report(
    report: Report, options: argparse.Namespace, name: str | None, compared: str | None
) -> None:
    if options.json:
        print(json.dumps(report.to_dict()))
    elif not (options.quiet and report.intact):
        out = sys.stderr if report.status == "unchecked" else sys.stdout
        if isinstance(report, EvidenceReport):
            lines = _summary_of_evidence(report)
        else:
            lines = _summary(report)
        if compared is not None:
            lines.append(f"  {compared}")
        if name is not None:
            lines[0] += f": {name}"
        for line in lines:
            print(_shown(line), file=out)
    sys.stdout.flush()
    for remark in report.remarks:
        print(_shown(f"NOTE: {remark}"), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
