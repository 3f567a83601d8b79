"""Nobody sees what they may not see: not by any address, filter, facet, count, search or file.

Two logs differ only in what is hidden. Every answer to the same question must be the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from findings import finding
from periods import event, write_log
from signed_logs import ORIGIN, Key
from viewers import Access, as_copy, client, links, steady

from chained_logging import AuditLog
from chained_logging.event.entry import AuditEntry
from chained_logging.review.alerts.alert import RAISE, context_of
from chained_logging.review.filter import ANY, Filter
from chained_logging.review.opening import open_log
from chained_logging.review.viewer.access import ALWAYS, FIELDS, Denied, NarrowedEngine

OTHERS = [
    {
        "actor": "mallory",
        "actor_type": "admin",
        "ip": "192.0.2.66",
        "resource": "invoice/66",
        "resources": ["letter/66"],
        "result": "denied",
        "on_behalf_of": "boss",
        "session_id": "s-66",
        "user_agent": "curl/66",
        "trace_id": f"{66:032x}",
        "changed_fields": ["salary"],
        "old_values": {"salary": "sixtysix"},
        "reason": "mallory's reason",
        "note": "sixtysix",
    },
    {
        "actor": "trent",
        "actor_type": "service",
        "ip": "198.51.100.77",
        "resource": "contract/77",
        "resources": ["parcel/77", "parcel/78"],
        "result": "failure",
        "on_behalf_of": "chief",
        "session_id": "s-77",
        "user_agent": "wget/77",
        "trace_id": f"{77:032x}",
        "changed_fields": ["grade"],
        "old_values": {"grade": "seventyseven"},
        "reason": "trent's reason",
        "note": "seventyseven",
    },
]
QUERIES = [
    "",
    *("tenant=t-2", "tenant=t-1&tenant=t-2", "tenant=t-3", "incomplete=true", "seq=0-3", "seq=2"),
    *("actor_type=admin", "actor_type=service", "result=denied", "result=failure", "action=delete"),
    *("actor=mallory", "actor=trent", "actor=ann", "actor=an", "actor=malory", "ip=192.0.2.66"),
    *(
        "ip=198.51.100.77",
        "resource=invoice",
        "resource=66",
        "resource=letter/66",
        "resource=parcel",
    ),
    *("on_behalf_of=boss", "session=s-66", "user_agent=curl/66", "changed=salary", "changed=grade"),
    *(
        "text=sixtysix",
        "text=seventy*",
        "text=reason",
        "text=note",
        "text=own",
        "trace_id=" + f"{66:032x}",
    ),
    *("since=2024-11-20", "until=2024-10-03", "before=7", "before=999999", "foo=1"),
]
PATHS = ["/entries", "/entries.csv", "/entries.jsonl", "/entries.zip", "/"]
PAGES = [
    *(f"{path}?{query}" for path in PATHS for query in QUERIES),
    *(f"/entry/{seq}{form}" for seq in range(12) for form in ("", ".json")),
    *(f"/actor?id={id}" for id in ("mallory", "trent", "ann", "chained_logging", "nobody")),
    *(f"/resource?id={id}" for id in ("invoice/66", "contract/77", "patient_record/456", "66")),
    *("/alerts", "/alerts?tenant=t-1", "/reviews", "/entries?action=alert.raise"),
    *(f"/entry/{seq}{form}" for seq in range(36, 41) for form in ("", ".json")),
]


def crawled(viewer: Any, most: int = 80) -> Iterator[tuple[str, int, str]]:
    """Yield the answers to all these addresses, and to what their pages link to."""
    waiting, seen = list(PAGES), set(PAGES)
    for number, path in enumerate(waiting):
        answer = viewer.get(path)
        yield path, answer.status_code, steady(answer.text)
        if number < len(PAGES) + most and answer.headers["content-type"].startswith("text/html"):
            new = [link for link in links(answer.text) if link not in seen and "/proof" not in link]
            waiting += new[: max(0, len(PAGES) + most - len(waiting))]
            seen.update(new)


def tenants_log(folder: Path, other: dict[str, Any]) -> Path:
    """Return a log in which two others differ from log to log, and a third is always the same."""
    events = []
    for number in range(9):
        mine = event(number, actor="ann", tenant="t-1", reason="own", note="own word")
        theirs = event(number + 0.1, **other, tenant="t-2")
        nobodys = event(number + 0.2, **other)
        events += [mine, theirs, nobodys, {**theirs, "actor": ""}]
    folder.mkdir()
    key = Key()
    path = write_log(folder / "audit.db", events, key=key, origin=ORIGIN)
    with AuditLog(path, key=key) as log:  # one alert about the others, and one about all
        for entries in ((2,), (1, 2)):
            about = finding(subject=other["actor"], sentence=other["note"], entries=entries)
            log.note(RAISE, **context_of(about))
    return as_copy(path)


def test_a_user_of_one_tenant_gets_nothing_of_another(tmp_path: Path) -> None:
    access = Access("ann", tenants=["t-1"])
    answers = [
        dict((path, (status, body)) for path, status, body in crawled(client(log, access)))
        for log in (
            tenants_log(tmp_path / str(number), other) for number, other in enumerate(OTHERS)
        )
    ]
    assert answers[0].keys() == answers[1].keys()
    assert len(answers[0]) > 200
    for path, answer in answers[0].items():
        assert answer == answers[1][path], path
    for path, (status, body) in answers[0].items():
        for secret in ("mallory", "192.0.2.66", "letter/66", "sixtysix", "boss", "curl/66"):
            assert secret not in body or secret in path, (path, secret)
        assert status in (200, 400, 403, 404), path
    assert "9</strong> entries" in answers[0]["/entries?"][1]
    assert answers[0]["/entries?tenant=t-2"][0] == 403
    assert answers[0]["/entries?tenant=t-3"][0] == 403  # alike, whether it exists or not
    assert answers[0]["/entries.jsonl?"][1].count("\n") == 9
    assert answers[0]["/alerts"][0] == 403
    assert "mallory" in client(tmp_path / "0" / "audit.db").get("/alerts").text


def test_a_proof_is_given_for_entries_that_may_be_seen_alone(tmp_path: Path) -> None:
    viewer = client(tenants_log(tmp_path / "log", OTHERS[0]), Access("ann", tenants=["t-1"]))
    assert [viewer.get(f"/entry/{seq}/proof").status_code for seq in range(6)] == [
        *(404, 200, 404, 404, 404, 200)
    ]
    assert viewer.get("/entry/99999/proof").text == viewer.get("/entry/99999/proof").text


HIDDEN = {
    *("ip_address", "user_agent", "session_id", "trace_id", "old_values", "reason", "context"),
    *("on_behalf_of", "changed_fields", "resources", "actor_type"),
}


def hidden_log(folder: Path, other: dict[str, Any]) -> Path:
    """Return a log whose entries differ from log to log in hidden fields alone."""
    shown = {"actor": "ann", "resource": "patient_record/456", "result": "success"}
    kept = {**other, **shown, "actor_type": "user" if other is OTHERS[0] else "admin"}
    folder.mkdir()
    events = [event(number, **kept) for number in range(9)]
    events.append(event(3, **{**kept, "ip": f"no address {other['note']}"}))
    return as_copy(write_log(folder / "audit.db", events, key=Key(), origin=ORIGIN))


def test_hidden_fields_are_hidden_everywhere(tmp_path: Path) -> None:
    access = Access("ann", fields=FIELDS - HIDDEN)
    logs = [hidden_log(tmp_path / str(number), other) for number, other in enumerate(OTHERS)]
    answers = [
        dict((path, (status, body)) for path, status, body in crawled(client(log, access)))
        for log in logs
    ]
    assert answers[0].keys() == answers[1].keys()
    for path, answer in answers[0].items():
        assert answer == answers[1][path], path
    asked = ("ip=192.0.2.66", "text=sixtysix", "changed=salary", "resource=letter/66")
    assert {answers[0][f"/entries?{query}"][0] for query in asked} == {403}
    assert answers[0]["/entries?incomplete=true"][0] == 403
    assert client(logs[0], access).get("/entry/2/proof").status_code == 403
    line = client(logs[0], access).get("/entry/2.json").json()
    assert line["actor_id"] == "ann"
    assert not {"hash", "prev_hash", "signature", *HIDDEN} & line.keys() - {"context"}
    assert line["context"] == {}


def test_no_page_links_to_what_is_refused(tmp_path: Path) -> None:
    viewer = client(hidden_log(tmp_path / "log", OTHERS[0]), Access("ann", fields=FIELDS - HIDDEN))
    for page in ("/", "/entries", "/entry/2", "/actor?id=ann"):
        for link in set(links(viewer.get(page).text)):
            if not link.startswith("#"):
                assert viewer.get(link).status_code == 200, (page, link)


def test_values_as_given_of_hidden_fields_are_hidden_too(tmp_path: Path) -> None:
    access = Access("ann", fields=FIELDS - {"ip_address"})
    path = hidden_log(tmp_path / "log", OTHERS[0])
    assert client(path).get("/entry/10.json").text.count("no address") == 1
    answer = client(path, access).get("/entry/10.json").text
    assert "no address" not in answer
    assert '"invalid":{}' in answer  # that it is incomplete is said
    assert client(path, access).get("/entries?text=address").status_code == 403


@pytest.mark.parametrize("name", sorted(FIELDS - ALWAYS))
def test_each_field_can_be_hidden_alone(tmp_path: Path, name: str) -> None:
    path = hidden_log(tmp_path / "log", OTHERS[0])
    viewer = client(path, Access("ann", fields=FIELDS - {name}))
    assert name not in viewer.get("/entry/2.json").json() or name == "context"
    for page in ("/", "/entries", "/entry/2", "/entries.csv"):
        assert viewer.get(page).status_code == 200, page


def test_access_must_name_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"several names: \['t-1'\]"):
        Access("ann", tenants="t-1")
    with pytest.raises(ValueError, match="refuse access instead"):
        Access("ann", tenants=[])
    with pytest.raises(ValueError, match="not adress"):
        Access("ann", fields=["adress"])


def test_a_filter_is_narrowed_to_tenants_and_never_widened() -> None:
    access = Access("ann", tenants=["a", "b"])
    assert access.narrowed(ANY).tenant == ("a", "b")
    assert access.narrowed(Filter(tenant=("b", "c"))).tenant == ("b",)
    with pytest.raises(Denied):
        access.narrowed(Filter(tenant=("c",)))
    assert Access("ann").narrowed(Filter(tenant=("c",))).tenant == ("c",)


def test_the_engine_narrows_each_question(tmp_path: Path) -> None:
    path = tenants_log(tmp_path / "log", OTHERS[0])
    with open_log(str(path)) as whole:
        engine = NarrowedEngine(whole.store, Access("ann", tenants=["t-1"]))
        assert engine.count() == engine.scope().entries == len(list(engine.every())) == 9
        assert engine.facets()["actor_id"] == [("ann", 9)]
        assert sum(sum(day.values()) for day in engine.histogram().values()) == 9
        assert engine.ask("failed-attempts").rows == []
        hiding = NarrowedEngine(whole.store, Access("ann", fields=FIELDS - {"ip_address"}))
        assert "ip_address" not in hiding.facets()
        with pytest.raises(Denied):
            hiding.ask("logins")


def test_an_entry_of_which_all_may_be_seen_is_as_it_is_stored() -> None:
    entry = AuditEntry(b"{}", "0" * 64)
    assert Access("ann").shown(entry) is entry


def test_addresses_with_odd_values_are_no_way_around(tmp_path: Path) -> None:
    viewer = client(tenants_log(tmp_path / "log", OTHERS[0]), Access("ann", tenants=["t-1"]))
    for odd in ("t-1%00", "t-2%20", "T-2", quote("t-1' OR 1=1 --"), "*", "t-*", "%FF"):
        answer = viewer.get(f"/entries.jsonl?tenant={odd}")
        assert answer.status_code == 403, odd
    assert viewer.get("/entries.jsonl?tenant=t-1&TENANT=t-2").status_code == 400
    assert viewer.get("/entries.jsonl?tenant=").text.count("\n") == 9
