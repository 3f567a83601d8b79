"""What a receiver is told."""

from __future__ import annotations

import json

from alerts import ID, ORIGIN, notification


def test_the_text_says_what_happened_and_where_to_look() -> None:
    text = notification(entries=tuple(range(1, 13)), count=40).text
    assert text.splitlines() == [
        "Ann did it.",
        "Rule: a-rule (high)",
        "About: ann",
        "When: 2026-03-02T10:00:00.000000Z to 2026-03-02T10:00:00.000000Z",
        "Entries: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 30 more",
        f"Log: {ORIGIN}",
        f"Alert: 7 ({ID})",
    ]


def test_what_others_wrote_adds_no_line_and_steers_no_terminal() -> None:
    said = notification(subject="ann\r\nBcc: eve@example.com", sentence="\x1b[2J\u202e")
    assert said.subject == "[high] a-rule: ann\\r\\nBcc: eve@example.com"
    assert len(said.text.splitlines()) == 7
    assert said.text.isascii()


def test_programs_get_all_of_it_on_one_line() -> None:
    line = notification(subject="a\nb").to_json()
    assert line.count(b"\n") == 1
    said = json.loads(line)
    assert (said["type"], said["id"], said["seq"], said["origin"]) == ("alert.raise", ID, 7, ORIGIN)
    assert (said["subject"], said["entries"]) == ("a\nb", [1])
