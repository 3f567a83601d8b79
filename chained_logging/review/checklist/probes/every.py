"""All probes, by the names under which points and clauses ask for them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

from chained_logging.review.checklist.answer import Found, unseen
from chained_logging.review.checklist.probes import (
    alarms,
    chain,
    clock,
    entries,
    failures,
    files,
    retention,
    reviews,
    routine,
    shipping,
    stores,
)
from chained_logging.review.checklist.subject import UNSEEABLE, Subject

PROBES: Final[Mapping[str, Callable[..., Found]]] = {
    "fields": entries.fields,
    "recording": entries.recording,
    "beginnings": entries.beginnings,
    "refusals": entries.refusals,
    "administrators": entries.administrators,
    "reads": entries.reads,
    "intact": chain.intact,
    "signed": chain.signed,
    "outside": chain.outside,
    "modes": files.modes,
    "key": files.key,
    "shipped": shipping.shipped,
    "transport": shipping.transport,
    "append_only": stores.append_only,
    "worm": stores.worm,
    "who_reads": stores.who_reads,
    "kept": retention.kept,
    "at_hand": retention.at_hand,
    "ends": retention.ends,
    "clock": clock.clock,
    "clock_settings": clock.clock_settings,
    "backlog": failures.backlog,
    "losses": failures.losses,
    "detection": alarms.detection,
    "delivery": alarms.delivery,
    "answered": alarms.answered,
    "watched": routine.watched,
    "reviewed": reviews.reviewed,
    "backed_up": routine.backed_up,
}


def asked(subject: Subject, call: str) -> Found:
    """Return what a probe found, or why it could not look.

    :param call: its name, and perhaps a number of days: ``kept 365``.
    """
    name, _, days = call.partition(" ")
    try:
        found = PROBES[name](subject, *([int(days)] if days else []))
    except UNSEEABLE as problem:
        found = unseen(f"could not look: {problem}")
    except (AttributeError, KeyError, RecursionError, TypeError):
        found = unseen("could not look: an entry does not have the form that this log gives it")
    return dataclasses.replace(found, probe=name)
