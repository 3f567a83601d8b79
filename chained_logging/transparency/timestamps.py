"""RFC 3161 timestamps of a checkpoint: somebody outside states when it existed.

A timestamp authority (TSA) signs the SHA-256 of a note and the time. Those who trust the authority
know from then on that the note, and with it every entry that the checkpoint vouches for, existed
at that time, whatever becomes of the log's own keys and of those who hold them. The authority
learns no more than a hash.

What is timestamped are the bytes of the signed note, with its signature lines. Another signature
under the note makes other bytes, so cosignatures are collected first, and the note is kept as it
was sent. The response is kept whole, beside it, as the text that :func:`encode` returns. Checking
it needs no network: it only needs the authority's root certificate, obtained apart from the log.
``openssl ts -verify -data NOTE -in RESPONSE -CAfile ROOT`` says the same.

The package `rfc3161-client` parses and verifies: ``pip install chained_logging[timestamp]``. What
RFC 3161 and RFC 5816 ask for beyond what it does is done here.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from chained_logging.errors import ChainedLoggingError, NetError, TooLong, Unreachable
from chained_logging.net.client import Client

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from rfc3161_client import TimeStampRequest, TimeStampResponse

MAX_RESPONSE: Final = 262_144
"""The longest response in bytes. Those met have 1,000 to 10,000."""


CLOCK_STEP: Final = 300
"""By how many seconds a timestamp may be ahead of this machine's clock."""

_MIN_RSA: Final = 2048


class TimestampError(ChainedLoggingError, ValueError):
    """Something is not a timestamp, or a timestamp does not hold."""


# --- Asking for one.


def request(note: bytes) -> bytes:
    """Return a request for a timestamp of `note`, in DER, to be sent to any authority.

    It has the SHA-256 of the note, a random nonce of 64 bits, and asks for the authority's
    certificate: without it, only somebody who still has the certificate, perhaps years later, could
    verify the response. It names no policy.

    :param note: the bytes of a signed note, which must not be empty.
    :raises ValueError: if it is empty.
    :raises ImportError: if `rfc3161-client` is not installed.
    """
    return _request(note).as_bytes()


def fetch(url: str, note: bytes, timeout: float = 30) -> bytes:
    """Ask an authority for a timestamp of `note` and return its response, in DER.

    The response is one to this request: a timestamp of this note with this nonce, so no old one.
    That is all that is known about it without a root; :func:`verify` knows the rest. Plain `http`
    is usual and does no harm, as the response is signed. Redirects are not followed, because the
    request would be lost on the way. Proxies are those of the environment (``https_proxy``).

    :param url: the authority's address, `http` or `https`, without a user name.
    :param timeout: in seconds, from the name's lookup to the last byte of the answer.
    :raises NetError: if it does not answer, or only with an HTTP status.
    :raises TimestampError: if the authority refuses, or answers with something else.
    :raises ValueError: if the URL is not such an address, or the note is empty.
    :raises ImportError: if `rfc3161-client` is not installed.
    """
    where = shown_url(url)
    asked = _request(note)
    data, kind = _ask(url, where, asked.as_bytes(), timeout)
    try:
        answer = _decode(data)
    except TimestampError as error:
        raise TimestampError(f"{where} answers with {kind}: {error}") from None
    with _refusing(f"{where} answers with a malformed timestamp"):
        info = answer.tst_info
        imprint = info.message_imprint
        found = (imprint.hash_algorithm.dotted_string, imprint.message, info.nonce)
    if found != (_SHA256, hashlib.sha256(note).digest(), asked.nonce):
        raise TimestampError(f"{where} answers with a timestamp of something else")
    return data


def _ask(url: str, where: str, asked: bytes, timeout: float) -> tuple[bytes, str]:
    """Return the body of an authority's answer, and its content type."""
    headers = {
        "Content-Type": "application/timestamp-query",
        "Accept": "application/timestamp-reply",
        "User-Agent": "chained_logging",
    }
    try:
        with Client() as client:
            reply = client.post(url, asked, headers, timeout=timeout, limit=MAX_RESPONSE)
    except TooLong:
        raise TimestampError(f"{where} answers with more than {MAX_RESPONSE} bytes") from None
    except TimeoutError:
        raise NetError(f"{where} does not answer within {timeout:g} s") from None
    except Unreachable as error:
        raise Unreachable(f"{where} cannot be reached: {error}") from None
    except (HTTPException, NetError, OSError) as error:
        raise NetError(f"{where} broke off: {error or type(error).__name__}") from None
    if reply.status != 200:
        # Elsewhere it would be asked with GET, and nothing sent: redirects are not followed.
        hint = ": it is somewhere else now" if 300 <= reply.status < 400 else ""
        raise NetError(f"{where} answers with HTTP status {reply.status}{hint}")
    return reply.body, reply.headers.get("content-type", "nothing").partition(";")[0].strip()


