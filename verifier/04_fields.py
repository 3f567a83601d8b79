# The rule of each field: the table in docs/format.md.

_REQUIRED = [
    "action",
    "actor_id",
    "actor_type",
    "context",
    "id",
    "ip_address",
    "prev_hash",
    "resource_id",
    "resource_type",
    "result",
    "seq",
    "timestamp",
    "v",
]
_OPTIONAL = (
    *("changed_fields", "old_values", "on_behalf_of", "reason", "resources", "session_id"),
    *("tenant_id", "trace_id", "user_agent"),
)
_FIELDS = frozenset((*_REQUIRED, *_OPTIONAL))
_ENUMS = {
    "actor_type": ("user", "service", "admin", "system", "unknown"),
    "result": ("success", "failure", "denied", "unknown"),
}
_NAMES = (
    *("action", "actor_id", "on_behalf_of", "resource_id", "resource_type", "session_id"),
    "tenant_id",
)
_RECORD = {"id", "type"}  # the keys of each of `resources`
_REPLACED = (  # what holds "unknown" if it was not valid
    ["action", "actor_id", "actor_type", "ip_address", "resource_id", "resource_type", "result"]
)
_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_TIMESTAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z"
)
_TRACE = re.compile("(?!0{32})[0-9a-f]{32}")  # W3C Trace Context, section 3.2.2.3
_OVERSIZE = re.compile(r"sha256:[0-9a-f]{64} \((?:0|[1-9][0-9]{0,18}) bytes\)")


def _require(ok: bool, name: str, reason: str) -> None:
    if not ok:
        raise _Bad(name, reason)


def _check_fields(entry: dict[str, Any]) -> None:
    """Raise `_Bad` for the first field that breaks its rule."""
    for name in _REQUIRED:
        _require(name in entry, name, "the field is not there")
    for name in entry:
        if name not in _FIELDS:
            raise _Bad(name, "the format has no such field")
    _require(type(entry["v"]) is int and entry["v"] == 1, "v", "the format's version is not 1")
    for name, value in entry.items():
        if name in ("reason", "user_agent"):
            _check_text(name, value)
        if name in _NAMES:
            _check_name(name, value)
        if name in _ENUMS:
            allowed = _ENUMS[name]
            _require(value in allowed, name, "it is not one of " + ", ".join(allowed))
    _require(_matches(_ID, entry["id"]), "id", "it is not a UUID of version 7 in lower case")
    seq, prev = entry["seq"], entry["prev_hash"]
    _require(type(seq) is int and 0 <= seq <= MAX_SAFE_INTEGER, "seq", "it is not a whole number")
    _require(prev == GENESIS or _matches(_HEX64, prev), "prev_hash", "it is not a hash")
    _require(_is_timestamp(entry["timestamp"]), "timestamp", "it is not a time in UTC as specified")
    _check_address(entry)
    changed = entry.get("changed_fields", [])
    _require(
        isinstance(changed, list) and all(isinstance(item, str) for item in changed),
        "changed_fields",
        "it is not an array of strings",
    )
    _require(all("\0" not in item for item in changed), "changed_fields", "it holds U+0000")
    for name in ("context", "old_values"):
        _require(isinstance(entry.get(name, {}), dict), name, "it is not an object")
    trace = entry.get("trace_id")
    ok = "trace_id" not in entry or _matches(_TRACE, trace)
    _require(ok, "trace_id", "it is not 32 lower-case hexadecimal digits, or all of them are 0")
    _check_resources(entry.get("resources", []))
    _check_context(entry)
    if seq == 0:
        _check_genesis(entry)


def _check_text(name: str, value: Any) -> None:
    _require(isinstance(value, str), name, "it is not a string")
    _require("\0" not in value, name, "it holds U+0000")


def _check_name(name: str, value: Any) -> None:
    _check_text(name, value)
    size = len(value.encode())
    _require(1 <= size <= 1024, name, f"it has {size} bytes, not 1 to 1,024")


