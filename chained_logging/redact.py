"""Secrets and card numbers are taken out of an event before it becomes an entry.

What is once in an append-only log cannot be removed from it, so this is on by default:
``AuditLog(path, redact=Redactor())``. A value goes by the name that it has (``password``,
``access_token``, ``Set-Cookie``), at any depth, and by what it looks like (a card number, a
bearer token, a JWT, a private key, a password in a URL), also in the middle of a text. In its
place stands ``[redacted]``, which tells nothing of it, not even its length. ``docs/sensitive.md``
has the rules, and what they cannot see.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import unquote_plus

from chained_logging import chain
from chained_logging.entry import FIELD_OF
from chained_logging.values import jsonable

REDACTED: Final = "[redacted]"
"""What stands in the place of a secret."""

SECRET_NAMES: Final = frozenset(
    {
        *("password", "passwd", "passphrase", "passcode", "secret", "token", "credential"),
        *("authorization", "cookie", "apikey", "apikeyid", "privatekey", "secretkey", "accesskey"),
        *("signingkey", "encryptionkey", "sshkey", "hmackey", "hashkey", "authkey", "sessionkey"),
        *("cardnumber", "creditcard", "debitcard", "securitycode", "onetimecode"),
        *("socialsecuritynumber", "xsrf", "jsessionid", "phpsessid"),
    }
)
"""Names that are secret also at the end of another one: ``user_password``, ``clientSecret``."""

SECRET_WORDS: Final = frozenset(
    {"pwd", "pass", "pin", "pan", "cvv", "cvv2", "cvc", "ssn", "otp", "totp", "auth", "jwt", "csrf"}
)
"""Short names that are secret as a whole last word: ``db_pass``, and not ``compass``."""

_URL_NAMES: Final = frozenset({"code", "key", "nonce", "sessionid", "sid", "sig", "signature"})
# What a URL, or the query of one, is called.
_LOCATORS: Final = frozenset(
    {"href", "location", "query", "querystring", "referer", "referrer", "uri", "url"}
)
# What may follow a secret name that is still the secret: password_hash, token2, secretValue.
_TAILS: Final = frozenset(
    {
        *("again", "b64", "base64", "confirm", "confirmation", "digest", "hash"),
        *("header", "new", "old", "plain", "raw", "repeat", "string", "text", "value"),
    }
)
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\dA-Z_]+|\d+")

# A name and what joins it to its value, in a query string, a form, a message, JSON or a repr. A
# match begins only where a run of such characters does, so that a long one costs its length once.
_NAMED: Final = re.compile(
    r"""(?<![\w.\-\[\]%])([\w.\-\[\]%]++)(?:(\s{0,8}=>?\s{0,8})|\\*["']\s*[:=]\s*)""", re.ASCII
)
_QUOTED: Final = re.compile(r"""[bruf]?(\\*["'])(.*?)((?<!\\)\1|\Z)""", re.DOTALL)
_BRACKETED: Final = re.compile(r"\[(?!redacted\])[^\]]*\]?|\{[^}]*\}?|\([^)]*\)?|<[^<>]*>?")
_PARAMETER: Final = re.compile(r"[^\s&;<>#]*")
_ASSIGNED: Final = re.compile(r"[^\s&;<>]*")
_MEMBER: Final = re.compile(r"[^\s,}\]]*(?:\[redacted\])?")
_HEADER: Final = re.compile(
    r"\b((?:proxy-)?authorization|(?:set-)?cookie|api-?key"
    r"|x-(?:[\w-]{1,30}-)?(?:token|secret|password|api-?key))"
    r"([ \t]*:[ \t]*)[^\r\n]+",
    re.IGNORECASE,
)
_USERINFO: Final = re.compile(
    r"://(?:[^/?#\s]*@|[^/?#\s:@]*:(?!\d+[/?#])\S{0,512}@)",
)
_SCHEME: Final = re.compile(r"\b(bearer|basic)([ \t]+)([\w.~+/=-]{8,})", re.IGNORECASE)
_JWT: Final = re.compile(r"(?<![A-Za-z0-9])eyJ[\w-]{4,}+(?:\.[\w-]*+){1,4}", re.ASCII)
_PEM: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
    r".*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
_DIGITS: Final = re.compile(r"(?<![^\W_])[0-9]+(?:[ ._\-\u00a0][0-9]+)*(?![^\W_])")
_DIGIT_RUN: Final = re.compile(r"[2-68][0-9 ._\-\u00a0]{12}")
# First digits and lengths of the card networks: Visa; Mastercard; American Express; Diners;
# Discover, UnionPay, Maestro, RuPay; JCB; Mir.
_CARD: Final = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"
    r"|3[47]\d{13}|3(?:0[0-5]|095|[689]\d)\d{11,16}|(?:50|5[6-9]|6\d|81|82)\d{11,17}"
    r"|35(?:2[89]|[3-8]\d)\d{12,15}|220[0-4]\d{12,15}",
    re.ASCII,
)
_HASHED: Final = re.compile(r"hmac-sha256:[0-9a-f]{64}")

