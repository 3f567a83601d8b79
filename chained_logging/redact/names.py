"""What a name says of its value: that it is secret, that it is a URL, or nothing.

One expression judges the names of members and parameters and finds names in a text, so that the
two cannot disagree. It is built for RE2 from the tables here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import re2

from chained_logging.redact.expression import Expression

SECRET_NAMES: Final = (
    *("pass-word", "pass-wd", "pass-phrase", "pass-code", "pwd", "psw", "pswd", "passwort"),
    *("kennwort", "contrasena", "contrase\u00f1a", "senha", "mot-de-passe", "wachtwoord"),
    *("losenord", "l\u00f6senord", "adgangskode", "haslo", "identified by"),
    *("secret", "token", "credential", "authorization", "cookie", "jsession-id", "phpsess-id"),
    *("api-key", "api-key-id", "private-key", "secret-key", "access-key", "signing-key"),
    *("encryption-key", "decryption-key", "ssh-key", "hmac-key", "hash-key", "auth-key"),
    *("session-key", "master-key", "account-key", "storage-key", "shared-key", "recovery-key"),
    *("shared-access-key", "shared-access-signature", "service-account-key", "subscription-key"),
    *("card-number", "card-no", "card-num", "credit-card", "debit-card", "cc-number", "cc-num"),
    *("security-code", "one-time-code", "auth-code", "authorization-code", "verification-code"),
    *("mfa-code", "2fa-code", "tfa-code", "otp-code", "sms-code", "totp-code", "recovery-code"),
    *("backup-code", "scratch-code", "access-code", "login-code", "activation-code", "pin-code"),
    *("unlock-code", "reset-code", "device-code", "code-verifier", "social-security"),
    *("social-security-number", "social-security-no", "social-insurance-number"),
    *("national-insurance-number", "tax-payer-id", "maiden-name", "security-answer"),
    *("secret-answer", "challenge-answer", "seed-phrase", "recovery-phrase", "seed-words"),
    *("mnemonic", "mnemonic-phrase", "xsrf", "x-amz-signature", "x-goog-signature"),
)
"""Names that are secret also at the end of another one: ``user_password``, ``clientSecret``.
A hyphen stands for any separator or none: ``api_key``, ``apiKey``, ``api.key``."""

SECRET_WORDS: Final = (
    *("pass", "pin", "pan", "cvv", "cvv2", "cvc", "cvc2", "ssn", "otp", "totp", "jwt", "csrf"),
    *("pw", "itin", "nino"),
)
"""Short names that are secret as a whole last word: ``db_pass``, and not ``compass``."""

DOUBTFUL: Final = ("auth", "refresh", "tin", "bearer")
"""Names that are secret unless their value is a plain word or a small number: ``auth=ok``."""

URL_NAMES: Final = (*("code", "key", "nonce", "session-id", "sid", "sig", "signature", "hmac"),)
"""Parameters that are as good as a password in a URL, and nothing special elsewhere."""

LOCATORS: Final = (
    *("href", "location", "query", "query-string", "referer", "referrer", "uri", "url"),
)
"""What a URL, or the query of one, is called."""

IDENTIFIERS: Final = (
    *("id", "uuid", "guid", "ean", "gtin", "upc", "isbn", "imei", "iccid", "serial", "barcode"),
    *("tracking", "tracking-number", "tracking-no", "tracking-code", "parcel", "parcel-number"),
    *("parcel-no", "shipment", "shipment-number", "consignment", "waybill", "serial-number"),
    *("serial-no", "latitude", "longitude", "lat", "lon", "lng", "snowflake", "timestamp"),
)
"""Names of numbers that are no card's, whatever their check digit."""

LABELS: Final = frozenset({"name", "key", "header", "field", "parameter", "param", "variable"})
"""What the name of a value is called where both are members of an object."""

VALUES: Final = frozenset({"value", "val", "content", "data"})
"""What the value is called there."""

# What may follow a secret name that is still the secret: password_hash, token2, secretValue.
_TAILS: Final = (
    *("again", "b64", "base64", "bcrypt", "cipher", "ciphertext", "confirm", "confirmation"),
    *("current", "digest", "encrypted", "entered", "enc", "field", "hash", "header", "hint"),
    *("input", "md5", "new", "old", "plain", "plaintext", "raw", "repeat", "sha1", "sha256"),
    *("sha512", "string", "text", "value"),
)

