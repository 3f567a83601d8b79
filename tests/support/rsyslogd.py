"""A real rsyslogd with a configuration of ``examples/rsyslog``."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from folders import ROOT
from programs import Child

EXAMPLES = ROOT / "examples" / "rsyslog"


class Rsyslog(Child):
    """An rsyslogd with one of the examples, of which paths, ports and names alone are changed."""

    def __init__(self, folder: Path, example: str, changes: dict[str, str]) -> None:
        self.folder = folder
        text = (EXAMPLES / example).read_text()
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        folder.mkdir()
        self._config = folder / "rsyslog.conf"
        self._config.write_text(text)
        self._errors = folder / "errors"

    def start(self) -> None:
        """Start it in an empty working directory, as the service file does."""
        shutil.rmtree(self.folder / "work", ignore_errors=True)
        (self.folder / "work").mkdir()
        self.run(["rsyslogd", "-n", "-iNONE", "-f", self._config], self._errors)

    def stop(self) -> None:
        """Stop it in order."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(30)
        self._process = None

    def errors(self) -> str:
        return self._errors.read_text()


def make_certificates(folder: Path) -> None:
    """Make an authority, and a certificate for the two names, which here are one host."""

    def openssl(*arguments: object) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    ca, ca_key = folder / "ca.pem", folder / "ca-key.pem"
    cert, key, request = folder / "cert.pem", folder / "key.pem", folder / "request.pem"
    openssl(*new, "-x509", "-days", 2, "-subj", "/CN=ca", "-keyout", ca_key, "-out", ca)
    openssl(*new, "-subj", "/CN=logs.example.com", "-keyout", key, "-out", request)
    names = folder / "names"
    names.write_text("subjectAltName=DNS:logs.example.com,IP:127.0.0.1")
    openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial",
            "-days", 2, "-extfile", names, "-out", cert)  # fmt: skip
