"""What options and arguments may be, and the sentence that says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from chained_logging.cli.types import FILE_MODE, HTTP_ADDRESS, NUMBERS, FilePath


def converted(kind: click.ParamType, text: Any) -> Any:
    return kind.convert(text, None, None)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (FILE_MODE, "660", 0o660),
        (FILE_MODE, "0600", 0o600),
        (HTTP_ADDRESS, "127.0.0.1:8181", ("127.0.0.1", 8181)),
        (HTTP_ADDRESS, "[::1]:0", ("::1", 0)),
        (NUMBERS, "3", [3]),
        (NUMBERS, "0-3,9, 2", [0, 1, 2, 3, 9]),
        (NUMBERS, [1, 2], [1, 2]),  # a default, which was converted before
    ],
)
def test_a_text_becomes_a_value(kind: click.ParamType, text: Any, value: Any) -> None:
    assert converted(kind, text) == value


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        *((FILE_MODE, text, "three octal digits") for text in ("", "66", "rw-", "899", "1660")),
        *(
            (HTTP_ADDRESS, text, "an address and a port")
            for text in ("", "127.0.0.1", "127.0.0.1:", "h:123456", "h:-1")
        ),
        *((NUMBERS, text, "numbers such as") for text in ("", "a", "1,", "3-1", "-1", "1-2-3")),
    ],
)
def test_another_text_is_refused_with_an_example(
    kind: click.ParamType, text: str, said: str
) -> None:
    with pytest.raises(click.BadParameter, match=f"^must be {said}"):
        converted(kind, text)


@pytest.mark.parametrize("url", ["postgresql://ann:s3cret@h/d", "s3://bucket/s3cret"])
def test_an_address_is_no_file_and_is_not_shown(url: str) -> None:
    with pytest.raises(click.BadParameter) as refused:
        converted(FilePath(), url)
    assert "must be a file" in refused.value.message
    assert "s3cret" not in str(refused.value)


def test_a_file_is_taken_whatever_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert converted(FilePath(), "audit.db") == "audit.db"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s3:" / "b").mkdir(parents=True)
    assert converted(FilePath(), "s3://b") == "s3://b"
