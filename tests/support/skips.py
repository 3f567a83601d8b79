"""What was skipped for want of a program or a package, and the commands that install it."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

PROGRAMS = {
    "ceph": "ceph-common",
    "ceph-mon": "ceph-mon",
    "ceph-osd": "ceph-osd",
    "chromedriver": "chromium-driver",
    "chromium": "chromium",
    "logrotate": "logrotate",
    "monmaptool": "ceph-common",
    "nats-server": "nats-server",
    "node": "nodejs",
    "npm": "npm",
    "openssl": "openssl",
    "PostgreSQL": "postgresql",
    "radosgw": "radosgw",
    "radosgw-admin": "radosgw",
    "rsyslog-openssl": "rsyslog-openssl",
    "rsyslog-relp": "rsyslog-relp",
    "rsyslogd": "rsyslog",
    "strace": "strace",
    "systemd-analyze": "systemd",
    "unshare": "util-linux",
}
"""The packages of Debian and Ubuntu that have the programs which tests start."""

_OPTIONAL = {"attrs", "msgspec", "pandas"}  # too large for an environment, or in it by chance
_ABSENT = re.compile(r"could not import '([\w.]+)'|[Pp]ython package ([\w.]+) is not installed")


def commands(reasons: Iterable[str]) -> list[str]:
    """Return the commands that install what these reasons for a skip say is missing."""
    programs: set[str] = set()
    modules: set[str] = set()
    for reason in reasons:
        if found := _ABSENT.search(reason):
            modules.add((found[1] or found[2]).partition(".")[0])
        elif "not installed" in reason:
            words = set(re.findall(r"[\w-]+", reason))
            programs |= {PROGRAMS[word] for word in words & PROGRAMS.keys()}
            if "pgserver" in words or "gunicorn" in words:
                modules.add("dev")
    made = [f"apt-get install {' '.join(sorted(programs))}"] if programs else []
    if modules - _OPTIONAL:
        made.append("pip install -e '.[dev]'")
    if modules & _OPTIONAL:
        made.append(f"pip install {' '.join(sorted(modules & _OPTIONAL))}")
    return made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how to run what was skipped."""
    skipped = terminalreporter.stats.get("skipped", ())
    found = commands(report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple))
    if found:
        terminalreporter.section("to run the tests that were skipped")
        for command in found:
            terminalreporter.write_line(command)
