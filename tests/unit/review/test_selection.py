"""Which entries are handed over, and in which words."""

from __future__ import annotations

from hashlib import sha256

import pytest

from chained_logging.review.filter import ANY, Filter
from chained_logging.review.selection import MAX_SAMPLE, Selection, drawn, is_period

ROOT = sha256(b"root").digest()


def test_the_draw_is_the_one_of_the_specification() -> None:
    # docs/format.md: the SHA-256 of a line, the root and a number, as a number, modulo.
    numbers: list[int] = []
    counter = 0
    while len(numbers) < 25:
        text = b"chained-logging sample v1\n" + ROOT + counter.to_bytes(8, "big")
        number = int(sha256(text).hexdigest(), 16) % 1000
        if number not in numbers:
            numbers.append(number)
        counter += 1
    assert drawn(ROOT, 1000, 25) == sorted(numbers)
    assert drawn(ROOT, 1000, 25) != drawn(sha256(b"other").digest(), 1000, 25)


@pytest.mark.parametrize("count", [5, 6, 100])
def test_a_sample_of_all_is_all(count: int) -> None:
    assert drawn(ROOT, 5, count) == [0, 1, 2, 3, 4]


def test_each_entry_is_drawn_about_as_often() -> None:
    counts = [0] * 10
    for number in range(500):
        for at in drawn(sha256(str(number).encode()).digest(), 10, 3):
            counts[at] += 1
    assert min(counts) > 100
    assert max(counts) < 200


@pytest.mark.parametrize(
    ("text", "period"),
    [("", True), ("seq=1-2", True), ("since=2026-01-01", True), ("action=read", False)],
)
def test_times_and_numbers_are_a_period(text: str, period: bool) -> None:
    assert is_period(Filter.parse(text)) is period


def test_a_period_goes_from_the_first_to_the_last_that_fits() -> None:
    wanted = Filter.parse("since=2026-01-01Z")
    made = Selection.of(wanted, [3, 5, 6], 9, ROOT, None)
    assert list(made.chosen) == [3, 4, 5, 6]
    assert made.around == [2, 7]
    assert made.claim() == {
        "entries": 4,
        "filter": "since=2026-01-01T00:00:00.000000Z",
        "first_seq": 3,
        "last_seq": 6,
        "population": 4,
        "size": 9,
        "statement": "4 of 9 entries of this log, chosen by this filter: "
        "since 2026-01-01T00:00:00.000000Z",
    }
    assert "from seq 3 to seq 6" in made.meaning


def test_at_the_ends_of_a_log_nothing_is_around() -> None:
    assert Selection.of(ANY, range(9), 9, ROOT, None).around == []
    assert Selection.of(ANY, range(9), 9, ROOT, None).statement.endswith("filter: all")


def test_a_sample_of_a_period_shows_its_ends() -> None:
    made = Selection.of(Filter.parse("seq=100-999"), range(100, 1000), 2000, ROOT, 25)
    assert [seq - 100 for seq in made.chosen] == drawn(ROOT, 900, 25)
    assert {99, 100, 999, 1000}.issuperset(made.around)
    assert not {*made.around} & {*made.chosen}
    assert made.claim()["sample"] == 25
    assert "25 of 2,000 entries of this log, drawn from the 900" in made.statement


def test_a_sample_of_a_filter_is_drawn_from_what_fits() -> None:
    fitting = [1, 5, 7, 11, 200, 201]
    made = Selection.of(Filter.parse("action=read"), fitting, 300, ROOT, 3)
    assert list(made.chosen) == [fitting[at] for at in drawn(ROOT, 6, 3)]
    assert made.around == []


def test_words_cannot_hide_what_is_around_them() -> None:
    made = Selection.of(Filter(actor=("a\n\u202eb", "c")), [1], 3, ROOT, None)
    assert made.statement.endswith("filter: actor a??b or c")


def test_what_cannot_be_chosen_is_refused() -> None:
    with pytest.raises(ValueError, match="no entry that a checkpoint covers fits: by ann"):
        Selection.of(Filter(actor=("ann",)), [], 9, ROOT, None)
    with pytest.raises(ValueError, match="empty value"):
        Selection.of(Filter(actor=("",)), [1], 9, ROOT, None)
    for sample in (0, MAX_SAMPLE + 1):
        with pytest.raises(ValueError, match="a sample must have"):
            Selection.of(ANY, [1], 9, ROOT, sample)
