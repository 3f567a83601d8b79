"""Passwords on command lines."""

from __future__ import annotations

import pytest

from chained_logging.redact import REDACTED, Redactor
from chained_logging.redact.commands import commands


def given(line: str) -> list[str]:
    data = line.encode()
    return [data[start:end].decode() for start, end in commands(data)]


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("mysql -u root -phunter2 db", "hunter2"),
        ("mysqldump.exe -p hunter2 db", "hunter2"),
        ("redis-cli -h host -a hunter2 ping", "hunter2"),
        ("curl -s -u ann:hunter2 https://example.com", "ann:hunter2"),
        ("ldapsearch -x -w hunter2", "hunter2"),
        ("docker login -u ann -p hunter2", "hunter2"),
        ("openssl rsa -passin pass:hunter2 -in key", "pass:hunter2"),
    ],
)
def test_the_value_of_a_short_option_is_found(line: str, secret: str) -> None:
    assert given(line) == [secret]
    assert Redactor().text(line) == line.replace(secret, REDACTED)


@pytest.mark.parametrize(
    "line",
    [
        "mysql -p -u root",  # the password is asked for
        "curl -u ann https://example.com",
        "docker run -p 8080:80 nginx",
        "docker ps -p web",
        "mkdir -p path",
        "mysql db; ls -phunter2",  # another command
    ],
)
def test_an_option_that_takes_no_password_is_left_alone(line: str) -> None:
    assert given(line) == []


def test_each_command_of_a_line_is_looked_at() -> None:
    assert given("mysql -pone2 | redis-cli -a two3 && curl -u a:b x") == ["one2", "two3", "a:b"]


def test_each_option_of_a_command_is_looked_at() -> None:
    assert given("sqlcmd -S db -U sa -P hunter2") == ["sa", "hunter2"]
    assert given("docker run -p 8080:80 -p Xk9vQ2hunter2") == ["Xk9vQ2hunter2"]
