"""An event taken apart: each name judged, each text looked at, secrets replaced.

A walk has so much work to spend, which grows with the event. What is left when that is gone is
replaced as a whole.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Protocol

import orjson

from chained_logging.event.fields import FIELD_OF
from chained_logging.event.resources import split
from chained_logging.event.values import REDACTED, jsonable
from chained_logging.redact.digits import is_card, is_card_digits
from chained_logging.redact.names import (
    HIDDEN,
    IDENTIFIER,
    KEYED,
    LABELS,
    LOCATOR,
    MAYBE,
    OPEN,
    VALUES,
    Names,
    is_url_name,
    shadow,
)
from chained_logging.redact.plain import is_count, is_harmless, is_plain
from chained_logging.redact.text import Texts

_SCALARS: Final = frozenset({str, int, float, bool, type(None)})
_NUMBERS: Final = frozenset({int, float})
_CONTAINERS: Final = frozenset({dict, list, tuple})
_JSON: Final = ("[", "{")
_MAX_JSON: Final = 16_384  # a longer text is looked at as one
_MEMBERS: Final = 8  # of an object that is a name and a value
_MANY: Final = 3  # texts that are looked at together first

# Work: an expression over a short text is one.
_WORK: Final = 1_000
_BYTES_OF_WORK: Final = 32
_CAREFUL: Final = 10
_DECODING: Final = 40

_IDENTIFIERS: Final = frozenset(
    {"actor_id", "resource_id", "session_id", "on_behalf_of", "tenant_id"}
)
_REQUIRED: Final = frozenset({*_IDENTIFIERS, "action", "resource_type"})
_CARD_TYPES: Final = ("card", "pan", "payment")
_NOWHERE: Final = object()
_NAME: Final = re.compile(r"-{0,2}[\w.\-\[\]%]{1,128}")


class Rules(Protocol):
    """What a walk needs of a redactor: its rules, and what it has looked at before."""

    @property
    def names(self) -> Names: ...
    @property
    def texts(self) -> Texts: ...
    def hashed(self, value: Any) -> Any: ...
    def is_clean(self, text: str) -> bool: ...
    def remember(self, text: str) -> None: ...
    def is_harmless(self, text: str) -> bool: ...
    def remember_harmless(self, text: str) -> None: ...
    def holds_nothing(self, key: Any, value: Any) -> bool: ...
    def passing(self, event: Mapping[Any, Any]) -> Collection[Any]: ...
    def remember_name(self, key: str) -> None: ...
    def is_shown(self, key: str) -> bool: ...
    def remember_shown(self, key: str) -> None: ...


class Walk:
    """One event.

    :param redactor: the rules.
    :param size: of the event, in bytes.
    """

    _suspects: Collection[str] = ()
    """Texts in which there may be something, as was seen before."""

    def __init__(self, redactor: Rules, size: int) -> None:
        self._redactor = redactor
        self._names = redactor.names
        self._hashed = bool(redactor.names.hashed)
        self._left = _WORK + size // _BYTES_OF_WORK

    # --- An event.

    def event(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return an event without its secrets; the same object if there are no secrets in it."""
        apart, its_name = self._apart(event)
        passing = self._redactor.passing(event)
        found: dict[Any, tuple[Any, Any]] = {}
        same = True
        for key, value in event.items():
            if key == apart:
                found[key] = key, self._member(its_name, value, jsonable)
            elif key in passing or (
                type(value) in _CONTAINERS and self._redactor.holds_nothing(key, value)
            ):
                continue
            else:
                found[key] = self._top(key, value, event)
            same = same and found[key][0] is key
        if same:
            changed = {k: v for k, (_, v) in found.items() if v is not event[k]}
            return {**event, **changed} if changed else event
        result = _Members()
        for key, value in event.items():
            result.add(*found.get(key, (key, value)))
        return dict(result)

    def texts(self, event: Mapping[str, Any], suspects: Collection[str]) -> Mapping[str, Any]:
        """Return an event without its secrets, which has known names, texts and numbers alone.

        :param suspects: the only texts in which there may be something.
        """
        self._suspects = suspects
        changed = {}
        for key, value in event.items():
            if value in suspects:
                field = FIELD_OF.get(key)
                shown = (
                    self._member(key, value) if field is None else self._top(key, value, event)[1]
                )
                if shown is not value:
                    changed[key] = shown
        return {**event, **changed} if changed else event

    def _top(self, key: Any, value: Any, event: Mapping[str, Any]) -> tuple[Any, Any]:
        """Return a member of an event: its name and its value."""
        field = FIELD_OF.get(key)
        if field is None:
            return self._shown(key), self._member(key, value, jsonable)
        if field != "" or key == "context":  # else it is not stored
            value = self._field(field, value, event)
        if type(key) is str and not self._hashes(field):
            self._redactor.remember_name(key)
        return key, value

    def _field(self, field: str, value: Any, event: Mapping[str, Any]) -> Any:
        if field == "resource":
            return self._resource(value)
        if field == "resources" and isinstance(value, list):
            return [self._resource(item) for item in value]
        if self._hashes(field) and value is not None:
            return self._redactor.hashed(jsonable(value))
        if field in _REQUIRED:
            kind = event.get("resource_type") if field == "resource_id" else None
            return self._identifier(field, value, kind)
        return self.value(value)

    def _identifier(self, field: str, value: Any, kind: Any = None) -> Any:
        """Return what names something. A number is no card's there, unless it is said to be one."""
        if type(value) is not str:
            number = type(value) is int
            if number and not _is_card_type(kind):
                return value
            value = jsonable(value)
            if not isinstance(value, str):
                return self._walk(value)
        bare = field not in _IDENTIFIERS or _is_card_type(kind)
        encoded = value.startswith("base64:")
        return self._walk(value) if encoded else self.text(value, cards=bare)

    def _resource(self, value: Any) -> Any:
        hashes = self._hashes("resource_id")
        if isinstance(value, str):
            kind, name = split(value)
        elif isinstance(value, tuple | list) and len(value) == 2:
            kind, name = value
        else:
            return self.value(value)
        shown = self._identifier("resource_type", kind)
        if hashes:
            return [
                shown,
                self._redactor.hashed(jsonable(name)) if name not in ("", None) else None,
            ]
        found = self._identifier("resource_id", name, kind) if name else name
        if shown is kind and found is name:
            return value
        return [shown, found]

    def _hashes(self, field: str) -> bool:
        return self._hashed and self._names.hashes("resource_id" if field == "resource" else field)

    # --- Members.

    def _shown(self, key: Any) -> Any:
        """Return a name without what looks like a secret in it."""
        if type(key) is not str or self._redactor.is_shown(key):
            return key
        name = self.text(key)
        if name != key:
            return name
        self._redactor.remember_shown(key)
        if self._kind(key) not in HIDDEN:
            self._redactor.remember_name(key)
        return key

    def _kind(self, key: Any) -> int:
        """Return what a name says of its value."""
        kind = self._names.known(key) if type(key) is str else None
        if kind is not None:
            return kind
        if not isinstance(key, str):  # bytes, or an Enum
            key = jsonable([key])[0]
            if not isinstance(key, str):
                return OPEN
        if key.startswith("base64:"):
            key = _decoded(key)
        if self._names.known(key) is None:
            self._left -= 2
        return self._names.kind(key, shown=self._redactor.is_shown(key))

    def _member(
        self, key: Any, value: Any, plain: Callable[[Any], Any] = lambda value: value
    ) -> Any:
        """Return what an object may hold under a key.

        :param plain: makes JSON's types of a value that is not of them yet.
        """
        if self._left < 0:
            return REDACTED
        kind = self._kind(key)
        if kind == LOCATOR:
            return self._locator(value if type(value) in _SCALARS else plain(value))
        if kind == IDENTIFIER and type(value) in _SCALARS:
            return self._numbered(value)
        if kind in (IDENTIFIER, OPEN) or value is None or isinstance(value, bool):
            return self._walk(value if type(value) in _SCALARS else plain(value))
        if kind == KEYED:
            return self._redactor.hashed(plain(value))
        if type(value) in _NUMBERS and is_count(shadow(str(key))):
            return self._walk(value)  # a count: max_tokens
        if (
            kind == MAYBE
            and isinstance(value, str | int | float)
            and is_harmless(shadow(str(value)))
        ):
            return self._walk(plain(value))
        return REDACTED

    def _numbered(self, value: Any) -> Any:
        """Redact a value under an identifier's name: its digits are not a card number."""
        if type(value) in _NUMBERS:
            return value
        if type(value) is str and not value.startswith("base64:"):
            return self.text(value, cards=False)
        return self._walk(value)

    def _locator(self, value: Any) -> Any:
        """Redact a JSON value under the name of a URL or a query."""
        if isinstance(value, str):
            if value.startswith("base64:"):
                return self._encoded(value, url=True)
            return self.text(value, url=True)
        if isinstance(value, list):
            return [self._locator(item) for item in value]
        if isinstance(value, dict):  # parameters, parsed
            result = _Members()
            for key, item in value.items():
                shown = self._shown(key)
                result.add(shown, REDACTED if is_url_name(key) else self._member(key, item))
            return dict(result)
        return self._walk(value)

    def _apart(self, members: Mapping[Any, Any]) -> tuple[Any, Any]:
        """Return the key of a secret value and its name, where they are members of an object.

        HTTP archives have them so: ``{"name": "Cookie", "value": "…"}``.
        """
        if len(members) > _MEMBERS:
            return _NOWHERE, None
        keys = {key.lower(): key for key in members if isinstance(key, str)}
        if VALUES.isdisjoint(keys):
            return _NOWHERE, None
        value = next((keys[key] for key in keys if key in VALUES), None)
        label = next((keys[key] for key in keys if key in LABELS), None)
        if value is not None and label is not None:
            name = members[label]
            if isinstance(name, str) and self._says_secret(name):
                return value, name
        return _NOWHERE, None

    # --- Values.

    def value(self, value: Any) -> Any:
        """Return any value without its secrets."""
        if type(value) not in _SCALARS:
            value = jsonable(value)
        return self._walk(value)

    def _walk(self, value: Any) -> Any:
        """Return a value of JSON's types without its secrets."""
        if self._left < 0 and value.__class__ in (str, list, dict):
            return REDACTED
        if isinstance(value, str):
            return self._encoded(value) if value.startswith("base64:") else self.text(value)
        if isinstance(value, list):
            return self._list(value)
        if isinstance(value, dict):
            return self._object(value)
        if type(value) in _NUMBERS and is_card(value):
            return REDACTED
        return value

    def _object(self, value: dict[str, Any]) -> dict[str, Any]:
        apart, its_name = self._apart(value)
        self._together([*value, *value.values()])
        result = _Members()
        for key, item in value.items():
            shown = self._shown(key)
            result.add(shown, self._member(its_name if key == apart else key, item))
        return dict(result)

    def _list(self, items: list[Any]) -> list[Any]:
        self._together(items)
        result = [
            REDACTED if at and self._announces(at - 1, items[at - 1], item) else self._item(item)
            for at, item in enumerate(items)
        ]
        if 3 < len(items) < 6 and all(isinstance(item, int | str) for item in items):
            digits = "".join(map(str, items))
            if digits.isdecimal() and digits.isascii() and is_card_digits(digits.encode()):
                return [REDACTED] * len(items)
        return result

    def _item(self, item: Any) -> Any:
        """Return what a list may hold: a pair in it may be a name and a value, as headers are."""
        if isinstance(item, list) and len(item) == 2 and isinstance(item[0], str):
            name = item[0]
            if name.startswith("base64:"):
                name = _decoded(name)
            return [self._walk(item[0]), self._member(name, item[1])]
        return self._walk(item)

    def _announces(self, at: int, name: Any, value: Any) -> bool:
        """Whether an item of a list says that the next one is secret: a header, an option."""
        if not (type(name) is type(value) is str and (at % 2 == 0 or name[:1] == "-")):
            return False
        if name in ("-p", "-P", "-pw"):
            return not value.startswith("-") and not is_plain(shadow(value))
        if name in self._seen or self._redactor.is_clean(name) or not self._says_secret(name):
            return False
        if name.startswith("-"):
            return not value.startswith("-")
        return not is_plain(shadow(value))

    def _says_secret(self, name: str) -> bool:
        """Whether a value is the name of another one that is secret."""
        if name.startswith("base64:"):
            name = _decoded(name)
        return _NAME.fullmatch(name) is not None and self._kind(name) in HIDDEN

    def _encoded(self, value: str, url: bool = False) -> str:
        """Return bytes, which go as a whole if there is a secret in them."""
        text = _decoded(value)
        return value if self.text(text, url=url) == text else REDACTED

    # --- Texts.

    def _together(self, values: list[Any]) -> None:
        """Look at many texts at once: of most objects and lists none holds anything."""
        if len(values) <= _MANY:
            return
        texts = [item for item in values if type(item) is str and not self._redactor.is_clean(item)]
        if len(texts) > 2:
            self._left -= 1
            if not self._redactor.texts.may_hold("\n".join(texts)):
                self._seen = frozenset(texts)

    _seen: frozenset[str] = frozenset()

    def text(self, text: str, *, url: bool = False, cards: bool = True) -> str:
        """Return a text without its secrets."""
        if len(text) < 4 or self._redactor.is_clean(text) or text in self._seen:
            return text
        if self._left < 0:
            return REDACTED
        self._left -= 1
        if text not in self._suspects and not self._redactor.texts.may_hold(text):
            self._redactor.remember(text)
            return text
        if not url and self._redactor.is_harmless(text):
            return text
        self._left -= _CAREFUL + (_DECODING if "%" in text or "+" in text else 0)
        plain = self._parsed(text) if text.lstrip()[:1] in _JSON else text
        redacted = self._redactor.texts.redacted(plain, url=url, cards=cards)
        if cards and not url and redacted == text:
            self._redactor.remember_harmless(text)
        return redacted

    def _parsed(self, text: str) -> str:
        """Redact JSON as what it means, where a text is JSON.

        An object that has a name twice is looked at as a text alone: one of the two is not seen
        otherwise.
        """
        if len(text) > _MAX_JSON:
            return text
        try:
            parsed = orjson.loads(text)
            redacted = self._walk(parsed)
            return text if redacted == parsed else orjson.dumps(redacted).decode()
        except (ValueError, TypeError, RecursionError):
            return text


class _Members(dict[Any, Any]):
    """Members by their names, none of which is lost where two are the same after redaction."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[Any, int] = {}

    def add(self, name: Any, value: Any) -> None:
        plain = name
        while name in self:
            self._last[plain] = self._last.get(plain, 1) + 1
            name = f"{plain}#{self._last[plain]}"
        self[name] = value


def _is_card_type(kind: Any) -> bool:
    return isinstance(kind, str) and any(word in kind.lower() for word in _CARD_TYPES)


def _decoded(value: str) -> str:
    try:
        data = base64.b64decode(value.removeprefix("base64:"), validate=True)
    except (binascii.Error, ValueError):
        return value
    return data.decode("utf-8", "replace")
