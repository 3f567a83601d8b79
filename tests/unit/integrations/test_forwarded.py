"""Whose word on the client's address counts, and how it is read."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from web_servers import by_request, get, serving

from chained_logging.integrations.forwarded import Client, TrustedProxies

PROXIES = ["10.0.0.0/8", "2001:db8:ffff::/48", "127.0.0.1"]


@pytest.mark.parametrize(
    ("peer", "header", "address", "note"),
    [
        ("192.0.2.1", None, "192.0.2.1", None),
        ("192.0.2.1", "6.6.6.6", "192.0.2.1", None),  # not from a proxy
        ("10.0.0.1", None, "10.0.0.1", None),
        ("10.0.0.1", "", "10.0.0.1", None),
        ("10.0.0.1", "192.0.2.1", "192.0.2.1", None),
        ("10.0.0.1", "6.6.6.6, 192.0.2.1", "192.0.2.1", None),  # spoofed on the left
        ("10.0.0.1", "6.6.6.6,192.0.2.1,10.0.0.2", "192.0.2.1", None),
        ("10.0.0.1", "10.0.0.9, 192.0.2.1", "192.0.2.1", None),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3", None),  # all are proxies
        ("10.0.0.1", "192.0.2.1:4711", "192.0.2.1", None),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1", None),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1", None),
        ("10.0.0.1", "[2001:db8::1]", "2001:db8::1", None),
        ("10.0.0.1", "2001:DB8:0::1", "2001:db8::1", None),
        ("10.0.0.1", "::ffff:192.0.2.1", "192.0.2.1", None),
        ("::ffff:10.0.0.1", "192.0.2.1", "192.0.2.1", None),
        ("2001:db8:ffff::1", "192.0.2.1", "192.0.2.1", None),
        ("fe80::1%eth0", "6.6.6.6", "fe80::1", None),
        ("10.0.0.1", "unknown", "10.0.0.1", "unknown"),
        ("10.0.0.1", "192.0.2.1, unknown", "10.0.0.1", "unknown"),
        ("10.0.0.1", "6.6.6.6, junk, 10.0.0.2", "10.0.0.2", "junk"),
        ("10.0.0.1", "192.0.2.1,", "10.0.0.1", ""),
        ("10.0.0.1", "fe80::1%eth0", "10.0.0.1", "fe80::1%eth0"),
        ("10.0.0.1", "192.0.2.1\x00", "10.0.0.1", "192.0.2.1\x00"),
        ("10.0.0.1", "x" * 70_000, "10.0.0.1", "x" * 200),
        ("10.0.0.1", "6.6.6.6," * 30_000 + "192.0.2.1", "192.0.2.1", None),
        (None, "192.0.2.1", None, None),  # a Unix socket that is not trusted
        ("", "192.0.2.1", None, None),
    ],
)
def test_x_forwarded_for(
    peer: str | None, header: str | None, address: str | None, note: str | None
) -> None:
    assert TrustedProxies(PROXIES).client(peer, header) == Client(address, note)


@pytest.mark.parametrize(
    ("header", "address", "note"),
    [
        ("for=192.0.2.1", "192.0.2.1", None),
        ("For=192.0.2.1;proto=https;by=10.0.0.1", "192.0.2.1", None),
        ("proto=https; for=192.0.2.1 ; host=example.com", "192.0.2.1", None),
        ('for="192.0.2.1:4711"', "192.0.2.1", None),
        ('for="[2001:db8::17]:4711"', "2001:db8::17", None),
        ('for="[2001:db8::17]:_port"', "2001:db8::17", None),
        ("for=[2001:db8::17]", "2001:db8::17", None),  # without the quotes that it needs
        ('for="\\1\\92.0.2.1"', "192.0.2.1", None),
        ("for=6.6.6.6, for=192.0.2.1", "192.0.2.1", None),
        ("for=6.6.6.6, for=192.0.2.1, for=10.0.0.2", "192.0.2.1", None),
        ('for=6.6.6.6;x="a, for=7.7.7.7", for=192.0.2.1', "192.0.2.1", None),
        ("for=unknown", "10.0.0.1", "unknown"),
        ("for=_hidden, for=10.0.0.2", "10.0.0.2", "_hidden"),
        ("proto=https", "10.0.0.1", "unknown"),
        # An open quote, with which a client tries to swallow what the proxy writes.
        ('for=6.6.6.6;x=", for=192.0.2.1', "10.0.0.1", 'for=6.6.6.6;x=", for=192.0.2.1'),
        (
            'for="6.6.6.6, for="192.0.2.1"',
            "10.0.0.1",
            'for="6.6.6.6, for="192.0.2.1"',
        ),
        ("for=1.1.1.1;for=192.0.2.1", "10.0.0.1", "for=1.1.1.1;for=192.0.2.1"),
        ("192.0.2.1", "10.0.0.1", "192.0.2.1"),
        ("for=", "10.0.0.1", "for="),
        ("for=192.0.2.1 x", "10.0.0.1", "for=192.0.2.1 x"),
    ],
)
def test_forwarded(header: str, address: str, note: str | None) -> None:
    assert TrustedProxies(PROXIES, "forwarded").client("10.0.0.1", header) == Client(address, note)


@settings(deadline=None)
@given(st.text(), st.sampled_from(["x-forwarded-for", "forwarded"]))
def test_nothing_that_a_client_writes_is_believed(written: str, header: str) -> None:
    proxies = TrustedProxies(PROXIES, header)  # type: ignore[arg-type]
    real = "192.0.2.1" if header == "x-forwarded-for" else "for=192.0.2.1"
    client = proxies.client("10.0.0.1", f"{written}, {real}" if written else real)
    # The proxy's word, or, where the client spoiled it, the proxy itself and what it wrote.
    assert client.address == "192.0.2.1" or (
        client.address == "10.0.0.1" and client.note is not None and "192.0.2.1" in client.note
    )


@pytest.mark.parametrize(
    "part", ['for="', "for=a,", " ", "\\", 'for="\\', ";", ",", "for", '"', "="]
)
def test_long_header_takes_no_long_time(part: str) -> None:
    proxies = TrustedProxies(PROXIES, "forwarded")
    for text in (part * 65_536, 'for="' + part * 65_536, f"for=1.1.1.1{part * 65_536}x\0"):
        began = time.process_time()
        proxies.client("10.0.0.1", text)
        assert time.process_time() - began < 1


def test_trusted_unix_socket() -> None:
    proxies = TrustedProxies(["unix"])
    assert proxies.client(None, "6.6.6.6, 192.0.2.1") == Client("192.0.2.1")
    assert proxies.client("192.0.2.7", "6.6.6.6") == Client("192.0.2.7")


@pytest.mark.parametrize("kind", ["fastapi", "flask", "django"])
def test_spoofed_headers_change_nothing_on_real_servers(kind: str, tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    spoofs = {
        "a": {"X_Forwarded_For": "6.6.6.6"},
        "b": {"Forwarded": "for=6.6.6.6"},
        "c": {"X_Real_IP": "6.6.6.6", "Client_IP": "6.6.6.6", "True_Client_IP": "6.6.6.6"},
    }
    with serving(kind, log) as server:
        for id, headers in spoofs.items():
            get(server, "/patients/1", X_Request_Id=id, **headers)
    found = by_request(log)
    assert {found[id]["ip_address"] for id in spoofs} == {"127.0.0.1"}

    trusted = tmp_path / "trusted.jsonl"
    with serving(kind, trusted, trusted_proxies=["127.0.0.1"]) as server:
        get(server, "/patients/1", X_Request_Id="a", X_Forwarded_For="6.6.6.6, 192.0.2.1:99")
        get(server, "/patients/1", X_Request_Id="b", X_Forwarded_For="6.6.6.6, unknown")
        # The other header is the client's, which the proxy passed on.
        both = {"X_Forwarded_For": "192.0.2.1", "Forwarded": "for=6.6.6.6"}
        get(server, "/patients/1", X_Request_Id="c", **both)
    found = by_request(trusted)
    assert {id: fields["ip_address"] for id, fields in found.items()} == {
        "a": "192.0.2.1",
        "b": "127.0.0.1",
        "c": "192.0.2.1",
    }
    assert found["b"]["context"]["forwarded_for"] == "unknown"


@pytest.mark.parametrize("kind", ["fastapi", "flask"])
def test_proxy_on_a_unix_socket(kind: str, tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    with tempfile.TemporaryDirectory(prefix="web") as folder:  # a short name: they have 108 bytes
        address = os.path.join(folder, "s")
        with serving(kind, log, address=address, trusted_proxies=["unix"]) as server:
            get(server, "/patients/1", X_Request_Id="a", X_Forwarded_For="6.6.6.6, 192.0.2.1")
            get(server, "/patients/1", X_Request_Id="b")
    found = by_request(log)
    assert found["a"]["ip_address"] == "192.0.2.1"
    assert found["b"]["ip_address"] == "unknown"