# What comes before a word. JSON escapes a line feed, and the escape's letter is not in the word.
BOUNDARY: Final = rb"(?:^|[^A-Za-z0-9]|\\(?:[bfnrt]|u[0-9a-f]{4}))"
_WORD_BOUNDARY: Final = rb"(?:^|[^A-Za-z]|\\(?:[bfnrt]|u[0-9a-f]{4}))"
NAME_CHARACTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-[]%"
"""The characters of a name in a text."""

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\dA-Z_]+|\d+")

# Words that are joined, as in most names; no token and no number looks so.
_ORDINARY: Final = re.compile(r"[A-Za-z]{1,24}(?:[_.\-\[\]]{1,2}[A-Za-z]{1,16}){0,4}[0-9]?\]?")

OPEN, SECRET, MAYBE, KEYED, LOCATOR, IDENTIFIER = range(6)  # what a name says of its value
HIDDEN: Final = (SECRET, MAYBE, KEYED)
_CACHE: Final = 4096
_LONGEST: Final = 256  # of a longer name only its end is looked at


def squash(name: str) -> str:
    """Return a name without case and separators."""
    return "".join(_WORDS.findall(name)).lower()


def compile_bytes(pattern: bytes) -> Expression:
    """Compile an expression that is searched in bytes, in time linear in them.

    :raises ValueError: for what RE2 does not take: a back-reference, a look-around.
    """
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    options.never_capture = False
    options.max_mem = 64 << 20  # memory for its automaton; when it is full, it starts afresh
    return Expression(pattern, options)


def _alternatives(names: Iterable[str]) -> bytes:
    """Return an expression for names; longer ones first, as the first that fits is taken."""
    parts = sorted({_seams(name) for name in names}, key=lambda part: (-len(part), part))
    return b"(?i:" + b"|".join(parts) + b")"


def _seams(name: str) -> bytes:
    return name.replace("-", "[ _.\\-]?").encode("latin-1", "replace")


def _whole_words(words: Iterable[str]) -> bytes:
    """Return an expression for whole words: after another character, or a capital in camel case."""
    some = sorted(set(words), key=lambda word: (-len(word), word))
    after = b"|".join(word.encode() for word in some)
    camel = b"|".join(f"{word.capitalize()}|{word.upper()}".encode() for word in some)
    return b"(?:" + _WORD_BOUNDARY + b"(?i:" + after + b")|[a-z0-9](?:" + camel + b"))"


_TAIL: Final = rb"(?:[_.\-\[\] ]{0,2}(?i:" + "|".join(_TAILS).encode() + rb"|[0-9]+))*"
_CLOSERS: Final = rb"(?:\[\]|[\])])*"


def secret_names(more: Iterable[str] = (), *, whole: bool = True) -> bytes:
    """Return the expression of a secret name's end.

    :param more: an application's own names.
    :param whole: whether a short name must be a whole word.
    """
    own = ["-".join(_WORDS.findall(name)) for name in more]
    names = _alternatives((*SECRET_NAMES, *filter(None, own)))
    short = (*SECRET_WORDS, *DOUBTFUL)
    words = _whole_words(short) if whole else _alternatives(short)
    return b"(?:" + names + b"|" + words + b")(?i:e?s)?" + _TAIL + _CLOSERS


class Names:
    """Judges names, and remembers what it found.

    :param more: more secret names.
    :param allow: names that are not secret, each as a whole.
    :param hashed: names whose values are hashed.
    """

    def __init__(
        self, more: Iterable[str] = (), allow: Iterable[str] = (), hashed: Iterable[str] = ()
    ) -> None:
        more, hashed = tuple(more), tuple(hashed)
        self.allow: Final = frozenset(map(squash, allow))
        self.hashed: Final = frozenset(map(squash, hashed))
        self.expression: Final = secret_names((*more, *hashed))
        self.loose: Final = secret_names((*more, *hashed), whole=False)
        self._secret = compile_bytes(self.expression + rb"\z")
        self._telling = compile_bytes(
            b"(?:" + self.expression + b"|" + _LOCATOR_END + b"|" + _IDENTIFIER_END + rb")\z"
        )
        self._known: dict[str, int] = {}

    def is_allowed(self, name: str) -> bool:
        """Whether the application says that this name is not secret."""
        return bool(self.allow) and squash(name) in self.allow

    def hashes(self, name: str) -> bool:
        """Whether values of this name are hashed."""
        return bool(self.hashed) and squash(name) in self.hashed

    def known(self, name: str) -> int | None:
        """Return what a name says of its value if it was judged before, else None."""
        return self._known.get(name)

    def kind(self, name: str, *, shown: bool = False) -> int:
        """Return what a name says of its value.

        :param shown: whether nothing in the name itself is secret, so that it may be remembered.
        """
        try:
            return self._known[name]
        except KeyError:
            pass
        kind = self._judge(name[-_LONGEST:])
        if len(name) <= _LONGEST and (shown or _ORDINARY.fullmatch(name)):
            if len(self._known) >= _CACHE:  # names that are made up as the program runs
                self._known.clear()
            self._known[name] = kind
        return kind

    def _judge(self, name: str) -> int:
        if self.hashed and squash(name) in self.hashed:
            return KEYED
        if self.is_allowed(name):
            return OPEN
        data = shadow(name)
        if not self._telling.find(data):
            return OPEN
        if self._secret.find(data):
            return MAYBE if _DOUBTFUL.find(data) else SECRET
        if _LOCATOR.find(data):
            return LOCATOR
        return IDENTIFIER if _IDENTIFIER.find(data) else OPEN


