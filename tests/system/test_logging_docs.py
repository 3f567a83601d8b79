"""Each example of the guides to loggers leaves the entry that its text promises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from chains import check_chain
from folders import ROOT
from programs import run_to_end

GUIDES = [ROOT / "docs" / "guide" / f"{name}.md" for name in ("logging", "loguru", "structlog")]
TEXT = "".join(guide.read_text() for guide in GUIDES)
SECTIONS = {
    part.partition("\n")[0]: part for part in TEXT.split("\n## ")[1:] if "```python" in part
}


@pytest.mark.parametrize("section", SECTIONS)
def test_the_example_leaves_one_complete_entry(section: str, tmp_path: Path) -> None:
    files = re.findall(r'```\w+ title="(\S+)"\n(.*?)```', SECTIONS[section], re.DOTALL)
    for name, content in files:
        (tmp_path / name).write_text(content)
    (code,) = re.findall(r"```python\n(.*?)```", SECTIONS[section], re.DOTALL)
    done = run_to_end(code, tmp_path)
    (log,) = [path for path in tmp_path.glob("audit.*") if path.suffix in (".db", ".jsonl")]
    _, entry = check_chain(log)
    assert (entry["action"], entry["actor_id"], entry["ip_address"]) == (
        *("read", "user-123"),
        "10.0.0.1",
    )
    assert (entry["resource_type"], entry["resource_id"]) == ("patient_record", "456")
    assert "invalid" not in entry["context"]
    if section == "Configuration from JSON":
        assert done.stderr == "read\nan ordinary line\n"


def test_there_is_an_example_for_each() -> None:
    assert len(SECTIONS) == 8
