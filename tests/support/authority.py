"""A timestamp authority of the tests' own: ``openssl ts``, and a web server on 127.0.0.1."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import oracles

from chained_logging.transparency import timestamps

x509 = oracles.module("cryptography.x509")
ec = oracles.module("cryptography.hazmat.primitives.asymmetric.ec")
hashes = oracles.module("cryptography.hazmat.primitives.hashes")
serialization = oracles.module("cryptography.hazmat.primitives.serialization")

PURPOSES = x509.oid.ExtendedKeyUsageOID
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


def ssl(*arguments: str | Path, given: bytes | None = None) -> bytes:
    command = [oracles.openssl(), *map(str, arguments)]
    done = subprocess.run(command, input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


# --- Certificates.


class Issued:
    """A certificate and its key; what `by` has issued, or a root."""

    def __init__(
        self,
        name: str,
        by: Issued | None = None,
        *,
        ca: bool = False,
        purposes: tuple[Any, ...] | None = (PURPOSES.TIME_STAMPING,),
        critical: bool = True,
        valid: tuple[datetime, datetime] = (NOW - DAY, NOW + DAY),
        like: Issued | None = None,
        key: Any = None,
    ) -> None:
        self.key: Any = like.key if like else key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        serial = like.certificate.serial_number if like else x509.random_serial_number()
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(by.certificate.subject if by else subject)
            .public_key(self.key.public_key())
            .serial_number(serial)
            .not_valid_before(valid[0])
            .not_valid_after(valid[1])
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=not ca,
                    key_cert_sign=ca,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    crl_sign=False,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
        )
        # As real ones have: by name alone OpenSSL cannot tell two roots of one name apart.
        identifier = x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key((by or self).key.public_key())
        builder = builder.add_extension(identifier, critical=False)
        builder = builder.add_extension(issuer, critical=False)
        if not ca and purposes:
            builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=critical)
        self.certificate: Any = builder.sign((by or self).key, hashes.SHA256())
        self.pem: bytes = self.certificate.public_bytes(serialization.Encoding.PEM)
        self.der: bytes = self.certificate.public_bytes(serialization.Encoding.DER)

    def sign_over_sha1(self, by: Issued, folder: Path) -> None:
        """Have the certificate made again by a program: libraries no longer do it."""
        by.write(folder)
        request = x509.CertificateSigningRequestBuilder().subject_name(self.certificate.subject)
        signed = request.sign(self.key, hashes.SHA256())
        (folder / "csr.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        (folder / "extensions").write_text(
            "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
            "extendedKeyUsage=critical,timeStamping\nauthorityKeyIdentifier=keyid\n"
        )
        self.pem = ssl(
            *("x509", "-req", "-sha1", "-in", folder / "csr.pem", "-days", "1"),
            *("-CA", folder / "tsa.pem", "-CAkey", folder / "tsa.key", "-set_serial", "77"),
            *("-extfile", folder / "extensions"),
        )
        self.certificate = x509.load_pem_x509_certificate(self.pem)
        self.der = self.certificate.public_bytes(serialization.Encoding.DER)

    def write(self, folder: Path) -> None:
        (folder / "tsa.pem").write_bytes(self.pem)
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        key = self.key.private_bytes(pem, pkcs8, serialization.NoEncryption())
        (folder / "tsa.key").write_bytes(key)


# --- The authority.


class Authority:
    """Answers requests with ``openssl ts``."""

    CONFIGURATION = """\
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha1, sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""

    def __init__(self, folder: Path, signer: Issued, **options: str) -> None:
        oracles.openssl()  # here and not in a server's thread, where nothing can be skipped
        self.folder = folder
        folder.mkdir(exist_ok=True)
        signer.write(folder)
        (folder / "serial").write_text("01\n")
        text = self.CONFIGURATION.format(folder=folder)
        for name, value in options.items():
            text = re.sub(f"^{name} = .*\n", "", text, flags=re.MULTILINE) + f"{name} = {value}\n"
        (folder / "tsa.cnf").write_text(text)

    def answer(self, request: bytes) -> bytes:
        (asked := self.folder / "asked.tsq").write_bytes(request)
        reply = self.folder / "reply.tsr"
        ssl("ts", "-reply", "-config", self.folder / "tsa.cnf", "-queryfile", asked, "-out", reply)
        return reply.read_bytes()

    def stamp(self, note: bytes) -> bytes:
        return self.answer(timestamps.request(note))


class Web:
    """A web server in front of an authority, which can misbehave."""

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler, bytes], None]) -> None:
        self.answer = answer
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                web.asked.append((dict(self.headers), self.path, body))
                try:
                    web.answer(self, body)
                except OSError:  # the client has left
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self.asked: list[tuple[dict[str, str], str, bytes]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = False  # so that closing waits for them
        self.url = f"http://127.0.0.1:{self.server.server_port}/tsa?key=1234"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))

    def __enter__(self) -> Web:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


def reply(
    handler: BaseHTTPRequestHandler,
    body: bytes,
    status: int = 200,
    kind: str = "application/timestamp-reply",
    **headers: str,
) -> None:
    handler.send_response(status)
    for name, value in {
        "Content-Type": kind,
        "Content-Length": str(len(body)),
        **headers,
    }.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)