def _check_resources(records: Any) -> None:
    _require(isinstance(records, list), "resources", "it is not an array")
    for record in records:
        ok = isinstance(record, dict) and record.keys() == _RECORD
        _require(ok, "resources", "an item in it is not an object of id and type")
        for value in record.values():
            _check_name("resources", value)


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_timestamp(value: Any) -> bool:
    match = _TIMESTAMP.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return False
    return _is_day(match[1])


def _is_day(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_BYTE}(?:\.{_BYTE}){{3}}")  # for most, a tenth of the time


def _is_address(text: Any) -> bool:
    if not isinstance(text, str) or "%" in text:
        return False
    if _IPV4.fullmatch(text):
        return True
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return str(address) == text and getattr(address, "ipv4_mapped", None) is None


def _check_address(entry: dict[str, Any]) -> None:
    address = entry["ip_address"]
    if address is None:
        ok = entry["actor_type"] in ("service", "system")
        _require(ok, "ip_address", "only a service or the system may have none")
    elif address != "unknown":
        _require(_is_address(address), "ip_address", "it is not an IP address in canonical form")


def _check_context(entry: dict[str, Any]) -> None:
    """Check the keys of the context that are the log's own."""
    context = entry["context"]
    if "invalid" in context:
        _check_invalid(entry, context["invalid"])
    if "oversize" in context:
        _check_oversize(entry, context["oversize"])
    if "resources_part" in context:
        _require(_is_part(entry), "context", "its key resources_part does not say which part of it")


def _check_invalid(entry: dict[str, Any], invalid: Any) -> None:
    _require(isinstance(invalid, dict), "context", "its key invalid is not an object")
    for name in invalid:
        _require(name in _FIELDS, "context", "its key invalid names a field that does not exist")
        if name in _REPLACED:
            _require(entry[name] == "unknown", name, "it was not valid, yet is not 'unknown'")
        elif name in _OPTIONAL and name != "resources":  # which keeps those that are valid
            _require(name not in entry, name, "it was not valid, yet is there")


def _check_oversize(entry: dict[str, Any], oversize: Any) -> None:
    ok = isinstance(oversize, list) and all(isinstance(item, str) for item in oversize)
    _require(ok, "context", "its key oversize is not an array of strings")
    ordered = oversize in (sorted(oversize), sorted(oversize, key=_utf16))
    _require(ordered, "context", "its key oversize is not sorted")
    for pointer in oversize:
        found = _matches(_OVERSIZE, _resolve(entry, pointer))
        _require(found, "context", "its key oversize points to what is no SHA-256 and length")


def _is_part(entry: dict[str, Any]) -> bool:
    """Whether an entry says well which part it is of an event with too many resources for one."""
    part = entry["context"]["resources_part"]
    if not isinstance(part, dict) or part.keys() != {"id", "number", "of"}:
        return False
    number, of = part["number"], part["of"]
    return (
        "resources" in entry
        and type(number) is type(of) is int
        and 1 <= number <= of
        and of >= 2
        and _matches(_ID, part["id"])
        and (part["id"] == entry["id"]) is (number == 1)
    )


def _resolve(value: Any, pointer: str) -> Any:
    """Return what a JSON Pointer (RFC 6901) points to, or None."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and re.fullmatch("0|[1-9][0-9]{0,5}", key):
            value = value[int(key)] if int(key) < len(value) else None
        else:
            return None
    return value


def _check_genesis(entry: dict[str, Any]) -> None:
    context = entry["context"]
    for name, value in (
        ("action", "log.open"),
        ("actor_id", "chained_logging"),
        ("actor_type", "system"),
        ("ip_address", None),
        ("resource_type", "audit_log"),
        ("result", "success"),
    ):
        _require(entry[name] == value, name, f"in the first entry it is always {json.dumps(value)}")
    _require(
        context.get("origin") == entry["resource_id"],
        "context",
        "the first entry's origin is not its resource_id",
    )
    ok = type(context.get("format")) is int and context["format"] == 1
    _require(ok, "context", "the first entry does not name format 1")
    _require(isinstance(context.get("software"), str), "context", "it names no software")
    _require(isinstance(context.get("public_key", ""), str), "context", "its key is not a string")
