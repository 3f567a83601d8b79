"""What a run says of the tests that it skipped."""

from __future__ import annotations

from skips import commands


def test_each_reason_names_what_to_install() -> None:
    reasons = [
        "Skipped: strace is not installed",
        "Skipped: radosgw, ceph-mon not installed: apt-get install …",
        "Skipped: could not import 'trio': No module named 'trio'",
        "Skipped: could not import 'pandas': No module named 'pandas'",
        "Skipped: only root can give a file away",
    ]
    assert commands(reasons) == [
        "apt-get install ceph-mon radosgw strace",
        "pip install -e '.[dev]'",
        "pip install pandas",
    ]


def test_what_nothing_can_install_is_not_mended() -> None:
    assert commands(["Skipped: no IPv6 here"]) == []
