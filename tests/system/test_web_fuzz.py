"""Odd bytes over raw sockets: the chain verifies, and each request that came has one entry."""

from __future__ import annotations

import os
import random
import re
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from chains import check_chain
from thorough import some
from web_servers import Server, entries, get, serving

REQUESTS = int(os.environ.get("WEB_FUZZ_REQUESTS", "500"))
ODD = [
    *(b"\x00", b"\r", b"\n", b"\r\n", b"\t", b"\x0b", b"\x7f", b"\x80", b"\xff", b"\xc3\x28"),
    *(b"\xc2\x9b31m", b"\xe2\x80\xae", b"\xed\xa0\x80", b"\xf0\x9f\x92\xa9", b"\xef\xbb\xbf"),
    *(b"\x1b[2J", b"\x1b]0;title\x07", b'"}', b'","hash":"', b"\\", b"\\u0000", b"{}", b"[]"),
    *(b"%00", b"%0d%0a", b"%1b[31m", b"%ff", b"%", b"%zz", b"..", b"//", b"../../etc/passwd"),
    *(b";", b"?", b"#", b"=", b",", b" ", b"'; DROP TABLE entries;--", b"a" * 5000, b"%41" * 3000),
]
NAMES = [
    *(b"User-Agent", b"X-Request-ID", b"X-Forwarded-For", b"Forwarded", b"Cookie"),
    *(b"Authorization", b"X_Forwarded_For", b"Referer"),
]
FRAMING = [b"Content-Length", b"Transfer-Encoding", b"Host", b"Expect"]
METHODS = [*[b"GET"] * 6, b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"G\xffT"]
PATHS = [b"/patients/", b"/stream/", b"/p/", b"/nope/", b"/sized/", b"/patients/1?q="]


def odd_text(chance: random.Random, limit: int = 4) -> bytes:
    parts = [
        chance.choice([*ODD, b"abc", b"1", b"192.0.2.1"]) for _ in range(chance.randint(1, limit))
    ]
    if chance.random() < 0.1:
        parts.append(chance.randbytes(chance.randint(1, 40)))
    return b"".join(parts)


def odd_request(chance: random.Random) -> bytes:
    """Return a request in which some things are odd, and the rest is as it should be."""
    method = chance.choice(METHODS)
    tail = odd_text(chance)
    shape = chance.random()
    if shape < 0.4:  # what servers take: the application decodes it
        tail = quote(tail, safe="%").encode()
    elif shape < 0.8:
        tail = tail.translate(None, b" \r\n\0")
    lines = [method + b" " + chance.choice(PATHS) + tail + b" HTTP/1.1"]
    lines += [b"Host: test", b"Connection: close"]
    for _ in range(chance.randint(0, 3)):
        value = odd_text(chance)
        if chance.random() < 0.8:
            value = value.translate(None, b"\r\n\0")
        lines.append(chance.choice(NAMES if chance.random() < 0.95 else FRAMING) + b": " + value)
    if chance.random() < 0.05:
        lines.append(b"User-Agent: " + b"u" * 65_536)
    if chance.random() < 0.03:
        lines += [b"X-Forwarded-For: " + odd_text(chance)] * 50
    return b"\r\n".join(lines) + b"\r\n\r\n"


def send(server: Server, data: bytes) -> None:
    with suppress(OSError), server.connect() as connection:
        connection.settimeout(5)
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):
            pass


@pytest.mark.parametrize("header", some(["forwarded", "x-forwarded-for"], 2))
@pytest.mark.parametrize("kind", ["fastapi", "flask", "django"])
def test_any_request_leaves_one_entry_and_an_intact_chain(
    kind: str, header: str, tmp_path: Path
) -> None:
    seed = int(os.environ.get("CRASH_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"CRASH_SEED={seed}")
    chance = random.Random(seed)
    log = tmp_path / "audit.jsonl"
    options = {
        "trusted_proxies": ["127.0.0.1"],
        "proxy_header": header,
        "session_cookie": "sid",
    }
    seen = tmp_path / "seen"
    with serving(kind, log, seen=seen, **options) as server:
        for _ in range(REQUESTS):
            send(server, odd_request(chance))
        assert get(server, "/patients/last", X_Request_Id="last").status == 200
        server.stop()
    found = entries(log)
    check_chain(log)
    # A request whose client did not wait for the answer may end after the last one.
    assert "last" in {fields["resource_id"] for fields in found[-10:]}
    assert len(found) > REQUESTS / 10, "most never reached the application"
    if kind != "django":  # where some end before the first middleware
        assert len(found) == len(seen.read_bytes())
    for fields in found:
        assert "invalid" not in fields["context"], fields
        assert len(str(fields)) < 20_000
    shown = subprocess.run(
        [sys.executable, "-m", "chained_logging", "query", log], capture_output=True, check=True
    ).stdout.decode()
    assert len(shown.splitlines()) >= len(found)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown)
