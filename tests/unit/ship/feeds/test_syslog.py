"""Syslog: RFC 5424 messages, and what counts as received."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from feed_records import records
from format_entries import EVENTS, HOSTILE, ORIGIN
from rsyslogd import make_certificates

from chained_logging import AuditEntry
from chained_logging.errors import DestinationError, Refused
from chained_logging.ship.feeds.syslog import SyslogFeed, frame, message

RFC5424 = re.compile(
    rb"<(?P<priority>[0-9]{1,3})>1 "
    rb"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z) "
    rb"(?P<host>[\x21-\x7e]{1,255}) (?P<app>[\x21-\x7e]{1,48}) (?P<proc>[\x21-\x7e]{1,128}) "
    rb"(?P<msgid>[\x21-\x7e]{1,32}) "
    rb'\[(?P<sd>[^ =\]"]{1,32}(?: [a-z]+="(?:[^"\\\]]|\\.)*")*)\] (?P<content>.*)',
    re.DOTALL,
)
"""A message as RFC 5424, section 6, has it."""


def parsed(entry: AuditEntry, origin: str = ORIGIN) -> dict[str, bytes]:
    found = RFC5424.fullmatch(message(entry, origin, "host.example", entry.line))
    assert found
    return found.groupdict()


def entries(folder: Path) -> dict[str, AuditEntry]:
    made = (AuditEntry(*record[1:]) for record in records(folder))
    return dict(zip(["genesis", *EVENTS], made, strict=True))


def test_each_message_is_as_rfc_5424_says(tmp_path: Path) -> None:
    for name, entry in entries(tmp_path).items():
        found = parsed(entry)
        assert found["time"].decode() == entry.timestamp
        assert (found["host"], found["app"]) == (b"host.example", b"chained_logging")
        assert found["msgid"].decode() == entry.id.replace("-", "")
        assert found["content"] == entry.line
        assert f'id="{entry.id}" seq="{entry.seq}" hash="{entry.hash}"' in found["sd"].decode()
        warned = entry.result in ("denied", "failure")
        notice = entry.result == "unknown"
        assert int(found["priority"]) == 13 * 8 + (4 if warned else 5 if notice else 6), name


def test_what_ends_a_parameter_is_escaped(tmp_path: Path) -> None:
    entry = entries(tmp_path)["read"]
    found = parsed(entry, HOSTILE + '"]')
    assert found["content"] == entry.line
    assert rb"\"x\"" in found["sd"]
    assert found["sd"].endswith(rb'\"\]"')


def test_octets_are_counted_and_not_characters() -> None:
    assert frame("é".encode()) == b"2 \xc3\xa9"


def test_an_entry_without_an_id_is_refused() -> None:
    with pytest.raises(ValueError, match="entry 7 was not written by a log"):
        message(AuditEntry(b'{"seq":7,"timestamp":"now"}', "0" * 64), ORIGIN, "-", b"")


# --- Receivers.


class Receiver:
    """Takes one connection after another, and ends each in its own way.

    :param end: ``in order``, ``abruptly`` (after reading), or ``early`` (without reading).
    """

    def __init__(self, folder: Path, end: str) -> None:
        self.end = end
        self.received: list[bytes] = []
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        self._listening = socket.create_server(("127.0.0.1", 0))
        port = self._listening.getsockname()[1]
        self.url = f"syslog+tls://127.0.0.1:{port}#ca={folder}/ca.pem"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                raw, _ = self._listening.accept()
            except OSError:
                return
            try:
                with self._tls.wrap_socket(raw, server_side=True) as connection:
                    self._take(connection)
            except OSError:
                raw.close()

    def _take(self, connection: ssl.SSLSocket) -> None:
        data = b""
        while self.end != "early" and (part := connection.recv(65_536)):
            data += part
        self.received.append(data)
        if self.end == "in order":
            connection.unwrap().close()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_certificates(tmp_path)
    return tmp_path


@pytest.fixture
def receivers(folder: Path) -> Iterator[list[Receiver]]:
    made: list[Receiver] = []
    yield made
    for each in made:
        each.close()


def receiving(receivers: list[Receiver], folder: Path, end: str) -> Receiver:
    receivers.append(Receiver(folder, end))
    return receivers[-1]


def test_a_connection_that_ends_in_order_is_an_acknowledgement(
    receivers: list[Receiver], folder: Path
) -> None:
    receiver = receiving(receivers, folder, "in order")
    batch = records(folder)
    SyslogFeed(receiver.url).write(ORIGIN, batch, [])
    (data,) = receiver.received
    taken = []
    while data:
        length, _, data = data.partition(b" ")
        taken.append(data[: int(length)])
        data = data[int(length) :]
    lines = (folder / "audit.jsonl").read_bytes().splitlines()
    assert [each[-len(line) :] for each, line in zip(taken, lines, strict=True)] == lines


def test_a_connection_that_just_ends_acknowledges_nothing(
    receivers: list[Receiver], folder: Path
) -> None:
    receiver = receiving(receivers, folder, "abruptly")
    batch = records(folder)
    with pytest.raises(DestinationError, match="without close_notify"):
        SyslogFeed(receiver.url).write(ORIGIN, batch, [])
    SyslogFeed(f"{receiver.url}&confirm=no").write(ORIGIN, batch, [])
    assert len(receiver.received) == 2


def test_a_receiver_that_reads_nothing_acknowledges_nothing(
    receivers: list[Receiver], folder: Path
) -> None:
    receiver = receiving(receivers, folder, "early")
    batch = records(folder) * 200
    for url in (receiver.url, f"{receiver.url}&confirm=no"):
        with pytest.raises(DestinationError):
            SyslogFeed(url).write(ORIGIN, batch, [])


def test_a_receiver_of_another_authority_gets_nothing(
    receivers: list[Receiver], folder: Path
) -> None:
    receiver = receiving(receivers, folder, "in order")
    other = folder / "other"
    other.mkdir()
    make_certificates(other)
    with pytest.raises(DestinationError, match=r"(?i)certificate"):
        SyslogFeed(receiver.url.replace("ca.pem", "other/ca.pem")).write(
            ORIGIN, records(folder), []
        )
    assert receiver.received == []


def test_an_option_that_is_not_right_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="confirm must be yes or no"):
        SyslogFeed("syslog+tls://a.example#confirm=maybe")
    with pytest.raises(OSError, match="No such file"):
        SyslogFeed(f"syslog+tls://a.example#ca={folder}/absent.pem")
    with pytest.raises(Refused, match="cannot be read back"):
        SyslogFeed("syslog+tls://a.example").origins()