_DOUBTFUL: Final = compile_bytes(_whole_words(DOUBTFUL) + rb"(?i:e?s)?" + _TAIL + _CLOSERS + rb"\z")
_LOCATOR_END: Final = _whole_words(name.replace("-", "") for name in LOCATORS) + rb"s?"
_LOCATOR: Final = compile_bytes(_LOCATOR_END + rb"\z")
_IDENTIFIER_END: Final = (
    rb"(?:"
    + _whole_words(name for name in IDENTIFIERS if "-" not in name)
    + rb"|"
    + _alternatives(name for name in IDENTIFIERS if "-" in name)
    + rb")(?i:e?s)?"
)
_IDENTIFIER: Final = compile_bytes(_IDENTIFIER_END + rb"\z")
_URL_NAME: Final = compile_bytes(
    rb"(?:" + _whole_words(n for n in URL_NAMES if "-" not in n) + rb"|(?i:session[ _.\-]?id))\z"
)


def is_url_name(name: str) -> bool:
    """Whether a parameter of a URL is secret there."""
    return _URL_NAME.find(shadow(name[-_LONGEST:])) is not None


# --- Letters and digits that look like others.

_LETTERS: Final = {
    # Cyrillic, Greek.
    **dict(
        zip(
            "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0501",
            "aeopcyxijsd",
            strict=True,
        )
    ),
    **dict(
        zip(
            "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425\u0406\u0405",
            "ABEKMHOPCTXIS",
            strict=True,
        )
    ),
    **dict(zip("\u03bf\u03b1\u03c1\u03bd\u03b9\u03ba", "oapvik", strict=True)),
    **dict(
        zip(
            "\u039f\u0391\u03a1\u039d\u0399\u039a\u0392\u0395\u0397\u039c\u03a4\u03a7\u03a5\u0396",
            "OAPNIKBEHMTXYZ",
            strict=True,
        )
    ),
    "\u0131": "i",
    "\u0261": "g",
}
_LOOKALIKES: Final[dict[int, str]] = {
    **{ord(letter): plain for letter, plain in _LETTERS.items()},
    **{0xFF01 + offset: chr(0x21 + offset) for offset in range(94)},  # full width
    **{
        start + value: str(value)
        for start in (0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6)
        for value in range(10)
    },
    **{code: " " for code in (*range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)},
    **{code: "-" for code in range(0x2010, 0x2016)},
    0x2212: "-",
}


def shadow(text: str) -> bytes:
    """Return a byte for each character of a text, with what looks like ASCII as ASCII.

    What is found in it is found at the same position in the text.
    """
    if not text.isascii():
        text = text.translate(_LOOKALIKES)
    return text.encode("latin-1", "replace")


def _lead_bytes() -> bytes:
    """Return an expression for the UTF-8 of all lookalikes, and of little else."""
    leads: dict[bytes, set[int]] = {}
    for code in _LOOKALIKES:
        data = chr(code).encode()
        leads.setdefault(data[:-1], set()).add(data[-1])
    return b"|".join(
        re.escape(lead) + b"[" + b"".join(rb"\x%02x" % last for last in sorted(lasts)) + b"]"
        for lead, lasts in sorted(leads.items())
    )


LOOKALIKE: Final = _lead_bytes()
"""The expression of a character in UTF-8 that :func:`shadow` takes for another one."""
