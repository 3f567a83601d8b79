"""The rules of an application, and the quick way for events in which there is nothing."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import orjson

from chained_logging.event.fields import FIELD_OF
from chained_logging.format.canonical import canonical
from chained_logging.redact.digits import is_card
from chained_logging.redact.names import VALUES, Names
from chained_logging.redact.scan import Scanner
from chained_logging.redact.text import Texts
from chained_logging.redact.walk import Walk

_HASHED: Final = re.compile(r"hmac-sha256:[0-9a-f]{64}")
_STRINGS: Final = frozenset({str})
_NUMBERS: Final = frozenset({int, float})
_SCALARS: Final = frozenset({str, int, float, bool, type(None)})
_CONSTANTS: Final = (None, False, True)
_CACHE: Final = 4096
_SHORT: Final = 512
_UNKNOWN: Final = 65_536  # the size of an event that is not JSON yet
_ORJSON: Final = orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATACLASS


class Redactor:
    """Takes secrets out of an event: the default for ``AuditLog(redact=…)``.

    :param names: more secret names. Case and separators do not matter: ``"tax_id"`` is also
        ``taxId`` and ``Tax-ID``, and the end of ``old_tax_id``.
    :param allow: names that are not secret in this application, each as a whole: ``"max_tokens"``.
    :param patterns: more regular expressions; what they match in a text is replaced. They run on
        RE2, which takes linear time for any text and has no look-around and no back-references.
    :param hash_key: the key for `hashed`, at least 16 bytes, from a secret store. Anyone who has
        it can find values by trying them.
    :param hashed: names whose values are replaced by ``hmac-sha256:`` and 64 hexadecimal digits,
        the HMAC-SHA-256 of the value's UTF-8 text (of another value: of its canonical JSON), so
        that they can still be compared. The identifiers of an entry may be among them:
        ``actor_id``, ``on_behalf_of``, ``session_id``, ``resource_id``, ``tenant_id``. Hashing
        ``resource_id`` hashes the ids in ``resources`` too.
    :raises ValueError: if the key is too short, `hashed` is given without a key, or RE2 rejects a
        pattern.

    >>> Redactor()({"action": "login", "password": "hunter2"})
    {'action': 'login', 'password': '[redacted]'}
    """

    def __init__(
        self,
        *,
        names: Iterable[str] = (),
        allow: Iterable[str] = (),
        patterns: Iterable[str | re.Pattern[str]] = (),
        hash_key: bytes | None = None,
        hashed: Iterable[str] = (),
    ) -> None:
        fields = [FIELD_OF.get(name, name) for name in hashed]
        if hash_key is not None and len(hash_key) < 16:
            raise ValueError("hash_key must have at least 16 bytes")
        if fields and hash_key is None:
            raise ValueError("hashed= needs a hash_key")
        fixed = set(fields) & (set(FIELD_OF.values()) - _HASHABLE)
        if fixed:
            raise ValueError(f"{', '.join(sorted(fixed))} cannot be hashed: its format is fixed")
        self._hash_key = hash_key
        self.names: Final = Names(names, allow, fields)
        self._scanner = Scanner(self.names)
        self.texts: Final = Texts(self._scanner, patterns)
        # With rules that only the application knows, every event is taken apart.
        self._always = bool(self.names.hashed) or self.texts.has_own
        # Keys and short values that were looked at, and hold nothing: most come again and again. No
        # open name is that of a value whose own name is beside it.
        self._open: set[str] = set()
        self._shown: set[str] = set()
        self._harmless: set[str] = set()
        self._clean: set[Any] = set(_CONSTANTS)

    def __call__(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the event without its secrets; the same object if there are none.

        Never raises.

        :param event: fields of an entry by name or alias, whose own names are not secret, and
            whatever else there is.
        """
        if self._always:
            return Walk(self, _UNKNOWN).event(event)
        try:
            if self._open.issuperset(event):
                unknown = set(event.values()) - self._clean
                if not unknown:
                    return event
                texts = _texts(unknown)
                if texts is not None:
                    return self._flat(event, texts)
        except Exception:  # noqa: S110  # a list, or a value whose own methods fail
            pass
        size = _UNKNOWN
        try:
            data = orjson.dumps(event, None, _ORJSON)
            if not self._scanner.members_may_hold(data):
                if not self._open.issuperset(event):
                    for name in event:
                        self.remember_name(name)
                return event
            size = len(data)
        except Exception:  # noqa: S110  # what JSON does not have goes the careful way
            pass
        return Walk(self, size).event(event)

    def _flat(self, event: Mapping[str, Any], texts: list[str]) -> Mapping[str, Any]:
        """Redact an event whose names are known, and whose values are but for these texts."""
        together = "\n".join(texts)
        if not together or not self.texts.may_hold(together):
            self._remember_clean(texts, len(together))
            return event
        suspects = list(filter(self.texts.may_hold, texts)) if len(texts) > 1 else texts
        self._remember_clean([text for text in texts if text not in suspects], len(together))
        return Walk(self, sum(map(len, suspects))).texts(event, suspects) if suspects else event

    def _remember_clean(self, texts: list[str], size: int) -> None:
        """Keep in mind that texts, of a size together, hold nothing."""
        if len(self._clean) >= _CACHE:
            self._clean.clear()
            self._clean.update(_CONSTANTS)
        self._clean.update(texts if size <= _SHORT else filter(_is_short, texts))

    def text(self, text: str) -> str:
        """Return a text without what looks like a secret in it."""
        return Walk(self, len(text)).text(text)

    def url(self, url: str) -> str:
        """Return a URL, or a part of one, without its user name, password and secret parameters.

        Values under names such as ``url``, ``redirect_uri`` or ``query`` are treated alike. Here
        ``code``, ``key``, ``nonce``, ``sid``, ``session_id``, ``sig`` and ``signature`` are
        secret as well: in a query string each is as good as a password.
        """
        return Walk(self, len(url)).text(url, url=True)

    # --- What a walk remembers.

    def is_clean(self, text: str) -> bool:
        """Whether a text was looked at before, and held nothing."""
        return text in self._clean

    def remember(self, text: str) -> None:
        """Keep in mind that a text holds nothing."""
        self._remember_clean([text], len(text))

    def holds_nothing(self, key: Any, value: Any) -> bool:
        """Whether a member of an event, serialised, has nothing in it that may be a secret."""
        if self._always:
            return False
        try:
            return not self._scanner.members_may_hold(orjson.dumps({key: value}, None, _ORJSON))
        except TypeError:
            return False

    def is_shown(self, key: str) -> bool:
        """Whether a name was looked at before, and stays as it is."""
        return key in self._shown or key in self._open

    def remember_shown(self, key: str) -> None:
        """Keep in mind that a name stays as it is."""
        if len(key) <= _SHORT:
            _remember(self._shown, key)

    def passing(self, event: Mapping[Any, Any]) -> Collection[Any]:
        """Return the keys of members whose names say nothing, and whose values hold nothing."""
        known, clean = self._open, self._clean
        return {
            key
            for key, value in event.items()
            if type(value) in _SCALARS and key in known and value in clean
        }

    def is_harmless(self, text: str) -> bool:
        """Whether a text was taken apart before and stays as it is, unless it is a URL."""
        return text in self._harmless

    def remember_harmless(self, text: str) -> None:
        """Keep in mind that a text stays as it is."""
        if len(text) <= _SHORT:
            _remember(self._harmless, text)

    def remember_name(self, key: str) -> None:
        """Keep in mind that a name says nothing of its value."""
        if len(key) <= _SHORT and key.lower() not in VALUES:
            _remember(self._open, key)

    def hashed(self, value: Any) -> Any:
        """Return the keyed hash of a value of JSON's types; of each one in a list or an object."""
        if value is None:
            return None
        if isinstance(value, list):
            return [self.hashed(item) for item in value]
        if isinstance(value, dict):
            return {self.text(key): self.hashed(item) for key, item in value.items()}
        if isinstance(value, str):
            if _HASHED.fullmatch(value):
                return value
            data = value.encode()
        else:
            data = canonical(value)
        assert self._hash_key is not None  # noqa: S101  # there are no names to hash without one
        return "hmac-sha256:" + hmac.new(self._hash_key, data, hashlib.sha256).hexdigest()


def _texts(values: set[Any]) -> list[str] | None:
    """Return the texts among values; None if others than numbers, or a card's, are among them."""
    if _STRINGS.issuperset(map(type, values)):  # nearly always
        return list(values)
    texts = []
    for value in values:
        if type(value) is str:
            texts.append(value)
        elif type(value) not in _NUMBERS or is_card(value):
            return None
    return texts


def _is_short(text: str) -> bool:
    return len(text) <= _SHORT


def _remember(known: set[Any], value: Any) -> None:
    if len(known) >= _CACHE:
        known.clear()
    known.add(value)


_HASHABLE: Final = frozenset(
    {
        *("actor_id", "on_behalf_of", "resource_id", "session_id"),
        "tenant_id",
        "user_agent",
        "reason",
    }
)
