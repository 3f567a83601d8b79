# JSON in canonical form (RFC 8785). There are two ways to judge a text: by the book, value by
# value; and by what parsers in C write back, without a step of Python for each value.

_NOT_CANONICAL = "the JSON is not in canonical form (RFC 8785)"
_NOT_A_NUMBER = "a number is not in canonical form"
MAX_SAFE_INTEGER = 2**53 - 1  # beyond it, a number in JSON is ambiguous


class _Number(str):
    """A number as it is written, already shown to be canonical."""

    __slots__ = ()


def _number(value: float) -> str:
    """Return a finite float as ECMAScript writes it (ECMA-262, Number::toString), for RFC 8785."""
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    # repr() finds the same shortest digits; only the layout differs.
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    size = len(digits)
    if size <= point <= 21:  # the bounds are those of ECMA-262
        return sign + digits + "0" * (point - size)
    if 0 < point <= 21:
        return sign + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    tail = "." + digits[1:] if size > 1 else ""
    return f"{sign}{digits[0]}{tail}e{point - 1:+d}"


def _check_number(text: str) -> None:
    value = float(text)
    if value - value != 0 or _number(value) != text:
        raise _Bad(None, _NOT_A_NUMBER)


def _parse_int(text: str) -> int:
    # A float of 1e16 is written as an integer too: beyond 2**53 it must be what ECMAScript writes.
    if len(text) > 15 or text == "-0":  # up to 15 digits are always exact
        if len(text) > 22:
            raise _Bad(None, _NOT_A_NUMBER)
        value = int(text)
        if not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER or text == "-0":
            _check_number(text)
        return value
    return int(text)


def _parse_constant(text: str) -> NoReturn:
    raise _Bad(None, f"{text} is not JSON")


def _raw_int(text: str) -> _Number:
    _parse_int(text)
    return _Number(text)


def _raw_float(text: str) -> _Number:
    _check_number(text)
    return _Number(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _Bad(
                    key if key in _FIELDS else None, f"the key {_quote(key[:100])} occurs twice"
                )
            seen.add(key)
    return result


_decode = json.JSONDecoder(parse_constant=_parse_constant).decode
_decode_first = json.JSONDecoder(parse_constant=_parse_constant).raw_decode
_decode_uniquely = json.JSONDecoder(
    parse_constant=_parse_constant, object_pairs_hook=_unique
).decode
_decode_exactly = json.JSONDecoder(
    parse_int=_raw_int,
    parse_float=_raw_float,
    parse_constant=_parse_constant,
    object_pairs_hook=_unique,
).decode
_encode = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False
).encode


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")


