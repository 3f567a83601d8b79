"""A small object store over boto3: get, put, list, and what Object Lock adds. It knows no log.

S3 never changes a version of an object. So the oldest version of each key is what counts here,
whatever was put or deleted over it later.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from chained_logging.errors import DestinationError, Refused

MAX_CONTENT: Final = 32 << 20
"""The most bytes in one segment before compression, and in any object: nothing larger is read."""

AHEAD: Final = 8
"""How many objects are fetched before they are asked for."""

_MAX_PAGES: Final = 1_000_000  # of a listing: a thousand million versions

_DENIED: Final = ("AccessDenied", "AllAccessDisabled", "403")
_UNHELD: Final = ("NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError")

# What no later call of the same kind can succeed at.
_FINAL: Final = {
    "NoSuchBucket": "there is no such bucket",
    "InvalidBucketName": "that is not a valid name of a bucket",
    "KeyTooLongError": "the prefix and the origin are too long for a key",
    "InvalidRequest": "the bucket has no Object Lock, or does not take such a request",
    "ObjectLockConfigurationNotFoundError": "the bucket has no Object Lock",
    "PermanentRedirect": "the bucket is in another region",
    "AuthorizationHeaderMalformed": "the bucket is in another region",
}


class Denied(DestinationError):
    """These credentials may not do it."""


class Version(NamedTuple):
    """One version of an object, as a listing shows it."""

    key: str
    id: str
    modified: float
    """When S3 received it, by its own clock, in seconds since 1970."""
    marker: bool = False
    """Whether it is a delete marker, which only claims that the object is gone."""


class Content(NamedTuple):
    """What a version holds, up to a byte beyond :data:`MAX_CONTENT`, and how it is locked."""

    data: bytes
    mode: str | None
    until: float | None
    held: bool = False
    """Whether a legal hold is on it, as far as these credentials may see."""


class BucketState(NamedTuple):
    """How a bucket is set up."""

    versioning: bool
    lock: bool
    default: str | None
    """Its default retention, such as ``COMPLIANCE 30 days``."""


class ObjectStore:
    """The objects under a prefix of a bucket.

    Endpoint, region and credentials are found where boto3 finds them: the environment
    (``AWS_ENDPOINT_URL_S3``, ``AWS_PROFILE``, ``AWS_ACCESS_KEY_ID`` …), ``~/.aws``, the machine's
    role. Several threads may read.

    :param url: ``s3://bucket/prefix``.
    :raises ValueError: if the URL is not of this kind.
    :raises ImportError: if boto3 is not installed.
    """

    def __init__(self, url: str) -> None:
        _require_boto3()
        self.bucket, self.prefix = _split(url)
        self.name = f"s3://{self.bucket}/{self.prefix}".rstrip("/")
        self._page = 1000  # keys in a listing: the most that S3 returns
        self._made: Any = None

    def shown(self, key: str) -> str:
        """Return the URL of an object, for display."""
        return f"s3://{self.bucket}/{key}"

    # --- Get, put, list.

    def get(self, version: Version) -> Content:
        """Read a version.

        :raises DestinationError: if it cannot be read now.
        """
        with self._asking(f"{self.shown(version.key)} cannot be read"):
            answer = self._client.get_object(
                Bucket=self.bucket, Key=version.key, VersionId=version.id
            )
            with contextlib.closing(answer["Body"]) as body:
                data = body.read(MAX_CONTENT + 1)
        if len(data) != answer["ContentLength"] and len(data) <= MAX_CONTENT:
            raise DestinationError(f"{self.shown(version.key)} was not received completely")
        until = answer.get("ObjectLockRetainUntilDate")
        held = answer.get("ObjectLockLegalHoldStatus") == "ON"
        return Content(
            data, answer.get("ObjectLockMode"), until.timestamp() if until else None, held
        )

    def put(
        self,
        key: str,
        data: bytes,
        mode: str,
        until: float,
        *,
        once: bool = True,
        held: bool = False,
    ) -> str | None:
        """Put an object, locked, and return the version's ID.

        :param until: the end of the lock, in seconds since 1970.
        :param once: only if the key is free; a server may ignore that (radosgw 16.2).
        :param held: with a legal hold on it.
        :returns: None if the key exists already.
        :raises Denied: if these credentials may not.
        :raises DestinationError: if it is not known whether it was stored.
        """
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        condition = {"IfNoneMatch": "*"} if once else {}
        if held:
            condition["ObjectLockLegalHoldStatus"] = "ON"
        with self._asking(f"{self.shown(key)} was not stored", silent=("PreconditionFailed",)):
            answer = self._client.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=data,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=digest,
                ObjectLockMode=mode,
                ObjectLockRetainUntilDate=datetime.fromtimestamp(until, UTC),
                **condition,
            )
            return str(answer.get("VersionId", "null"))
        return None

    def delete(self, version: Version) -> None:
        """Delete a version for good, if its lock has ended and no legal hold is on it.

        :raises DestinationError: if that is not allowed, or cannot be done now.
        """
        with self._asking(f"{self.shown(version.key)} was not deleted"):
            self._client.delete_object(Bucket=self.bucket, Key=version.key, VersionId=version.id)

    def pages(self, prefix: str, **more: str) -> Iterator[dict[str, Any]]:
        """List the versions under a prefix, a page of at most 1,000 at a time.

        :raises DestinationError: if S3 cannot be asked now, or the listing does not end.
        """
        for _ in range(_MAX_PAGES):
            with self._asking(f"{self.name} cannot be listed"):
                page = self._client.list_object_versions(
                    Bucket=self.bucket, Prefix=prefix, MaxKeys=self._page, **more
                )
            self._check_page(prefix, page)
            yield page
            if not page.get("IsTruncated"):
                return
            before = more.get("KeyMarker", ""), more.get("VersionIdMarker")
            after = page.get("NextKeyMarker") or "", page.get("NextVersionIdMarker")
            # Keys come in order, the versions of one in any.
            if after[0].encode() < before[0].encode() or after == before:
                break
            more["KeyMarker"] = after[0]
            more.pop("VersionIdMarker", None)
            if after[1]:
                more["VersionIdMarker"] = after[1]
        raise DestinationError(f"{self.name} cannot be listed: the listing does not end")

    def _check_page(self, prefix: str, page: Mapping[str, Any]) -> None:
        """Check that a listing is well formed, and under the prefix that was asked for.

        :raises DestinationError: if it does not.
        """
        try:
            keys = [version.key for version in versions_in(page)]
            keys += [common["Prefix"] for common in page.get("CommonPrefixes", ())]
            right = all(key.startswith(prefix) for key in keys)
        except (AttributeError, KeyError, TypeError):
            right = False
        if not right:
            raise DestinationError(
                f"{self.name} cannot be listed: the answer does not list the keys under {prefix!r}"
            )

    def grouped(self, prefix: str) -> dict[str, list[Version]]:
        """Return the versions of every key with a prefix, by key, the oldest first."""
        found: dict[str, list[Version]] = {}
        for page in self.pages(prefix):
            for version in versions_in(page):
                found.setdefault(version.key, []).append(version)
        for versions in found.values():
            # S3 lists the newest first. Its times have but seconds.
            versions.reverse()
            versions.sort(key=lambda version: version.modified)
        return found

    def oldest(self, key: str) -> Version | None:
        """Return the oldest version of a key that is an object."""
        versions = self.grouped(key).get(key, ())
        return next((version for version in versions if not version.marker), None)

    # --- Locks, and the bucket.

    def lock_until(self, version: Version, mode: str, until: float) -> None:
        """Lock a version until a time, in seconds since 1970.

        :raises DestinationError: if that is not allowed, or cannot be done now.
        """
        with self._asking(f"{self.shown(version.key)} could not be locked for longer"):
            self._client.put_object_retention(
                Bucket=self.bucket,
                Key=version.key,
                VersionId=version.id,
                Retention={"Mode": mode, "RetainUntilDate": datetime.fromtimestamp(until, UTC)},
            )

    def hold(self, version: Version, on: bool) -> None:
        """Put a legal hold on a version, or remove it.

        :raises Denied: if these credentials may not.
        :raises DestinationError: if it cannot be done now.
        """
        with self._asking(f"{self.shown(version.key)} could not be held"):
            self._client.put_object_legal_hold(
                Bucket=self.bucket,
                Key=version.key,
                VersionId=version.id,
                LegalHold={"Status": "ON" if on else "OFF"},
            )

    def is_held(self, version: Version) -> bool:
        """Whether a legal hold is on a version.

        :raises Denied: if these credentials may not see it.
        :raises DestinationError: if S3 cannot be asked now.
        """
        status = None
        with self._asking(f"{self.shown(version.key)} cannot be asked for its hold", _UNHELD):
            answer = self._client.get_object_legal_hold(
                Bucket=self.bucket, Key=version.key, VersionId=version.id
            )
            status = answer.get("LegalHold", {}).get("Status")
        return bool(status == "ON")

    def bucket_state(self) -> BucketState:
        """Return whether versioning is on, whether Object Lock is, and its default retention.

        :raises DestinationError: if S3 cannot be asked now.
        :raises Refused: if the bucket does not exist.
        """
        with self._asking(f"{self.name} cannot be asked for its versioning"):
            versioning = self._client.get_bucket_versioning(Bucket=self.bucket)
        lock: dict[str, Any] = {}
        silent = ("ObjectLockConfigurationNotFoundError",)
        with self._asking(f"{self.name} cannot be asked for its Object Lock", silent=silent):
            answer = self._client.get_object_lock_configuration(Bucket=self.bucket)
            lock = answer["ObjectLockConfiguration"]
        rule = lock.get("Rule", {}).get("DefaultRetention")
        default = None
        if rule:
            years = rule.get("Years")
            period = f"{years} years" if years else f"{rule.get('Days')} days"
            default = f"{rule.get('Mode')} {period}"
        enabled = lock.get("ObjectLockEnabled") == "Enabled"
        return BucketState(versioning.get("Status") == "Enabled", enabled, default)

    def opens(self) -> bool:
        """Whether the credentials in use open the bucket.

        :raises DestinationError: if S3 cannot be asked now.
        """
        opened = False
        denied = ("403", "404", "AccessDenied", "InvalidAccessKeyId", "NoSuchBucket")
        with self._asking(f"{self.name} cannot be asked for its bucket", silent=denied):
            self._client.head_bucket(Bucket=self.bucket)
            opened = True
        return opened

    def owner(self) -> str:
        """Return the account that a bucket belongs to, by its canonical ID.

        :raises DestinationError: if that may not be asked, or cannot be now.
        """
        with self._asking(f"{self.name} cannot be asked for its owner"):
            answer = self._client.get_bucket_acl(Bucket=self.bucket)
        return str(answer["Owner"]["ID"])

    def endpoint(self) -> str:
        """Return the address of the server that is asked.

        :raises Refused: if boto3 cannot be set up.
        """
        return str(self._client.meta.endpoint_url)

    def disconnect(self) -> None:
        """Close the connections."""
        if self._made is not None:
            self._made.close()

    # --- The client.

    @property
    def _client(self) -> Any:
        if self._made is None:
            import boto3  # type: ignore[import-untyped]
            from botocore.config import Config  # type: ignore[import-untyped]
            from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]

            config = Config(
                connect_timeout=5,
                read_timeout=30,
                max_pool_connections=AHEAD + 2,
                retries={"mode": "standard", "total_max_attempts": 3},
                # Our own checksum is enough, and older servers do not know those of boto3.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                # A server that knows no checksums then still verifies the bytes.
                s3={"payload_signing_enabled": True},
            )
            try:
                self._made = boto3.session.Session().client("s3", config=config)
            except (BotoCoreError, ValueError) as error:
                raise Refused(f"boto3 cannot be set up for {self.name}: {error}") from None
        return self._made

    @contextlib.contextmanager
    def _asking(self, sentence: str, silent: Iterable[str] = ()) -> Iterator[None]:
        """Turn boto3's errors into ours.

        :param silent: codes that end the block without an error.
        """
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

        try:
            yield
        except ClientError as error:
            answer = error.response.get("Error", {})
            code, said = str(answer.get("Code")), str(answer.get("Message") or "")[:200]
            if code in silent:
                return
            if code in _FINAL:
                raise Refused(f"{sentence}: {_FINAL[code]} ({code})") from None
            kind = Denied if code in _DENIED else DestinationError
            raise kind(f"{sentence}: {code}{': ' if said else ''}{said}") from None
        except (BotoCoreError, HTTPClientError) as error:
            said = re.sub("//[^/@ ]*@", "//", str(error))  # an endpoint may have a password in it
            raise DestinationError(f"{sentence}: {said}") from None


def versions_in(page: Mapping[str, Any]) -> Iterator[Version]:
    """Yield the versions of a page, delete markers last."""
    for found in page.get("Versions", ()):
        yield Version(found["Key"], found["VersionId"], found["LastModified"].timestamp())
    for found in page.get("DeleteMarkers", ()):
        yield Version(found["Key"], found["VersionId"], found["LastModified"].timestamp(), True)


def _split(url: str) -> tuple[str, str]:
    """Return the bucket and the prefix of a URL; the prefix ends with a slash, or is empty."""
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError(
            "a store in S3 must be s3://bucket/prefix, without a user, a password or a query: "
            "credentials and endpoint are found where boto3 finds them"
        )
    prefix = (found[2] or "").strip("/")
    return found[1], f"{prefix}/" if prefix else ""


_URL = re.compile(r"[sS]3://([a-z0-9][a-z0-9.\-]{1,62})(?:/([A-Za-z0-9!_.*'()/\-]*))?")


def _require_boto3() -> None:
    try:
        import boto3  # noqa: F401
    except ImportError:
        raise ImportError("S3 needs boto3: pip install chained_logging[s3]") from None
