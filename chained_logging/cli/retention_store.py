"""``retention`` for central stores, which carry out what the log decided."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from chained_logging.cli.options import origin_option, raw_public_key
from chained_logging.cli.output import complain, say
from chained_logging.cli.progress import asked_twice, bar
from chained_logging.review.moments import spoken
from chained_logging.review.retention.at_store import (
    DoneThere,
    Due,
    StoreView,
    apply_at_store,
    look_at_store,
)
from chained_logging.review.sources import only
from chained_logging.ship import PurgingDestination, open_destination
from chained_logging.text import printable


def store_options(command: Any) -> Any:
    """Add the options about a log in a store."""
    given = click.option(
        "--public-key", metavar="KEY", help="Of a store: the log's first public key, as verify."
    )
    return origin_option(given(command))


def plan_there(url: str, origin: str | None, public_key: str | None, json_wanted: bool) -> None:
    """Show what a store has to remove.

    :raises: as :func:`~chained_logging.review.retention.at_store.look_at_store`.
    """
    with _opened(url, origin) as (store, name):
        _show(look_at_store(store, name, raw_public_key(public_key)), json_wanted)


def apply_there(
    url: str,
    origin: str | None,
    public_key: str | None,
    unsigned: bool,
    yes: bool,
    json_wanted: bool,
) -> None:
    """Have a store remove what its log decided.

    :raises: as :func:`~chained_logging.review.retention.at_store.apply_at_store`.
    """
    with _opened(url, origin) as (store, name):
        view = look_at_store(store, name, raw_public_key(public_key))
        _require_trust(view, unsigned)
        if not json_wanted:
            _show(view, False)
        if not yes:
            asked_twice(view.count(), view.name)
        with bar(view.count()) as on_progress:
            done = apply_at_store(store, view, on_progress)
    _tell(view, done, json_wanted)
    if any(one.doubt for one in view.due) or not all(clean for _, clean in done.parts):
        sys.exit(1)


@contextmanager
def _opened(url: str, origin: str | None) -> Iterator[tuple[PurgingDestination, str]]:
    store = open_destination(url)
    try:
        if not isinstance(store, PurgingDestination):
            raise click.UsageError(f"{store.name} removes nothing that a log decides")
        yield store, only(store, origin)
    finally:
        store.close()


def _require_trust(view: StoreView, unsigned: bool) -> None:
    if view.signed and not view.confirmed:
        raise click.UsageError(
            "give --public-key, the log's first key, from elsewhere: anyone who may ship to the "
            "store can have put another log there under this name"
        )
    if not view.signed and not unsigned:
        raise click.UsageError(
            "the log has not got a key, so anyone who may ship to the store could have written its "
            "decisions: give --unsigned to carry them out anyway"
        )


def _show(view: StoreView, json_wanted: bool) -> None:
    if json_wanted:
        click.echo(json.dumps(_as_json(view)))
        return
    for one in view.due:
        say(_of(one))
    if not view.due:
        say(f"{view.name} {view.origin}: nothing is left of what the log let go")
    for remark in _remarks(view):
        complain(remark)


def _of(one: Due) -> str:
    apply = one.apply
    said = (
        f"entry {apply.seq} of {spoken(apply.timestamp)}, by {apply.by or 'nobody named'}: "
        f"{one.left:,} of {apply.ranges.count():,} entries are still there under the policy "
        f"{printable(apply.policy)}"
    )
    if one.doubt is not None:
        return f"{said}, and stay: {one.doubt}"
    return said + "".join(
        f"; {count:,} kept by the hold {printable(case)}"
        for case, count in sorted(one.held.items())
    )


def _remarks(view: StoreView) -> list[str]:
    unheld = [
        f"{one} has entries under a hold, and no legal hold: run hold sync" for one in view.unheld
    ]
    return [*view.survey.applies.remarks, *view.survey.holds.remarks, *unheld]


def _as_json(view: StoreView) -> dict[str, Any]:
    return {
        "store": view.name,
        "origin": view.origin,
        "signed": view.signed,
        "removable": view.count(),
        "due": [
            {
                "by": one.apply.seq,
                "policy": one.apply.policy,
                "entries": one.apply.ranges.count(),
                "left": one.left,
                "held": dict(one.held),
                "doubt": one.doubt,
            }
            for one in view.due
        ],
        "remarks": _remarks(view),
    }


def _tell(view: StoreView, done: DoneThere, json_wanted: bool) -> None:
    if json_wanted:
        about = {"removed": done.removed, "parts": dict(done.parts)}
        click.echo(json.dumps(_as_json(view) | {"done": about}))
        return
    say(f"{done.removed:,} {'entry' if done.removed == 1 else 'entries'} removed")
    for part, clean in done.parts:
        if clean:
            say(f"{part}: nothing of removed entries is left in it")
        else:
            complain(
                f"{part}: removed entries may still be read in its files, as somebody uses it; run "
                "the command again later"
            )