def _canonical(value: Any) -> str:
    """Return what `_decode_exactly` made, as RFC 8785 writes it."""
    if type(value) is _Number:
        return str(value)
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, dict):
        # RFC 8785 orders keys by UTF-16 code units, not by code points.
        keys = sorted(value, key=_utf16)
        return "{" + ",".join(f"{_quote(k)}:{_canonical(value[k])}" for k in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join([_canonical(item) for item in value]) + "]"
    return {True: "true", False: "false", None: "null"}[value]


def _parse(body: bytes, exactly: bool = False) -> dict[str, Any]:
    """Return a canonical body's fields.

    :param exactly: whether to go by the book, value by value.
    :raises _Bad: if it is not a JSON object in canonical form.
    """
    try:
        entry = (_parse_exactly if exactly else _parse_quickly)(body)
    except _Bad:
        raise
    except UnicodeDecodeError:
        raise _Bad(None, "it is not UTF-8") from None
    except RecursionError:
        raise _Bad(None, "its JSON is nested too deeply") from None
    except ValueError:
        raise _Bad(None, "it is not JSON") from None
    if not isinstance(entry, dict):
        raise _Bad(None, "it is not a JSON object")
    return entry


def _parse_exactly(body: bytes) -> Any:
    text = body.decode()
    if _canonical(_decode_exactly(text)) != text:
        raise _Bad(None, _NOT_CANONICAL)
    return _decode(text)


def _parse_quickly(body: bytes) -> Any:
    """Parse without a step of Python for each value, so that no text takes long."""
    if not _may_be_odd(body):
        with contextlib.suppress(ValueError, TypeError, RecursionError):
            entry = _load(body)
            if _dump(entry) == body:
                return entry
    return _parse_odd(body)  # the parsers refuse some canonical texts, such as deep ones


def _parse_all(texts: Sequence[bytes]) -> dict[bytes, Any]:
    """Return the values of canonical objects, parsed quickly and with few calls.

    :param texts: each begins with a brace.
    :raises _Bad: if one is not a JSON object in canonical form.
    """
    joined = b",".join(texts)
    if not _may_be_odd(joined):
        with contextlib.suppress(ValueError, TypeError, RecursionError):
            values = list(map(_load, texts))
            # Each text is one value, so where all are written back as they were, each of them is.
            if _dump(values) == b"[%b]" % joined:
                return dict(zip(texts, values))  # noqa: B905  # Python 3.9
    if len(texts) < _FEW:
        return {text: _parse(text) for text in texts}
    half = len(texts) // 2
    return {**_parse_all(texts[:half]), **_parse_all(texts[half:])}


_FEW = 8  # texts, one of which is odd: they are parsed one by one


if _orjson is not None:
    _ORJSON_OPTIONS = _orjson.OPT_SORT_KEYS | _orjson.OPT_STRICT_INTEGER
    _load = _orjson.loads

    def _dump(value: Any) -> bytes:
        return _orjson.dumps(value, None, _ORJSON_OPTIONS)

else:

    def _load(text: bytes) -> Any:
        return _decode_first(text.decode())[0]  # what follows the value is not written back

    def _dump(value: Any) -> bytes:
        return _encode(value).encode()


# The end of a number that `_dump` may write as it was though it is not canonical: of 1.0, of one
# with an exponent, or with 16 digits. A comma stands for whatever comes after it.
_ODD_END = re.compile(
    rb",(?<=[0-9],)(?:(?<=\.0,)|(?<=e[0-9],)|(?<=e[0-9+-][0-9],)|(?<=e[0-9+-][0-9]{2},)"
    rb"|(?<=e[+-][0-9]{3},)|(?<=[0-9]{16},))"
)


def _may_be_odd(text: bytes) -> bool:
    """Whether a text may be written back as it was, and yet not be canonical."""
    ends = text.replace(b"}", b",").replace(b"]", b",")
    return _ODD_END.search(ends) is not None or _has_far_key(text)


_FAR = re.compile(b"[\xf0-\xf4]")  # how UTF-8 begins what lies beyond the basic plane
_FAR_STRING = re.compile(_FAR.pattern + rb'[^"\\]*(?:\\.[^"\\]*)*(?:":?|\Z)', re.DOTALL)


def _has_far_key(text: bytes) -> bool:
    """Whether keys may be in another order by code points than by UTF-16, as RFC 8785 has them."""
    return not text.isascii() and any(end.endswith(b":") for end in _FAR_STRING.findall(text))


def _parse_odd(body: bytes) -> Any:
    """Parse what may hold odd numbers, or keys in an odd order, in time that is linear too.

    What a parser in C writes back is canonical but for these. A text that holds such is first made
    into one that holds none, and that is canonical exactly if the text is.
    """
    odd, far = _ODD_NUMBER.search(body), _has_far_key(body)
    text = (_with_ordinary_numbers(body) if odd else body).decode()
    if far:
        text = _in_units(text)
    entry = _decode(text)
    if _encode(entry) != text:
        _decode_uniquely(text)
        raise _Bad(None, _NOT_CANONICAL)
    return _decode(body.decode()) if odd or far else entry


def _in_units(text: str) -> str:
    """Return a text that has a character for each UTF-16 code unit."""
    units = text.encode("utf-16-le")
    wide = bytearray(2 * len(units))
    wide[0::4], wide[1::4] = units[0::2], units[1::2]
    return wide.decode("utf-32-le", "surrogatepass")


# A string without an end goes on to the end of the text, so that no part is looked at again.
_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\Z)'
# Finds all numbers that a parser may write otherwise than RFC 8785 does, and some other texts.
_ODD_NUMBER = re.compile(
    rb"[:,\[-][0-9](?:[0-9]*(?:\.[0-9]+)?[eE]|[0-9]*\.[0-9]*0[,\]}]|(?<=0)\.0000|[0-9]{15}"
    rb"|(?<=-0)[,\]}])"
)
_TOKENS = re.compile(_STRING + rb'|[^"0-9-]+|-?[0-9][0-9.eE+-]*|-', re.DOTALL)


def _with_ordinary_numbers(body: bytes) -> bytes:
    """Return a text in which 0.5 replaces each odd number.

    :raises _Bad: if one of them is not canonical.
    """
    tokens = _TOKENS.findall(body)
    numbers = [token for token in set(tokens) if token[0] in b"-0123456789"]
    large, others = [], []
    for token in numbers:
        if not token.lstrip(b"-").isdigit():
            others.append(token)
        elif abs(_parse_int(token.decode())) > MAX_SAFE_INTEGER:
            large.append(token)
    if not _are_canonical(b" ".join(others).decode()):
        raise _Bad(None, _NOT_A_NUMBER)
    ordinary = dict.fromkeys(large + others, b"0.5")
    return b"".join([ordinary.get(token, token) for token in tokens])


_NEVER_WRITTEN = re.compile(r"\.0(?: |$)|e\+(?:1[6-9]|20)(?: |$)")


def _are_canonical(numbers: str) -> bool:
    """Whether numbers with a fraction or exponent, between spaces, are as RFC 8785 has them."""
    if _NEVER_WRITTEN.search(numbers):
        return False
    try:
        text = " ".join(map(repr, map(float, numbers.split())))
    except ValueError:
        return False
    # Python and ECMAScript write the same digits, and lay them out the same but for these.
    for exponent, zeros in (("e-05", "0.0000"), ("e-06", "0.00000")):
        if exponent in text:
            number = rf"(^-?| -?)([0-9])(?:\.([0-9]+))?{exponent}"
            text = re.sub(number, rf"\g<1>{zeros}\2\3", text)
    return text.replace("e-0", "e-") == numbers
