"""S3: whether Object Lock keeps what is stored, from everybody and for how long."""

from __future__ import annotations

from typing import Final

from chained_logging.review.checklist.answer import Found, met, not_met, saw
from chained_logging.ship.fault import FOREIGN
from chained_logging.ship.s3 import S3Destination
from chained_logging.ship.s3.policies import read_policies
from chained_logging.ship.s3.policy import Policy

SHOWN: Final = 5
_COMPLIANCE: Final = "COMPLIANCE"


def locked(store: S3Destination, origin: str) -> Found:
    """Return whether nobody can change or delete a log's objects before their time is over."""
    state, policy = store.bucket_state(), policy_of(store)
    faults = [fault.reason for fault in store.inspect(origin) if fault.kind != FOREIGN]
    seen = (
        saw("versioning", store.name, "on" if state.versioning else "off"),
        saw("Object Lock", store.name, "on" if state.lock else "off"),
        saw("default retention", store.name, state.default or "none"),
        saw("policy", store.name, _spoken(policy)),
        saw("faults of objects, locks and digests", store.name, len(faults)),
    )
    init = f"chained-logging init {store.name} --retention PERIOD --mode {_COMPLIANCE}"
    if not state.versioning or not state.lock:
        what = "Object Lock" if state.versioning else "versioning"
        return not_met(f"{what} is not on in {store.name}", f"{init} says the command", *seen)
    if policy is None:
        return not_met(f"{store.name} has no policy, so nothing is locked", init, *seen)
    if policy.mode != _COMPLIANCE:
        return not_met(
            f"{store.name} locks in mode {policy.mode}: anyone with the permission may delete",
            init,
            *seen,
        )
    if faults:
        named = "; ".join(faults[:SHOWN])
        return not_met(f"in {store.name}: {named}", f"chained-logging verify {store.name}", *seen)
    return met(f"{store.name} locks each object for {policy.days} days, from everybody", *seen)


def policy_of(store: S3Destination) -> Policy | None:
    """Return the policy that is in force."""
    return read_policies(store).current


def _spoken(policy: Policy | None) -> str:
    return "none" if policy is None else f"{policy.mode}, {policy.days} days"
