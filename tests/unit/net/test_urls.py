"""No part of a password is shown or kept, however malformed the URL."""

from __future__ import annotations

import io
import json
import logging
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from chains import EVENT
from click.testing import CliRunner

from chained_logging import AuditLog
from chained_logging.cli import cli
from chained_logging.net import urls
from chained_logging.ship import open_destination
from chained_logging.verify import main as verify_main

P = "S3cr3tPw"
MALFORMED = (
    f"postgresql://bob:a@{P}@127.0.0.1:1/x",
    f"postgresql://bob:{P}@x@127.0.0.1:1/x",
    f"postgresql://bob:a/{P}@127.0.0.1:1/x",
    f"postgresql://bob:1/{P}@127.0.0.1:1/x",
    f"postgresql://bob:a?{P}@h/x",
    f"postgresql://bob:1?host={P}@h/x",
    f"postgresql://bob:a#{P}@h/x",
    f"postgresql://bob:{P}%zz@127.0.0.1:1/x",
    f"postgresql://bob:{P}%@127.0.0.1:1/x",
    f"postgresql://bob:{P}@[::1/x",
    f"postgresql://bob:{P}\n@h/x",
    f"postgresql://bob:{P} x@h/x",
    f"postgresql://bob:{P}@127.0.0.1:notaport/x",
    f"postgresql://bob:{P}@127.0.0.1:1/x?bogus=1",
    f"postgresql://h/x?user=bob&passwrd={P}",
    f"postgresql://h/x?password={P}&sslmode",
    f" postgresql://bob:{P}@h/x",
    f"postgresql:bob:{P}@h/x",
    f"postgresql+psycopg://bob:{P}@h/x",
    f"host=h user=bob password={P}",
    f"host=h user=bob password='{P} x'",
    f"nats://{P}@127.0.0.1:1/S",
    f"nats://bob:a@{P}@127.0.0.1:1/S",
    f"nats://bob:p/S?{P}=x@h",
    f"nats://127.0.0.1:1/S?token={P}",
    f"nats://bob:{P}@127.0.0.1:1",
    f"s3://AKIA:{P}@bucket/x",
    f"s3://bucket/x?secret={P}",
    f"http://bob:{P}@x/y",
)
WELL_FORMED = (
    f"postgresql://bob:{P}]@h/x",
    f"postgresql://bob:{P}@127.0.0.1:1/x",
    f"postgresql://bob:{P}@127.0.0.1:1,127.0.0.2:2/x?sslmode=require",
    f"postgresql:///x?password={P}&host=/nowhere",
    f"postgresql://h/x?sslpassword={P}",
    f"postgresql://bob:%40%2F{P}@[::1]:1/x",
    f"nats://bob:{P}@127.0.0.1:1/S",
    f"nats://:{P}@127.0.0.1:1/S",
)


@pytest.mark.parametrize("url", MALFORMED)
def test_a_malformed_url_is_refused_without_a_word_of_it(url: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        open_destination(url)
    shown = "".join(traceback.format_exception(caught.value))
    assert P not in str(caught.value)
    assert P not in shown.replace(url, "")


@pytest.mark.parametrize("url", WELL_FORMED)
def test_the_name_of_a_destination_has_no_password(url: str) -> None:
    destination = open_destination(url)
    assert P not in destination.name
    assert P not in repr(destination)
    destination.close()


@pytest.mark.parametrize("url", [*MALFORMED, *WELL_FORMED])
def test_what_is_shown_of_a_url_has_no_credentials(url: str) -> None:
    assert P not in urls.shown(url)
    if not url.startswith(("nats://127", " ")) and "://" in url:
        assert urls.is_address(url)


@pytest.mark.parametrize("url", [*MALFORMED, *WELL_FORMED])
@pytest.mark.parametrize("command", ["append", "checkpoint", "export", "keygen", "ship"])
def test_an_address_given_as_a_file_is_neither_shown_nor_created(
    url: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, [command, url])
    assert result.exit_code == 2
    assert P not in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", MALFORMED)
def test_the_verifier_does_not_show_it_either(url: str, path: Path) -> None:
    with AuditLog(path) as log:
        log.append("x", **EVENT)
    for arguments in ([url], [str(path), "--against", url], [str(path), "--checkpoint", url]):
        out = io.StringIO()
        with redirect_stdout(out), redirect_stderr(out):
            assert verify_main(arguments) == 2
        assert P not in out.getvalue()


def test_a_failed_delivery_leaves_no_password_anywhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "audit.jsonl"
    stats = []
    for url in (WELL_FORMED[1], WELL_FORMED[3]):
        with AuditLog(path, ship=[url], sync_interval=0.05) as log:
            log.append("x", **EVENT)
            stats.append(json.dumps(log.stats(), default=str))
    assert P not in caplog.text
    assert P not in "".join(stats)
    for file in tmp_path.iterdir():
        assert P not in file.name
        assert P.encode() not in file.read_bytes()


def test_a_drivers_error_is_shown_without_the_secrets_in_it() -> None:
    text = urls.without(f"cannot connect with {P}x and {P}", [P, None, f"{P}x", ""])
    assert text == "cannot connect with [redacted] and [redacted]"
