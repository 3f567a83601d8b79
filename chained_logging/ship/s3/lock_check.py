"""Checks that the bucket, the policy and the locks of objects are as they were set up."""

from __future__ import annotations

from typing import Protocol

from chained_logging.ship.fault import FOREIGN
from chained_logging.ship.s3.digests import DigestWriter
from chained_logging.ship.s3.objects import Facts
from chained_logging.ship.s3.policies import DAY, POLICY, read_policies
from chained_logging.ship.s3.policy import MODES, Policy
from chained_logging.ship.s3.store import Version


class Report(Protocol):
    """Notes something that is wrong with the object of a key."""

    def __call__(self, kind: str, key: str, reason: str, seq: int | None = None) -> None: ...


class Locks:
    """Compares locks with the policy of their time.

    :param patience: how many seconds a shipper may take to follow a new policy.
    """

    def __init__(self, store: DigestWriter, now: float, patience: float, report: Report) -> None:
        self.store = store
        self.now = now
        self.patience = patience
        self.report = report
        self.policies: list[tuple[Version, Policy]] = []

    def check_policy(self) -> None:
        """Check that the policy is there. One without the right signature counts for nothing."""
        key = self.store.prefix + POLICY
        found = read_policies(self.store)
        self.policies = found.counting
        for version, _ in found.counting:
            facts, _ = self.store.fetch(version)
            self.check_lock(version, facts)
        if not self.policies:
            why = f", but for {found.foreign[0][1]}" if found.foreign else ""
            self.report("policy", key, f"it is missing: deleted, or never made by init{why}")
        for version, reason in found.foreign if self.policies else ():
            self.report(FOREIGN, key, f"version {version.id} counts for nothing: {reason}")
        for version in self.store.grouped(key).get(key, ()):
            if version.marker:
                self.report("deleted", key, "a delete marker covers it")

    def check_bucket(self) -> None:
        """Check the bucket's versioning and Object Lock."""
        versioning, lock, default = self.store.bucket_state()
        if not versioning:
            self.report("bucket", "", "versioning is not on: it was suspended, or never set")
        if not lock:
            self.report("bucket", "", "Object Lock is not on")
        if self.policies and default != (known := self.policies[-1][1].default):
            self.report(
                "bucket",
                "",
                f"the default retention is {default or 'none'}, and was {known or 'none'} when "
                "the policy was written",
            )

    def check_stated(self, days: int, mode: str, what: str) -> None:
        """Check that the policy is at least as long and strict as was stated."""
        if self.policies and not self.policies[-1][1].covers(Policy(days, mode)):
            self.report(
                "policy",
                self.policies[-1][0].key,
                f"{what} {days} days in mode {mode}, and the policy is less: it was replaced",
            )

    def policy_at(self, moment: float) -> Policy | None:
        """Return the policy that was in force at a time. A shipper reads it once an interval."""
        found = None
        for version, policy in self.policies:
            if found is None or version.modified <= moment - self.patience:
                found = policy
        return found

    def check_lock(self, version: Version, facts: Facts) -> None:
        """Check that an object is locked as the policy of its time requires."""
        policy = self.policy_at(version.modified)
        if policy is None:
            return
        end = version.modified + policy.days * DAY - self.store.slack
        if end < self.now:
            return  # its time is over
        if facts.mode is None or facts.until is None:
            self.report(
                "unlocked",
                version.key,
                "it shows no Object Lock (or these credentials lack s3:GetObjectRetention)",
            )
        elif facts.until < end:
            days = (facts.until - version.modified) / DAY
            self.report(
                "retention",
                version.key,
                f"its lock ends {days:.1f} days after it was put, and the policy has {policy.days}",
            )
        elif facts.mode not in MODES or MODES.index(facts.mode) < MODES.index(policy.mode):
            self.report(
                "retention",
                version.key,
                f"its lock is in mode {facts.mode}, and the policy has {policy.mode}",
            )
