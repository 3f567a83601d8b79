"""Passwords on command lines whose short options take one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from chained_logging.redact.names import compile_bytes
from chained_logging.redact.plain import is_plain
from chained_logging.redact.spans import MANY, Span, all_of, end_of

FLAGS: Final = {
    rb"mysql\w*|mariadb[\w-]*|mongo\w*|sshpass|plink|pscp|rar|unrar|zip|unzip|7z[ar]?": rb"-p",
    rb"redis-cli|valkey-cli": rb"-a",
    rb"curl|wget|http|https": rb"(?:-u|--user|--proxy-user|-U|--auth|-a)",
    rb"sqlcmd|bcp|smbclient|rdesktop": rb"-[PUp]",
    rb"ldap\w+": rb"-w",
    rb"docker|podman|helm|az|oc|nats": rb"-p",
    rb"openssl": rb"-pass(?:in|out)?",
}
_COMMAND: Final = compile_bytes(rb"\b(?:" + b"|".join(FLAGS) + rb")(?:\.exe)?[ \t]")
_COMMANDS: Final = tuple(
    (
        re.compile(rb"(?:" + names + rb")\Z"),
        re.compile(rb"[ \t]" + flag + rb"[ \t=]?([^\s\"'|;&]+)"),
    )
    for names, flag in FLAGS.items()
)
_COMMAND_LINE: Final = re.compile(rb"[^\r\n|;&]{0,512}")


def commands(data: bytes) -> Iterator[Span]:
    """Find the passwords of command lines whose short options take one."""
    at = 0
    for _ in range(MANY):
        found = _COMMAND.find(data, at)
        if found is None:
            return
        start, at = found[0]
        name = data[start:at].strip().removesuffix(b".exe")
        end = end_of(_COMMAND_LINE, data, at)
        for names, flag in _COMMANDS:
            if names.match(name):
                for given in flag.finditer(data, at - 1, end):
                    if _takes_secret(name, given[1]):
                        yield given.span(1)
        at = end
    yield from all_of(data)


def _takes_secret(name: bytes, value: bytes) -> bool:
    if name in (b"curl", b"wget", b"http", b"https"):
        return b":" in value
    if name in (b"docker", b"podman", b"helm", b"az", b"oc", b"nats"):
        return not is_plain(value) and b":" not in value
    return value[:1] != b"-"
