"""An entry that is shown is compared with its hash and with its neighbours."""

from __future__ import annotations

from pathlib import Path

import pytest
from chains import EVENT

from chained_logging import AuditLog
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.review.neighbours import first_fault, with_neighbours

Records = dict[int, Record | Stub]


@pytest.fixture
def chain(tmp_path: Path) -> Records:
    with AuditLog(tmp_path / "audit.jsonl") as log:
        for _ in range(5):
            log.append("read", **EVENT)
        return {record.seq: record for record in log.records()}


def test_neighbours_are_named_once_and_in_order() -> None:
    assert with_neighbours([7, 3, 4]) == [2, 3, 4, 5, 6, 7, 8]


def test_a_chain_has_no_fault(chain: Records) -> None:
    for seq in chain:
        assert first_fault([seq], chain, 0, 5) is None


def test_the_ends_of_a_log_have_no_neighbours(chain: Records) -> None:
    part = {seq: chain[seq] for seq in (2, 3)}
    assert first_fault([2, 3], part, 2, 3) is None


def test_an_entry_that_was_edited_is_a_fault(chain: Records) -> None:
    entry = chain[3]
    assert isinstance(entry, Record)
    chain[3] = entry._replace(body=entry.body.replace(b"success", b"failure"))
    assert first_fault([3], chain, 0, 5) == "the hash of entry 3 is not that of its content"
    assert first_fault([4], chain, 0, 5) is None  # it is not shown, and its hash is the old one


@pytest.mark.parametrize("shown", [2, 4])
def test_an_entry_that_is_missing_beside_one_is_a_fault(chain: Records, shown: int) -> None:
    del chain[3]
    assert first_fault([shown], chain, 0, 5) == "entry 3 is missing"


@pytest.mark.parametrize(("shown", "fault"), [(3, (3, 2)), (2, (3, 2))])
def test_an_entry_that_another_one_does_not_follow_is_a_fault(
    chain: Records, shown: int, fault: tuple[int, int]
) -> None:
    """Somebody put another entry in the place of one, and gave it the hash of its content."""
    other = chain[2]._replace(hash="0" * 64)
    part = {**chain, 2: other} if shown == 3 else {**chain, 3: chain[4]._replace(seq=3)}
    assert first_fault([shown], part, 0, 5) == "entry {} does not follow entry {}".format(*fault)


def test_what_retention_removed_is_not_missing_and_its_hash_still_links(chain: Records) -> None:
    chain[3] = Stub(3, chain[3].hash, None)
    assert first_fault([2, 4], chain, 0, 5) is None
    chain[3] = Stub(3, "0" * 64, None)
    assert first_fault([2, 4], chain, 0, 5) == "entry 4 does not follow entry 3"