def _request(note: bytes) -> TimeStampRequest:
    _require_client()
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    if not note:
        raise ValueError("the note must not be empty: there is nothing to timestamp")
    return TimestampRequestBuilder(note, HashAlgorithm.SHA256, nonce=True, cert_req=True).build()


def shown_url(url: str) -> str:
    """Return an authority's URL without what follows its path, which may be a password.

    :raises ValueError: if it is not an authority's URL.
    """
    if "@" in url.partition("?")[0]:  # also behind a slash: it may be one in a password
        raise ValueError("a timestamp authority's URL must not have a user name or a password")
    try:
        parts = urlsplit(url)
        well = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        well = False
    if not well or not re.fullmatch("[!-~]+", url):
        raise ValueError("a timestamp authority's URL must begin with http:// or https://")
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


# --- Verifying one.


def verify(note: bytes, response: bytes, roots: Sequence[bytes]) -> datetime:
    """Verify that a response is a timestamp of `note`, and return the time that it states.

    What holds then: the response grants a timestamp of the hash of exactly these bytes (SHA-256,
    SHA-384 or SHA-512); it is signed by the certificate that it names and, as RFC 5816 asks, signs
    over; that certificate is for timestamping and nothing else, and its chain leads to one of the
    `roots`, each certificate being valid **at the time stated**, so that a timestamp outlives them.
    No RSA key among them has fewer than 2,048 bits, and neither the timestamp nor a certificate is
    signed over SHA-1 (ETSI EN 319 422 by way of TS 119 312; NIST SP 800-131A). The time is not in
    the future of this machine's clock, by more than :data:`CLOCK_STEP`.

    What is not asked: whether a certificate was revoked, and whether the authority's clock is
    right. A key that is stolen from an authority can state any time in its
    certificate's life.

    :param note: the bytes that were timestamped.
    :param response: a TimeStampResp in DER, as :func:`fetch` returns it. It has the authority's
        certificate in it, and all between that and the root.
    :param roots: certificates in PEM that are trusted to vouch for a time, one or more in each.
        One that another has signed is not a root; it may complete a chain.
    :return: an aware time in UTC, exact to the microsecond if the authority is.
    :raises TimestampError: if any of that does not hold. Nothing else is raised, whatever the
        bytes.
    :raises ImportError: if `rfc3161-client` is not installed.
    """
    _require_client()
    from cryptography.x509 import load_pem_x509_certificates
    from rfc3161_client import VerificationError, VerifierBuilder

    with _refusing("a root is not a certificate in PEM"):
        trusted = [one for pem in roots for one in load_pem_x509_certificates(pem)]
    if not trusted:
        raise TimestampError("no root certificate was given, and nothing else vouches for a time")
    answer = _decode(response)
    with _refusing("the timestamp is malformed"):
        verifier = VerifierBuilder(roots=trusted).build()
        try:
            verifier.verify_message(answer, note)
        except VerificationError as error:
            raise TimestampError(_reason(str(error))) from None
        _check_signer(answer)
        stated = _time(answer)
        if stated.replace(microsecond=0) != answer.tst_info.gen_time:
            raise TimestampError("the timestamp states two times")
        _check_strength(answer, trusted)
    if stated > datetime.now(UTC) + timedelta(seconds=CLOCK_STEP):
        raise TimestampError("the timestamp states a time in the future of this machine's clock")
    return stated


def _decode(response: bytes) -> TimeStampResponse:
    """Return a response that grants a timestamp; its signature is not verified."""
    _require_client()
    from rfc3161_client import decode_timestamp_response

    if len(response) > MAX_RESPONSE:
        raise TimestampError(f"the timestamp has more than {MAX_RESPONSE} bytes")
    with _refusing("it is not a timestamp response in DER"):
        answer = decode_timestamp_response(_with_sorted_certificates(response))
        status, said = answer.status, " ".join(answer.status_string)
    if status != 0:
        # 1, granted with modifications, would be of something else than was asked for.
        text = f": {said[:200]!a}" if said else ""
        raise TimestampError(f"the authority did not grant a timestamp (status {status}){text}")
    return answer


