"""The policies in a bucket: which of them count, and since when.

The first version of ``policy.json``, which ``init`` puts before anybody ships, counts. A later one
counts if the key that the one before it names has signed it. So somebody who may only add objects
cannot change the policy. :mod:`chained_logging.ship.s3.policy` has the form.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import Final, NamedTuple

from chained_logging.errors import DestinationError, Refused
from chained_logging.format.vkey import ED25519, Signer, VerifierKey
from chained_logging.ship.retention import retention_days
from chained_logging.ship.s3.policy import POLICY_SIGNER, Policy
from chained_logging.ship.s3.store import ObjectStore, Version

POLICY: Final = "policy.json"
"""The name of the policy's object, below the prefix."""

DAY: Final = 86_400
_MAX_VERSIONS: Final = 1000

_log = logging.getLogger("chained_logging.ship")


class Policies(NamedTuple):
    """The versions of the policy's object."""

    counting: list[tuple[Version, Policy]]
    """Those that count, the oldest first. The last one is in force."""
    foreign: list[tuple[Version, str]]
    """The others, each with the reason. Anybody who may put an object can put one."""

    @property
    def current(self) -> Policy | None:
        """The policy in force."""
        return self.counting[-1][1] if self.counting else None


def read_policies(store: ObjectStore) -> Policies:
    """Read every version of the policy.

    :raises DestinationError: if S3 cannot be asked now.
    """
    found = Policies([], [])
    key = store.prefix + POLICY
    objects = [version for version in store.grouped(key).get(key, ()) if not version.marker]
    for number, version in enumerate(objects):
        try:
            if number >= _MAX_VERSIONS:
                raise ValueError(f"only the first {_MAX_VERSIONS} versions are read")
            data = store.get(version).data
            if number == 0:
                policy = Policy.parse(data)
            elif found.current is None:
                raise ValueError("the first one is not a policy, so no other can follow it")
            else:
                policy = found.current.parse_next(data, store.name)
        except ValueError as error:
            found.foreign.append((version, str(error)))
        else:
            if policy is not found.current:
                found.counting.append((version, policy))
    return found


def policy_in_force(store: ObjectStore, now: float, *, renew: bool = False) -> Policy:
    """Return the policy that is in force.

    :param renew: whether to lock its object for as long as an object that is put now, if that is
        at least a day longer.
    :raises Refused: if no policy is there.
    :raises DestinationError: if S3 cannot be asked now.
    """
    versions = read_policies(store)
    policy = versions.current
    if policy is None:
        why = f": {versions.foreign[0][1]}" if versions.foreign else ""
        raise Refused(f"{store.name} has no policy{why}: prepare it with chained-logging init")
    for version, _ in versions.counting if renew else ():  # each one vouches for the next
        _lock_for_longer(store, version, policy.mode, now + policy.days * DAY)
    return policy


def _lock_for_longer(store: ObjectStore, version: Version, mode: str, until: float) -> None:
    """Lock the policy's object until a time, or log a warning if that is not permitted."""
    known = store.get(version).until
    if known is not None and known >= until - DAY:
        return
    try:
        store.lock_until(version, mode, until)
    except DestinationError as error:
        _log.warning("%s: have somebody with that permission run init again", error)


def init(
    url: str, *, retention: str, mode: str = "COMPLIANCE", signer: Signer | None = None
) -> list[str]:
    """Prepare a bucket for logs: check it, and write the policy that every object follows.

    :param retention: a period, see :func:`chained_logging.ship.retention.retention_days`.
    :param mode: ``COMPLIANCE``: nobody, not even the root account, can shorten the retention or
        delete before its end. ``GOVERNANCE``: those with the permission can.
    :param signer: the key that may make the policy longer or stricter later. Without one, nobody
        can.
    :returns: what is missing, and the command that sets it; nothing if the bucket is ready. The
        bucket itself is never changed.
    :raises ValueError: if the URL, the period or the mode is not valid.
    :raises Refused: if the bucket has a longer or stricter policy, or one that another key made.
    :raises DestinationError: if S3 cannot be asked now.
    """
    wanted = Policy(retention_days(retention), mode.upper())
    store = ObjectStore(url)
    try:
        try:
            state = store.bucket_state()
        except Refused as error:
            if "NoSuchBucket" not in str(error):
                raise
            return [
                f"{error}; create it with: aws s3api create-bucket --bucket {store.bucket} "
                "--object-lock-enabled-for-bucket"
            ]
        missing = _missing(store.bucket, versioning=state.versioning, lock=state.lock)
        if not missing:
            key = None
            if signer is not None:
                key = VerifierKey(POLICY_SIGNER, ED25519, signer.public_key).format()
            _set(store, Policy(wanted.days, wanted.mode, state.default, key), signer, time.time())
        return missing
    finally:
        store.disconnect()


def _missing(bucket: str, *, versioning: bool, lock: bool) -> list[str]:
    missing = []
    if not versioning:
        missing.append(
            f"versioning is not on; set it with: aws s3api put-bucket-versioning --bucket "
            f"{bucket} --versioning-configuration Status=Enabled"
        )
    if not lock:
        missing.append(
            "Object Lock is not on; set it with: aws s3api put-object-lock-configuration "
            f"--bucket {bucket} --object-lock-configuration ObjectLockEnabled=Enabled (a "
            "server that takes this for new buckets only needs a new one)"
        )
    return missing


def _set(store: ObjectStore, wanted: Policy, signer: Signer | None, now: float) -> None:
    """Put a policy, unless it is in force already.

    :raises Refused: if it may not follow the one in force.
    """
    versions = read_policies(store)
    known = versions.current
    if known is None and versions.foreign:
        raise Refused(
            f"{store.shown(store.prefix + POLICY)} is not a policy, and somebody else put it: "
            f"use another prefix ({versions.foreign[0][1]})"
        )
    if known is not None and not wanted.covers(known):
        raise Refused(
            f"{store.name} has a policy of {known.days} days in mode {known.mode}, which "
            f"is not shortened or weakened to {wanted.days} days in mode {wanted.mode}"
        )
    if known is not None and replace(wanted, key=known.key) == known:
        policy_in_force(store, now, renew=True)
        return
    data = wanted.format()
    if known is not None:
        if signer is None or known.key != wanted.key:
            how = "give it with --key" if known.key else "it names none: prepare another prefix"
            raise Refused(
                f"{store.name} has a policy of {known.days} days in mode {known.mode}, and only "
                f"the key that it names may change it: {how}"
            )
        data = wanted.sign(store.name, signer)
    store.put(store.prefix + POLICY, data, wanted.mode, now + wanted.days * DAY, once=False)
