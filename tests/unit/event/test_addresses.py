"""What programs have as an address."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from entry_bodies import GOOD, body

from chained_logging.event.addresses import MAX_TEXT, address_text, parse


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::FFFF:0a00:0001", "10.0.0.1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("::", "::"),
        ("10.0.0.1:44321", "10.0.0.1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[::1]", "::1"),
        (" 10.0.0.1 ", "10.0.0.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("ipv4:127.0.0.1:5000", "127.0.0.1"),
        ("ipv6:%5B::1%5D:5000", "::1"),
        (("10.0.0.1", 5), "10.0.0.1"),
        (("::1", 5, 0, 0), "::1"),
        (b"10.0.0.1", "10.0.0.1"),
        (b"\x0a\x00\x00\x01", "10.0.0.1"),
        (ipaddress.ip_interface("10.0.0.1/8"), "10.0.0.1"),
        (ipaddress.ip_address("10.0.0.1"), "10.0.0.1"),
        (ipaddress.ip_address("::ffff:1.2.3.4"), "1.2.3.4"),
    ],
)
def test_addresses(value: Any, expected: str) -> None:
    fields = body({**GOOD, "ip": value})
    assert fields["ip_address"] == expected
    assert fields["context"] == {}


@pytest.mark.parametrize(
    "value",
    [
        *("example.com", "localhost", "", "unknown", "unix:", "testclient", "example.com:80"),
        *("10.0.0.1/32", "010.0.0.1", "10.0.1", "10.0.0.1, 10.0.0.2", "10.0.0.1%eth0", "[]:80"),
        *(1, True, ["10.0.0.1"], "\udc80", "１０.0.0.1"),
    ],
)
def test_addresses_that_are_none(value: Any) -> None:
    fields = body({**GOOD, "ip": value})
    assert fields["ip_address"] == "unknown"
    kept = "\\udc80" if value == "\udc80" else value
    assert fields["context"]["invalid"] == {"ip_address": kept}


@pytest.mark.parametrize("value", [7, True, 10.5, object(), None])
def test_what_is_nothing_of_the_kind_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^is "):
        address_text(value)


def test_a_long_text_is_not_even_read() -> None:
    assert parse(" " * 100 + "10.0.0.1") == ipaddress.IPv4Address("10.0.0.1")
    assert parse(" " * MAX_TEXT + "10.0.0.1") is None
