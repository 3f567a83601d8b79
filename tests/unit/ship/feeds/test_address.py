"""URLs of feeds: the options, and no secret in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from chained_logging.errors import ForeignFile
from chained_logging.ship.feeds.address import parsed, require_secure, secret


def test_the_options_come_after_the_number_sign_and_are_not_sent() -> None:
    found = parsed("https://siem.example/hook?team=1#format=ocsf&ca=/a%20b", ("ca",), 443)
    assert found.url == "https://siem.example/hook?team=1"
    assert found.name == "https://siem.example/hook"
    assert (found.host, found.port, found.format) == ("siem.example", 443, "ocsf")
    assert found.options["ca"] == "/a b"
    assert parsed("https://[::1]:7/x", (), 443)[2:4] == ("::1", 7)
    assert parsed("https://siem.example", (), 443).format == "line"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://ann:hush@siem.example/", "must not hold a user or a password"),
        ("https://hush@siem.example/", "must not hold a user or a password"),
        ("https:///hook", "must name a host"),
        ("https://siem.example/#secret=hush", "unknown option secret; the options after # are"),
        ("https://siem.example/#format=csv", "format must be one of line, ocsf"),
        ("https://siem.example/ hush", "must not hold blanks"),
    ],
)
def test_a_url_that_is_not_right_is_refused_without_its_secret(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        parsed(url, ("ca",), 443)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.9.9.9"])
def test_on_this_machine_nothing_needs_to_be_encrypted(host: str) -> None:
    require_secure(parsed(f"http://{host}:1/", (), 80))


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "HTTP://siem.example", "otlp+http://a.b"])
def test_elsewhere_it_must_be(url: str) -> None:
    with pytest.raises(ValueError, match="https, since"):
        require_secure(parsed(url, (), 80))


def test_a_secret_comes_from_a_file_or_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    address = parsed(f"https://siem.example/#secret_file={file}", ("secret_file",), 443)
    plain = parsed("https://siem.example/", (), 443)
    monkeypatch.setenv("A_SECRET", "of the environment")
    assert secret(plain, "secret_file", "A_SECRET") == "of the environment"
    file.write_text("of the file\nmore\n")
    file.chmod(0o644)
    with pytest.raises(ForeignFile, match="chmod 600"):
        secret(address, "secret_file", "A_SECRET")
    file.chmod(0o600)
    assert secret(address, "secret_file", "A_SECRET") == "of the file"
    for wrong in ("", "\n", "é", "a\tb"):
        file.write_text(wrong)
        with pytest.raises(ValueError, match="must hold one line of ASCII text"):
            secret(address, "secret_file", "A_SECRET")
    monkeypatch.delenv("A_SECRET")
    assert secret(plain, "secret_file", "A_SECRET") is None
