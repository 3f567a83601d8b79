"""The snippets of a page of documentation, and how they are run: as a reader pastes them.

A page's ``sh`` and ``python`` snippets run in their order, in one folder that is empty at first.
Each ``python`` snippet is a program of its own. A fence with a title, as in ```` ```toml
title="logging.toml" ````, is written to the file of that name first. Fences in other languages are
not run. A comment before a fence says what else there is to know of it:

``<!-- snippet: continues -->``
    It goes on from the Python snippets before it, in one program with them.
``<!-- snippet: fails 1 -->``
    Its exit status, where that is not 0.
``<!-- snippet: not run: reason -->``
    It cannot be run by a test.

A comment ``<!-- page: servers postgresql s3 nats -->`` anywhere in the page asks for servers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from folders import ROOT
from markdown_it import MarkdownIt

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

MODULES = {
    "alerts": ["tenacity"],
    "apprise": ["apprise", "tenacity"],
    "loguru": ["loguru"],
    "nats": ["nats", "tenacity"],
    "otlp": ["tenacity"],
    "postgres": ["psycopg", "tenacity"],
    "s3": ["boto3", "tenacity"],
    "ship": ["tenacity"],
    "structlog": ["structlog"],
    "timestamp": ["rfc3161_client"],
}
"""What each extra of the package brings."""

_DIRECTIVE = re.compile(r"<!-- snippet: (.*?) -->", re.DOTALL)
_SERVERS = re.compile(r"<!-- page: servers (.*?) -->")
_INSTALL = re.compile(r"chained_logging\[([a-z0-9,]+)\]|'\.\[([a-z0-9,]+)\]'")


@dataclass
class Snippet:
    """One fence of a page."""

    line: int
    language: str
    code: str
    status: int = 0
    not_run: str | None = None
    file: str | None = None


def snippets(page: Path) -> Iterator[Snippet]:
    """Yield what a page has to run or to write, in order."""
    said, before = "", ""
    for token in MarkdownIt().parse(page.read_text()):
        if token.type == "html_block" and (found := _DIRECTIVE.search(token.content)):
            said = found[1].strip()
        if token.type != "fence":
            continue
        language, _, rest = token.info.partition(" ")
        title = re.search(r'title="([^"]+)"', rest)
        snippet = Snippet((token.map or [0])[0] + 1, language, token.content)
        if title:
            snippet.file = title[1]
        if said.startswith("not run:"):
            snippet.not_run = said.removeprefix("not run:").strip()
        elif said.startswith("fails "):
            snippet.status = int(said.removeprefix("fails "))
        elif said == "continues":
            snippet.code = before + snippet.code
        elif said:
            raise ValueError(f"{page.name}:{snippet.line}: no such directive: {said}")
        said = ""
        if language == "python":
            before = snippet.code + "\n"
        if title or language in ("sh", "python"):
            yield snippet


def servers(page: Path) -> list[str]:
    """Return which servers a page needs: ``postgresql``, ``s3``, ``nats``."""
    found = _SERVERS.search(page.read_text())
    return found[1].split() if found else []


def absent(page: Path) -> set[str]:
    """Return the modules that a reader of this page does not have: of extras it does not name."""
    named = {
        extra
        for groups in _INSTALL.findall(page.read_text())
        for group in groups
        for extra in group.split(",")
    }
    if "dev" in named:
        return set()
    present = {module for extra in named for module in MODULES.get(extra, [])}
    return {module for modules in MODULES.values() for module in modules} - present
