"""Each sentence with which ``ship`` and ``restore`` fail has its place in the runbooks."""

from __future__ import annotations

import re

from folders import ROOT
from sentences import sentences

RUNBOOKS = (ROOT / "docs" / "runbooks.md").read_text("utf-8")
SECTIONS = re.split(r"^### ", RUNBOOKS, flags=re.MULTILINE)[1:]


def symptoms(section: str) -> list[str]:
    return re.findall(r"^- `(.*)`$", section, flags=re.MULTILINE)


def test_each_sentence_is_under_a_heading() -> None:
    written = {symptom for section in SECTIONS for symptom in symptoms(section)}
    said = sentences()
    assert len(said) > 70
    missing = [f"{where}: {text}" for text, where in said.items() if text not in written]
    assert not missing, "docs/runbooks.md lacks:\n" + "\n".join(missing)
    stale = sorted(written - set(said))
    assert not stale, "nothing says any more:\n" + "\n".join(stale)


def test_each_heading_says_what_to_do_and_how_to_see_that_it_worked() -> None:
    assert len(SECTIONS) > 15
    for section in SECTIONS:
        assert symptoms(section), section
        for part in ("**Meaning.**", "**Do.**", "**It worked when**"):
            assert section.count(part) == 1, (part, section.partition("\n")[0])


def test_no_sentence_is_under_two_headings() -> None:
    written = [symptom for section in SECTIONS for symptom in symptoms(section)]
    assert len(written) == len(set(written))