_SCALARS: Final = frozenset({str, int, float, bool, type(None)})
_NUMBERS: Final = frozenset({int, float})
_CONSTANTS: Final = (None, False, True)
_CACHE: Final = 4096
_SHORT: Final = 512
_MAX_JSON: Final = 1_000_000
_MAX_DEPTH: Final = 4  # of percent-encoding; what is encoded more often is taken for a secret
_OPEN, _SECRET, _KEYED, _LOCATOR = range(4)  # what a name says of its value
_HIDDEN: Final = (_SECRET, _KEYED)


class Redactor:
    """Takes secrets out of an event: the default for ``AuditLog(redact=…)``.

    :param names: more secret names. Case and separators do not matter: ``"tax_id"`` is also
        ``taxId`` and ``Tax-ID``, and the end of ``old_tax_id``.
    :param allow: names that are not secret in this application, each as a whole: ``"max_tokens"``.
    :param patterns: more regular expressions; what they match in a text is replaced.
    :param hash_key: the key for `hashed`, at least 16 bytes, from a secret store: whoever has it
        can find values by trying them.
    :param hashed: names whose values are replaced by ``hmac-sha256:`` and 64 hexadecimal digits,
        the HMAC-SHA-256 of the value's UTF-8 text (of another value: of its canonical JSON), so
        that they can still be compared. The identifiers of an entry may be among them:
        ``actor_id``, ``session_id``, ``resource_id``.
    :raises ValueError: for a short key, or `hashed` without one.

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
        self._names = tuple(SECRET_NAMES | {_squash(name) for name in names})
        self._allow = frozenset(map(_squash, allow))
        self._patterns = [re.compile(pattern) for pattern in patterns]
        fields = [FIELD_OF.get(name, name) for name in hashed]
        if hash_key is not None and len(hash_key) < 16:
            raise ValueError("hash_key has at least 16 bytes")
        if fields and hash_key is None:
            raise ValueError("hashed= needs a hash_key")
        fixed = set(fields) & (set(FIELD_OF.values()) - _HASHABLE)
        if fixed:
            raise ValueError(
                f"{', '.join(sorted(fixed))} cannot be hashed: it has a form of its own"
            )
        self._hash_key = hash_key
        self._hashed = frozenset(map(_squash, fields))
        # Keys and short values that were looked at, and hold nothing: most come again and again.
        self._open: set[str] = set()
        self._clean: set[Any] = set(_CONSTANTS)

    def __call__(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the event without its secrets; the same object if there are none.

        Never raises.

        :param event: fields of an entry by name or alias, whose own names are not secret, and
            whatever else there is.
        """
        # The short way: no name is secret, and all that was not seen before are texts and numbers
        # where nothing can be.
        try:
            if self._open.issuperset(event):
                clean = self._clean
                texts = []
                for value in set(event.values()) - clean:
                    if type(value) is str:
                        texts.append(value)
                    elif type(value) not in _NUMBERS or _is_card_number(value):
                        return self._event(event)
                if not texts or not self._may_hold("\n".join(texts)):
                    if len(clean) >= _CACHE:
                        clean.clear()
                        clean.update(_CONSTANTS)
                    clean.update(texts)
                    return event
        except Exception:  # noqa: S110  # a list, or a value whose own methods fail
            pass
        return self._event(event)

    def text(self, text: str) -> str:
        """Return a text without what looks like a secret in it."""
        if text in self._clean or not self._may_hold(text):
            return text
        found = self._structured(text)
        if found == text and len(text) <= _SHORT:
            self._remember(self._clean, text)
        return found

    def url(self, url: str) -> str:
        """Return a URL, or a part of one, without its user name, password and secret parameters.

        So is treated what stands under a name such as ``url``, ``redirect_uri`` or ``query``.
        Here ``code``, ``key``, ``nonce``, ``sid``, ``session_id``, ``sig`` and ``signature`` are
        secret as well: in a query string each is as good as a password.
        """
        return self.text(self._named(url, _URL_NAMES))

    # --- An event.

    def _event(self, event: Mapping[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        apart, its_name = self._apart(event)
        for key, value in event.items():
            field = FIELD_OF.get(key)
            if field is None:
                self._put(result, key, self._member(its_name if key == apart else key, value))
            elif field == "" and key != "context":  # it is not stored
                result[key] = value
            elif field == "resource" and self._hashes(field):
                result[key] = self._hash_resource(value)
            elif self._hashes(field) and value is not None:
                result[key] = self._hash(jsonable(value))
            else:
                result[key] = self._value(value)
            if field is not None and type(key) is str and not self._hashes(field):
                self._remember(self._open, key)
        return result

    def _hashes(self, field: str) -> bool:
        return ("resourceid" if field == "resource" else _squash(field)) in self._hashed

    def _hash_resource(self, value: Any) -> Any:
        kind, _, name = value.partition("/") if isinstance(value, str) else (value, "", "")
        if not name and isinstance(value, tuple | list) and len(value) == 2:
            kind, name = value
        return [self._value(kind), self._hash(jsonable(name)) if name not in ("", None) else None]

    def _put(self, result: dict[str, Any], key: Any, value: Any) -> None:
        name = key
        if type(key) is str and key not in self._open:
            name = self.text(key)
            # What stands under "value" depends on the name beside it: see _apart().
            if name == key and self._kind(key) == _OPEN and key.lower() != "value":
                self._remember(self._open, key)
            number = 1
            while name in result:
                number += 1
                name = f"{self.text(key)}#{number}"
        result[name] = value

    def _member(self, key: Any, value: Any) -> Any:
        """Return what an object may hold under a key."""
        kind = _OPEN if key in self._open else self._kind(key)
        if kind == _LOCATOR:
            return self._locator(value if type(value) in _SCALARS else jsonable(value))
        if kind == _OPEN or value is None or isinstance(value, bool):
            return self._value(value)
        if kind == _KEYED:
            return self._hash(jsonable(value))
        if type(value) in _NUMBERS and str(key).lower().endswith("s"):
            return self._value(value)  # a count: max_tokens
        return REDACTED

    def _locator(self, value: Any) -> Any:
        """Return what stands under the name of a URL or a query, of JSON's types."""
        if isinstance(value, str):
            if value.startswith("base64:"):
                return self._encoded(value, self.url)
            return self.url(value)
        if isinstance(value, list):
            return [self._locator(item) for item in value]
        if isinstance(value, dict):  # parameters, parsed
            result: dict[str, Any] = {}
            for key, item in value.items():
                self._put(result, key, REDACTED if _is_url_name(key) else self._member(key, item))
            return result
        return self._walk(value)

    def _apart(self, members: Mapping[Any, Any]) -> tuple[Any, Any]:
        """Return the key of a secret value and its name, where they are members of an object.

        HTTP archives have them so: ``{"name": "Cookie", "value": "…"}``.
        """
        keys = {key.lower(): key for key in members if isinstance(key, str)}
        if "value" in keys:
            name = members.get(keys.get("name", keys.get("key")))
            if isinstance(name, str) and self._kind(name) in _HIDDEN:
                return keys["value"], name
        return _NOWHERE, None

    def _value(self, value: Any) -> Any:
        if type(value) not in _SCALARS:
            value = jsonable(value)
        return self._walk(value)

    def _walk(self, value: Any) -> Any:
        """Return a value of JSON's types without its secrets."""
        if isinstance(value, str):
            if value.startswith("base64:"):
                return self._encoded(value, self.text)
            return self.text(value)
        if isinstance(value, list):
            return [self._item(item) for item in value]
        if isinstance(value, dict):
            apart, its_name = self._apart(value)
            result: dict[str, Any] = {}
            for key, item in value.items():
                self._put(result, key, self._member(its_name if key == apart else key, item))
            return result
        if type(value) in _NUMBERS and _is_card_number(value):
            return REDACTED
        return value

    def _item(self, item: Any) -> Any:
        """Return what a list may hold: a pair in it may be a name and a value, as headers are."""
        if isinstance(item, list) and len(item) == 2 and isinstance(item[0], str):
            name = item[0]
            if name.startswith("base64:"):
                name = _decoded(name)
            return [self._walk(item[0]), self._member(name, item[1])]
        return self._walk(item)

    @staticmethod
    def _encoded(value: str, look: Callable[[str], str]) -> str:
        text = _decoded(value)
        return value if look(text) == text else REDACTED

    # --- Names.

    def _kind(self, key: Any) -> int:
        """Return what a name says of its value."""
        if not isinstance(key, str):  # bytes, or an Enum
            key = jsonable([key])[0]
            if not isinstance(key, str):
                return _OPEN
        if key.startswith("base64:"):
            key = _decoded(key)
        words = _WORDS.findall(key)
        squashed = "".join(words).lower()
        if squashed in self._hashed:
            return _KEYED
        if self._secret(words, squashed):
            return _SECRET
        if squashed in _LOCATORS or (words and words[-1].lower() in _LOCATORS):
            return _LOCATOR
        return _OPEN

    def _secret(self, words: list[str], squashed: str) -> bool:
        if not squashed or squashed in self._allow:
            return False
        last = words[-1].lower()
        if last in SECRET_WORDS or squashed in SECRET_WORDS:
            return True
        if squashed.endswith(self._names) or squashed.rstrip("s").endswith(self._names):
            return True
        if last in _TAILS or last.isdecimal():
            return self._secret(words[:-1], squashed[: -len(last)])
        return False

    # --- Texts.

    def _may_hold(self, text: str) -> bool:
        """Tell quickly that nothing can be in a text, or in several, a line each."""
        if (
            "=" in text
            or ":" in text
            or " " in text
            or "\t" in text
            or "[" in text
            or "eyJ" in text
        ):
            return True
        if len(text) > 12 and _DIGIT_RUN.search(text) and _DIGITS.sub(_cards, text) != text:
            return True
        return len(text) > _SHORT or bool(self._patterns)

    def _structured(self, text: str) -> str:
        """Redact JSON as what it means, where a text is JSON, and else as a text."""
        if text.lstrip()[:1] in ("[", "{") and len(text) <= _MAX_JSON:
            try:
                parsed = json.loads(text, object_pairs_hook=_distinct)
                redacted = self._walk(parsed)
                return text if redacted == parsed else json.dumps(redacted, ensure_ascii=False)
            except (ValueError, RecursionError):
                pass
        for _ in range(8):  # until there is nothing more: what was cut out may have parted a match
            found = self._once(text)
            if found == text:
                return text
            text = found
        return REDACTED

    def _once(self, text: str, more: frozenset[str] = frozenset(), depth: int = 0) -> str:
        if "PRIVATE KEY" in text:
            text = _PEM.sub(REDACTED, text)
        if "=" in text or ":" in text:
            text = self._named(text, more, depth)
        if ":" in text:
            text = _HEADER.sub(rf"\1\2{REDACTED}", text)
            text = _USERINFO.sub(f"://{REDACTED}@", text)
        return self._patterned(text)

    def _patterned(self, text: str) -> str:
        """Redact what is secret by itself, whatever stands around it."""
        text = _SCHEME.sub(_credentials, text)
        if "eyJ" in text:
            text = _JWT.sub(REDACTED, text)
        if _DIGIT_RUN.search(text):
            text = _DIGITS.sub(_cards, text)
        for pattern in self._patterns:
            text = pattern.sub(REDACTED, text)
        return text

    def _named(self, text: str, more: frozenset[str] = frozenset(), depth: int = 0) -> str:
        """Redact each value that stands behind a secret name.

        :param more: names that are secret here as well.
        :param depth: how often this was percent-encoded.
        """
        parts = []
        start = 0
        while found := _NAMED.search(text, start):
            name = unquote_plus(found[1])
            assigned = found[2] is not None
            bare = (_PARAMETER if more else _ASSIGNED) if assigned else _MEMBER
            value = (
                _QUOTED.match(text, found.end())
                or _BRACKETED.match(text, found.end())
                or bare.match(text, found.end())
            )
            secret = self._kind(name) in _HIDDEN or (more and _is_url_name(name))
            given = value[0] if value else ""
            if not secret and assigned and ("%" in given or "+" in given):
                # A URL or an object in a parameter: it goes as a whole, with what is secret in it.
                plain = unquote_plus(given)
                level = depth + 1
                while level < _MAX_DEPTH and plain != (again := unquote_plus(plain)):
                    plain, level = again, level + 1
                secret = level >= _MAX_DEPTH or self._once(plain, more, level) != plain
            parts.append(text[start : found.end()])
            start = found.end()
            if secret and given:
                quote = value[1] if value and value.re is _QUOTED else ""
                parts.append(f"{quote}{REDACTED}{quote}")
                start += len(given)
        return "".join(parts) + text[start:]

    # --- Hashes.

    def _hash(self, value: Any) -> Any:
        """Return the keyed hash of a value of JSON's types; of each one in a list or an object."""
        if value is None:
            return None
        if isinstance(value, list):
            return [self._hash(item) for item in value]
        if isinstance(value, dict):
            return {self.text(key): self._hash(item) for key, item in value.items()}
        if isinstance(value, str):
            if _HASHED.fullmatch(value):
                return value
            data = value.encode()
        else:
            data = chain.canonical(value)
        assert self._hash_key is not None  # noqa: S101  # there are no names to hash without one
        return "hmac-sha256:" + hmac.new(self._hash_key, data, hashlib.sha256).hexdigest()

    @staticmethod
    def _remember(known: set[Any], value: Any) -> None:
        if len(known) >= _CACHE:
            known.clear()
        known.add(value)


_HASHABLE: Final = frozenset({"actor_id", "resource_id", "session_id", "user_agent", "reason"})

Redact = Callable[[Mapping[str, Any]], Mapping[str, Any]]


_NOWHERE: Final = object()


def _is_url_name(name: str) -> bool:
    words = _WORDS.findall(name)
    return bool(words) and not _URL_NAMES.isdisjoint((words[-1].lower(), "".join(words).lower()))


def _squash(name: str) -> str:
    return "".join(_WORDS.findall(name)).lower()


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that has a name twice: one of the two would not be looked at."""
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name comes twice")
    return result


def _decoded(value: str) -> str:
    try:
        data = base64.b64decode(value.removeprefix("base64:"), validate=True)
    except (binascii.Error, ValueError):
        return value
    return data.decode("utf-8", "replace")


def _credentials(match: re.Match[str]) -> str:
    scheme, space, given = match.groups()
    if scheme.lower() == "basic":  # a user name and a password, or "basic subscription"
        try:
            if b":" not in base64.b64decode(given + "=" * (-len(given) % 4)):
                return match[0]
        except (binascii.Error, ValueError):
            return match[0]
    return f"{scheme}{space}{REDACTED}"


def _cards(match: re.Match[str]) -> str:
    """Redact the card numbers in a row of digits, whole or in groups as they are printed."""
    text = match[0]
    groups = [(m.start(), m.end()) for m in re.finditer("[0-9]+", text)]
    parts = []
    done = begin = 0
    while begin < len(groups):
        for end in range(min(begin + 7, len(groups)), begin, -1):
            start, stop = groups[begin][0], groups[end - 1][1]
            sizes = [b - a for a, b in groups[begin:end]]
            # A UUID of digits alone is no card: 4-4-4-4, 4-6-5, 4-6-4 are.
            printed = len(sizes) == 1 or (len(sizes) > 2 and min(sizes) > 1 and max(sizes) <= 7)
            if printed and _is_card("".join(text[a:b] for a, b in groups[begin:end])):
                parts += [text[done:start], REDACTED]
                done = stop
                begin = end - 1
                break
        begin += 1
    return "".join(parts) + text[done:]


def _is_card_number(value: int | float) -> bool:
    if not 10**12 <= value < 10**19:
        return False
    if isinstance(value, float) and (value > 2**53 or not value.is_integer()):
        return False
    return _is_card(str(int(value)))


def _is_card(digits: str) -> bool:
    """Whether these are a card number: the first digits of a network, and the check digit.

    The check is Luhn's (ISO/IEC 7812-1, annex B).
    """
    if not _CARD.fullmatch(digits):
        return False
    numbers = [int(digit) for digit in reversed(digits)]
    doubled = [sum(divmod(2 * number, 10)) for number in numbers[1::2]]
    return (sum(numbers[::2]) + sum(doubled)) % 10 == 0
