"""What a log says of what may go: read once, and read on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from retention_logs import ANN, fill, old, purge, stubs

from chained_logging import AuditLog
from chained_logging.errors import BrokenLog
from chained_logging.format.line import leaf_hash
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.review.retention.holds import add_hold
from chained_logging.review.retention.policies import Policy
from chained_logging.review.retention.survey import Survey
from chained_logging.ship.holds import Covered
from chained_logging.sinks import open_sink


def test_what_came_since_is_read_on(path: Path) -> None:
    with AuditLog(path, on_failure="raise") as log:
        log.append(**old(400))
        survey = Survey()
        survey.read(log)
        assert (survey.next, survey.decisions()) == (2, (0, 0, 0))
        add_hold(log, "c", Covered(actor_id="nobody"), "r", ANN)
        survey.read(log)
        assert (survey.next, survey.decisions()) == (3, (0, 1, 0))
    purge(path, Policy("year", 365))
    survey.read(open_sink(path))
    assert survey.decisions()[0] == (path.suffix == ".db")  # the other has no sealed segment


@pytest.mark.parametrize("gone", [0, 2, 3])
def test_a_log_with_a_hole_is_refused_as_it_may_lack_a_hold(path: Path, gone: int) -> None:
    with AuditLog(path) as log:
        for n in range(4):
            log.append(f"a-{n}", **EVENT)
        add_hold(log, "c", Covered(), "r", ANN)
    records = list(open_sink(path).records())
    Survey().read(Kept(records))
    for broken in (
        records[:gone] + records[gone + 1 :],
        [r._replace(body=r.body.replace(b"user-1", b"user-2")) for r in records],
        [*records[:gone], records[gone]._replace(hash="0" * 64), *records[gone + 1 :]],
    ):
        with pytest.raises(BrokenLog, match="nothing is removed from a log that is not intact"):
            Survey().read(Kept(broken))


def test_a_hold_in_whose_place_somebody_put_a_stub_is_missed(path: Path) -> None:
    with AuditLog(path) as log:
        add_hold(log, "c", Covered(), "r", ANN)
    fill(path, [old(400) for _ in range(20)])
    assert purge(path, Policy("year", 365))[1].removed == 0
    items = list(open_sink(path).stored())
    hold = items[1]
    with pytest.raises(BrokenLog, match="entry 1 was removed, and no decision of the log"):
        Survey().read(Kept([items[0], Stub(hold.seq, hold.hash), *items[2:]]))


def test_stubs_that_decisions_name_are_no_fault(path: Path) -> None:
    fill(path, [old(400 if n % 3 else 200) for n in range(20)])
    for days in (365, 100):
        assert purge(path, Policy("p", days))[1].removed
    survey = Survey()
    survey.read(open_sink(path))
    assert survey.decisions()[0] == 2
    assert stubs(path) == set(range(1, 21))


class Kept:
    """A log of given entries."""

    def __init__(self, items: Sequence[Record | Stub]) -> None:
        self._items = items

    def stored(self, start: int = 0) -> Iterator[Record | Stub]:
        return (item for item in self._items if item.seq >= start)


@pytest.mark.parametrize(
    ("about", "counts"),
    [
        ({}, True),
        ({"same_place": "on the same disk"}, False),
        ({"head_seq": "7"}, False),
        ({"head_hash": None}, False),
    ],
)
def test_a_backup_counts_if_it_is_apart(path: Path, about: dict[str, Any], counts: bool) -> None:
    said = {"destination": "/b", "head_seq": 0, "head_hash": "f" * 64}
    survey = Survey()
    with AuditLog(path) as log:
        log.note("backup.make", **said | about)
        log.append("backup.make", **EVENT, context=said | {"destination": "/forged"})
        survey.read(log)
    assert list(survey.backups) == ["/b"] * counts


@pytest.mark.parametrize("context", ["", '"context":[],', '"context":{"destination":1,'])
def test_a_backup_that_no_log_wrote_counts_for_nothing(path: Path, context: str) -> None:
    with AuditLog(path):
        pass
    (first,) = open_sink(path).records()
    ours = '"action":"backup.make","actor_id":"chained_logging","actor_type":"system"'
    body = f'{{{ours},{context}"prev_hash":"{first.hash}","seq":1}}'.encode()
    survey = Survey()
    survey.read(Kept([first, Record(1, body, leaf_hash(body), None)]))
    assert (survey.next, survey.backups) == (2, {})