def _reason(text: str) -> str:
    """Return in one sentence what the package and OpenSSL say about a timestamp."""
    if match := re.search(r'"Verify error: ?([^"]*)"', text):
        return f"the timestamp's certificate does not hold: {match[1]}"
    if match := re.search(r'reason: "([^"]*)"', text):
        return f"the timestamp's signature does not hold: {match[1]}"
    if text == "Mismatch between messages":
        return "the timestamp is of something else than this note"
    return f"the timestamp does not hold: {text}"


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    """Make every error in here a TimestampError: what cannot be read does not hold."""
    try:
        yield
    except TimestampError:
        raise
    except Exception as error:
        raise TimestampError(f"{what}: {str(error)[:200]}") from None
    except BaseException as error:
        # A panic of the package's Rust code, which is no Exception.
        if type(error).__name__ != "PanicException":
            raise
        raise TimestampError(what) from None


# --- What rfc3161-client leaves out, of RFC 5652 (CMS), RFC 3161 and RFC 5816.

_SHA256 = "2.16.840.1.101.3.4.2.1"
_HASHES = {
    bytes.fromhex("608648016503040201"): "sha256",
    bytes.fromhex("608648016503040202"): "sha384",
    bytes.fromhex("608648016503040203"): "sha512",
}
_SIGNING_CERTIFICATE = bytes.fromhex("2a864886f70d010910020c")
_SIGNING_CERTIFICATE_V2 = bytes.fromhex("2a864886f70d010910022f")
_TIME = re.compile(rb"(\d{14})(?:\.(\d{1,6})\d*)?Z")


def _with_sorted_certificates(response: bytes) -> bytes:
    """Return a response with its certificates in the order of DER.

    The package refuses another order, and OpenSSL's own authority leaves them in that of a chain.
    No signature covers them, so that it changes nothing.
    """
    if len(_items(_all(response))) < 2:  # a refusal has no token
        return response
    certificates = _signed_data(response).certificates
    if certificates is None:
        return response
    in_order = b"".join(sorted(item.whole for item in _items(certificates)))
    return response[: certificates.content_start] + in_order + response[certificates.end :]


def _check_signer(answer: TimeStampResponse) -> None:
    """Check that the signature covers the certificate it is verified with (RFC 3161, 2.4.2).

    The name by which it is found is not signed.

    :raises TimestampError: if not.
    """
    from cryptography.x509 import load_der_x509_certificate

    (signer,) = answer.signed_data.signer_infos
    certificates = []
    for der in answer.signed_data.certificates:
        certificate = load_der_x509_certificate(der)
        if (certificate.issuer, certificate.serial_number) == (signer.issuer, signer.serial_number):
            certificates.append(der)
    if len(certificates) != 1:
        raise TimestampError("the timestamp has not exactly one certificate of its signer")
    (info,) = _items(_signed_data(answer.as_bytes()).signer_infos)
    attributes: dict[bytes, _Item] = {}
    for item in _items(_items(info)[3]):
        kind, values = _items(item)
        attributes[kind.content] = _items(values)[0]
    if _SIGNING_CERTIFICATE_V2 in attributes:
        # SigningCertificateV2 ⊃ certs ⊃ ESSCertIDv2, whose first field may be left out: SHA-256.
        first = _items(_items(_items(attributes[_SIGNING_CERTIFICATE_V2])[0])[0])
        name = "sha256"
        if first[0].tag == 0x30:
            name = _HASHES[_items(first.pop(0))[0].content]
    elif _SIGNING_CERTIFICATE in attributes:
        first = _items(_items(_items(attributes[_SIGNING_CERTIFICATE])[0])[0])
        name = "sha1"  # RFC 3161's own form, before RFC 5816; many authorities still send it
    else:
        raise TimestampError("the timestamp's signature does not say by which certificate it is")
    if hashlib.new(name, certificates[0], usedforsecurity=False).digest() != first[0].content:
        raise TimestampError("the timestamp was signed with another certificate than it has in it")


