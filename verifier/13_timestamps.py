# Timestamps (RFC 3161), by the program openssl.

_CLOCK_STEP = 300  # seconds that a timestamp may be ahead of this computer's clock
_DIGEST = re.compile(r"digestAlgorithm:\s*algorithm: (\S+)")
_STRONG = ("sha256", "sha384", "sha512")
_STAMP = re.compile(r"^Time stamp: (\w+ +\d+ [\d:]+)(?:\.\d+)? (\d+) GMT$", re.M)


def _timestamp_time(note: bytes, timestamp: str, roots: bytes) -> str | None:
    """Return when an authority says that a note existed (RFC 3161), checked by ``openssl ts``.

    The certificates must have been valid at that time, and may have expired since. RSA below 2,048
    bits and SHA-1 are refused (ETSI EN 319 422 by way of TS 119 312; NIST SP 800-131A).

    :param timestamp: the authority's response, in base64.
    :returns: None if the program ``openssl`` is missing.
    :raises _Bad: if the timestamp does not hold.
    """
    openssl = shutil.which("openssl")
    if openssl is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        files = [os.path.join(folder, name) for name in ("note", "response", "roots")]
        try:
            response = base64.b64decode(timestamp, validate=True)
        except ValueError:
            raise _Bad(None, "it is not base64") from None
        for name, data in zip(files, (note, response, roots)):  # noqa: B905  # Python 3.9
            with open(name, "wb") as file:
                file.write(data)

        def run(*arguments: str) -> str:
            # Only the names of our own files are arguments: nothing of the log is.
            done = subprocess.run(  # noqa: S603
                [openssl, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                env={**os.environ, "LC_ALL": "C"},
            )
            if done.returncode:
                lines = done.stderr.decode("utf-8", "replace").split("\n")
                why = [line for line in lines if ":error:" in line.lower() or "error:" in line]
                raise _Bad(None, (why or lines)[0][:300] or "openssl refuses it")
            return done.stdout.decode("utf-8", "replace")

        # Take the last one: the status, which an attacker can write, comes before the signed part.
        said = _STAMP.findall(run("ts", "-reply", "-in", files[1], "-text"))
        try:
            stated = datetime.datetime.strptime(" ".join(said[-1]), "%b %d %H:%M:%S %Y")
        except (IndexError, ValueError):
            raise _Bad(None, "it states no time") from None
        stated = stated.replace(tzinfo=datetime.timezone.utc)
        # Level 2 is 112 bits: no RSA below 2,048 bits and no certificate signed over SHA-1.
        at = ["-attime", str(int(stated.timestamp())), "-auth_level", "2"]
        run("ts", "-verify", "-data", files[0], "-in", files[1], "-CAfile", files[2], *at)
        run("ts", "-reply", "-in", files[1], "-token_out", "-out", files[0])
        shown = run("cms", "-cmsout", "-noout", "-print", "-inform", "DER", "-in", files[0])
        digests = _DIGEST.findall(shown)
        if not digests or any(name.lower() not in _STRONG for name in digests):
            raise _Bad(None, f"it is signed over {', '.join(digests) or 'an unknown hash'}")
    if stated.timestamp() > time.time() + _CLOCK_STEP:
        raise _Bad(None, "it states a time in the future of this computer's clock")
    return stated.strftime("%Y-%m-%dT%H:%M:%SZ")
