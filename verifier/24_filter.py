# The filter by which the entries of a package were chosen. Each is compared with it, as far as an
# entry shows whether it fits.

_COMPARED = {
    "actor": "actor_id",
    "actor_type": "actor_type",
    "on_behalf_of": "on_behalf_of",
    "action": "action",
    "result": "result",
    "ip": "ip_address",
    "user_agent": "user_agent",
    "session": "session_id",
    "tenant": "tenant_id",
    "trace_id": "trace_id",
    "id": "id",
}
_OF_PERIOD = {"since", "until", "seq"}
_OF_FILTER = {*_COMPARED, *_OF_PERIOD, "resource", "changed", "text", "incomplete"}
_SEQS = re.compile("(0|[1-9][0-9]{0,15})?-(0|[1-9][0-9]{0,15})?")
_WORD = re.compile(r'[^\s;,()"]+')
_UNSEEN = re.compile(
    "[\0-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_WORDS = re.compile("[0-9a-z\x80-\U0010ffff]+")
_PARAMETER = re.compile(r"\{(\w+)\}")


def _quoted(value: str) -> str:
    """Return a value so that no text in it reads as a part of our sentence."""
    return value if _WORD.fullmatch(value) else json.dumps(value, ensure_ascii=False)


class _Filter:
    """The filter of a package: the query of a URL, ``actor=ann&action=read``.

    Values of one name are alternatives, and all names must fit.

    :raises _Bad: if the text is not one.
    """

    def __init__(self, text: str) -> None:
        self.given: dict[str, list[str]] = {}
        try:
            pairs = urllib.parse.parse_qsl(
                text, strict_parsing=bool(text), errors="surrogateescape"
            )
        except ValueError:
            raise _Bad(None, "its filter is not the query of a URL") from None
        for name, value in pairs:
            self.given.setdefault(name, []).append(value)
        spelled = "&".join(
            f"{name}={urllib.parse.quote(value, safe='/:@,*', errors='surrogateescape')}"
            for name, value in pairs
        )
        if spelled != text or not _OF_FILTER.issuperset(self.given):
            raise _Bad(None, "its filter has another form, or names what no filter has")
        self.since, self.until = self._time("since"), self._time("until")
        self.first, self.last = self._seqs()

    def _time(self, name: str) -> str | None:
        times = self.given.get(name, [])
        if len(times) > 1 or not all(map(_is_timestamp, times)):
            raise _Bad(None, f"its filter has a {name} that is not one time")
        return times[0] if times else None

    def _seqs(self) -> tuple[int, int]:
        ranges = self.given.get("seq", ["-"])
        found = _SEQS.fullmatch(ranges[0])
        if len(ranges) > 1 or found is None or self.given.get("incomplete", ["true"]) != ["true"]:
            raise _Bad(None, "its filter has a seq that is not one range")
        return int(found[1] or 0), int(found[2] or sys.maxsize)

    @property
    def is_period(self) -> bool:
        return _OF_PERIOD.issuperset(self.given)

    @property
    def words(self) -> str:
        return (
            "; ".join(
                f"{name} {' or '.join(_quoted(_UNSEEN.sub('?', value)) for value in values)}"
                for name, values in self.given.items()
            )
            or "all"
        )

    def misfit(self, entry: dict[str, Any]) -> str | None:
        """Return which part of the filter an entry does not fit, as far as it shows."""
        given = self.given
        if not self.first <= entry["seq"] <= self.last:
            return "seq"
        if self.since is not None and entry["timestamp"] < self.since:
            return "since"
        if self.until is not None and entry["timestamp"] >= self.until:
            return "until"
        for name, column in _COMPARED.items():
            if name in given and entry.get(column) not in given[name]:
                return name
        if "incomplete" in given and "invalid" not in entry["context"]:
            return "incomplete"
        if "changed" in given and not {*entry.get("changed_fields", ())} & {*given["changed"]}:
            return "changed"
        if "text" in given and not any(_has_words(entry, text) for text in given["text"]):
            return "text"
        return "resource" if self.concerns(entry) is False else None

    def concerns(self, entry: dict[str, Any]) -> bool | None:
        """Whether an entry is about one of the resources; None where that is not clear here."""
        found = [_concerns(entry, wanted) for wanted in self.given.get("resource", [])]
        return True if True in found or not found else None if None in found else False


def _concerns(entry: dict[str, Any], wanted: str) -> bool | None:
    """Whether an entry names a record; None for an address that may be split in many ways."""
    records = [{"type": entry["resource_type"], "id": entry["resource_id"]}]
    for record in records + entry.get("resources", []):
        if wanted in (record["type"], record["id"], f"{record['type']}/{record['id']}"):
            return True
    kind, slash, id_ = wanted.partition("/")
    if not slash:
        return None if ":" in wanted else False
    if not kind.isidentifier() or not id_ or id_ != id_.strip():
        return None
    return (kind, id_) in _parameters(entry["context"])


def _parameters(context: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what a request has as parameters, each under both names of its type."""
    route, values = context.get("route"), context.get("params")
    if not isinstance(route, str) or not isinstance(values, dict):
        return
    before = ""
    for segment in route.split("/"):
        found = _PARAMETER.fullmatch(segment)
        if found is None:
            before = segment
        elif isinstance(values.get(found[1]), str):
            yield before, values[found[1]]
            yield re.sub("_id$", "", found[1]), values[found[1]]


def _has_words(entry: dict[str, Any], wanted: str) -> bool:
    """Whether words occur in an entry's texts, also within longer words."""
    parts = [entry.get(name) for name in ("context", "reason", "old_values")]
    there = json.dumps(parts, ensure_ascii=False).casefold()
    words = _WORDS.findall(re.sub("[A-Z]", lambda found: found[0].lower(), wanted))
    # Numbers such as 1e+21 are spelled in several ways.
    return all(word.casefold() in there for word in words if not re.match("[0-9]+e", word))