def _check_strength(answer: TimeStampResponse, roots: list[Certificate]) -> None:
    """Refuse weak keys and SHA-1, from the signature of the timestamp up to a root.

    A root's own signature does not count: it is trusted for what it is.

    :raises TimestampError: naming what is too weak.
    """
    from cryptography.x509 import load_der_x509_certificate

    (info,) = _items(_signed_data(answer.as_bytes()).signer_infos)
    digest = _items(_items(info)[2])[0].content
    if digest not in _HASHES:
        raise TimestampError("the timestamp is signed over a hash that is too weak or unknown")
    (signer,) = answer.signed_data.signer_infos
    others = [load_der_x509_certificate(der) for der in answer.signed_data.certificates]
    named = (signer.issuer, signer.serial_number)
    at = next(one for one in others if (one.issuer, one.serial_number) == named)
    _check_key(at)
    for _ in range(len(others) + 1):
        if at in roots and at.issuer == at.subject:
            return
        hash = at.signature_hash_algorithm  # none for EdDSA
        if hash is not None and hash.name in ("md5", "sha1"):
            raise TimestampError(f"a certificate of the timestamp is signed over {hash.name}")
        at = next(one for one in (*roots, *others) if one != at and _issued(one, at))
        _check_key(at)


def _issued(issuer: Certificate, certificate: Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # another name, key or signature
        return False
    return True


def _check_key(certificate: Certificate) -> None:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    key = certificate.public_key()
    if isinstance(key, RSAPublicKey) and key.key_size < _MIN_RSA:
        raise TimestampError(
            f"a certificate of the timestamp has an RSA key of {key.key_size} bits: {_MIN_RSA} or "
            "more are asked for"
        )


def _time(answer: TimeStampResponse) -> datetime:
    """Return genTime with its fraction, which the package drops."""
    _, wrapped = _items(_signed_data(answer.as_bytes()).content)
    (octets,) = _items(wrapped)
    (info,) = _items(octets)
    match = _TIME.fullmatch(_items(info)[4].content)
    if match is None:
        raise TimestampError("the time in the timestamp is malformed")
    seconds = datetime.strptime(match[1].decode(), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return seconds.replace(microsecond=int((match[2] or b"").ljust(6, b"0")))


class _Item(NamedTuple):
    """A value in DER: its tag, and where its content is."""

    tag: int
    data: bytes
    start: int
    content_start: int
    end: int

    @property
    def content(self) -> bytes:
        return self.data[self.content_start : self.end]

    @property
    def whole(self) -> bytes:
        return self.data[self.start : self.end]


def _items(of: _Item) -> list[_Item]:
    """Return the values that a value consists of.

    :raises Exception: if it does not: a ValueError, an IndexError.
    """
    items, data, at = [], of.data, of.content_start
    while at < of.end:
        tag, length, start = data[at], data[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, start = int.from_bytes(data[start : start + size], "big"), start + size
        if start + length > of.end:
            raise ValueError("a value is longer than what it is in")
        items.append(_Item(tag, data, at, start, start + length))
        at = start + length
    return items


class _SignedData(NamedTuple):
    content: _Item
    certificates: _Item | None
    signer_infos: _Item


def _signed_data(response: bytes) -> _SignedData:
    """Return the parts of the SignedData in a response that has a token."""
    _, token = _items(_all(response))
    _, wrapped = _items(token)
    (signed,) = _items(wrapped)
    _, _, content, *optional, infos = _items(signed)
    certificates = [item for item in optional if item.tag == 0xA0]
    return _SignedData(content, certificates[0] if certificates else None, infos)


def _all(response: bytes) -> _Item:
    (whole,) = _items(_Item(0, response, 0, 0, len(response)))
    return whole


# --- Keeping one.


def encode(response: bytes) -> str:
    """Return a response as text: base64 in one line, without a line feed (RFC 4648, 4)."""
    return base64.b64encode(response).decode()


def decode(text: str) -> bytes:
    """Return the response that :func:`encode` made this text of. It is not verified.

    :param text: one line, with its line feed or without.
    :raises TimestampError: if it is not that.
    """
    line = text.removesuffix("\n")
    if len(line) > MAX_RESPONSE * 4 // 3 + 4:
        raise TimestampError(f"the timestamp has more than {MAX_RESPONSE} bytes")
    try:
        response = base64.b64decode(line, validate=True)
    except ValueError:
        raise TimestampError("the timestamp is not base64") from None
    if not response or encode(response) != line:
        raise TimestampError("the timestamp is not base64 in its one form")
    return response


def _require_client() -> None:
    try:
        import rfc3161_client  # noqa: F401
    except ImportError:
        raise ImportError(
            "timestamps need the package rfc3161-client: pip install chained_logging[timestamp]"
        ) from None
