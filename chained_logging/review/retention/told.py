"""What a plan says, as sentences and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chained_logging.review.moments import spoken
from chained_logging.review.retention.apply import Done, View
from chained_logging.review.retention.plan import Part, Plan
from chained_logging.review.retention.policies import Policy


def _count(number: int) -> str:
    return f"{number:,} {'entry' if number == 1 else 'entries'}"


def sentences(view: View) -> Iterator[str]:
    """Yield what a person should know of a plan."""
    plan = view.plan
    before = f", and {_count(plan.stubs)} removed before" if plan.stubs else ""
    yield f"{view.path}: {_count(plan.entries)}, {view.size:,} bytes{before}"
    if not plan.policies:
        yield "no policy: add a table [retention.NAME] to chained-logging.toml"
    for policy in plan.policies:
        yield _of_policy(policy, plan)
    yield from _kept(view)
    if len(plan.left):
        yield (
            f"{_count(plan.left.count())} that the log says were removed are still there: run "
            "retention apply"
        )


def _of_policy(policy: Policy, plan: Plan) -> str:
    parts = [part for part in plan.parts if part.policy is policy]
    head = f"{policy.name} ({policy.words()}{f'; {policy.clause}' if policy.clause else ''})"
    if not parts:
        return f"{head}: nothing would go from before {spoken(plan.befores[policy.name])}"
    count = sum(part.count for part in parts)
    oldest, newest = min(part.oldest for part in parts), max(part.newest for part in parts)
    size = sum(part.size for part in parts)
    return (
        f"{head}: {_count(count)} would go, from {spoken(oldest)} to {spoken(newest)}, "
        f"{size:,} bytes"
    )


def _kept(view: View) -> Iterator[str]:
    """Yield what stays, and why."""
    plan = view.plan
    for case, count in sorted(plan.held.items()):
        yield f"kept by the hold {case}: {_count(count)}"
    if plan.left_held:
        yield f"named as removed, and kept by a hold that came later: {_count(plan.left_held)}"
    if plan.without_copy:
        why = view.copies.problem or f"verified elsewhere is entry {view.copies.until}"
        yield f"not verified elsewhere: {_count(plan.without_copy)} ({why})"
    if plan.waiting:
        yield (
            f"in the file that is written to: {_count(plan.waiting)}; they go once it is sealed "
            "(max_age, max_bytes)"
        )
    if plan.unselected:
        yield f"old, and no policy is about them: {_count(plan.unselected)}"
    if plan.unreadable:
        yield f"kept because they cannot be read: {_count(plan.unreadable)}"
    for (longer, shorter), count in sorted(plan.conflicts.items()):
        if count:
            yield (
                f"conflict: {shorter} would let {_count(count)} go that {longer} keeps; the longer "
                "period counts"
            )


def as_json(view: View) -> dict[str, Any]:
    """Return a plan as JSON types."""
    plan = view.plan
    return {
        "log": str(view.path),
        "bytes": view.size,
        "entries": plan.entries,
        "stubs": plan.stubs,
        "policies": [_policy(policy, plan) for policy in plan.policies],
        "removable": plan.count,
        "held": dict(plan.held),
        "left": plan.left.count(),
        "left_held": plan.left_held,
        "without_copy": plan.without_copy,
        "copies": list(view.copies.where),
        "copies_problem": view.copies.problem,
        "in_open_file": plan.waiting,
        "unselected": plan.unselected,
        "unreadable": plan.unreadable,
        "conflicts": [
            {"longer": longer, "shorter": shorter, "entries": count}
            for (longer, shorter), count in sorted(plan.conflicts.items())
            if count
        ],
        "remarks": [*view.survey.applies.remarks, *view.survey.holds.remarks],
    }


def _policy(policy: Policy, plan: Plan) -> dict[str, Any]:
    parts: list[Part] = [part for part in plan.parts if part.policy is policy]
    return {
        "name": policy.name,
        "standard": policy.standard,
        "clause": policy.clause,
        "purpose": policy.purpose,
        "days": policy.days,
        "at_hand": policy.at_hand,
        "selector": policy.selector(),
        "before": plan.befores[policy.name],
        "entries": sum(part.count for part in parts),
        "bytes": sum(part.size for part in parts),
        "oldest": min((part.oldest for part in parts), default=None),
        "newest": max((part.newest for part in parts), default=None),
    }


def outcome(done: Done) -> dict[str, Any]:
    """Return what was removed as JSON types."""
    return {
        "removed": done.removed,
        "by": [entry.seq for entry in done.entries],
        "bytes_before": done.size_before,
        "bytes_after": done.size_after,
        "discarded": [str(path) for path in done.discarded],
        "remarks": done.remarks,
    }
