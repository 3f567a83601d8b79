# Places and hashes in temporary files, so that what a log holds does not show in memory. What
# retention removed is explained by an entry far behind it.

_BATCH = 1024  # places that are looked for at once
_WINDOW = 256  # places that are read at once


def _opened(path: str | None) -> Any:
    """Return a new file to write and read; None for one without a name."""
    return tempfile.TemporaryFile() if path is None else open(path, "w+b")


class _Spool:
    """The numbers of entries, in order, each with a hash; and which of them were taken.

    :param path: the beginning of the names of its files, which then stay; None for files that
        have no names. There are files only once something was added.
    """

    def __init__(self, path: str | None = None) -> None:
        self.path, self.count, self.last = path, 0, -1
        self.cursor = 0
        self.files: list[BinaryIO] = []

    def add(self, seqs: Iterable[int], hashes: bytes) -> None:
        """Add entries that come after those before them.

        :param hashes: 32 bytes for each.
        """
        if not self.files:
            self.files = [self.opened(".places"), self.opened(".hashes")]
        places = array.array("Q", [seq << 1 for seq in seqs])
        self.files[0].write(places.tobytes())
        self.files[1].write(hashes)
        self.count, self.last = self.count + len(places), places[-1] >> 1

    def opened(self, kind: str) -> BinaryIO:
        file: BinaryIO = _opened(self.path and self.path + kind)
        return file

    def join(self, path: str) -> None:
        """Add what another process wrote to files of these names, if it did."""
        for number, kind in enumerate((".places", ".hashes")):
            if os.path.exists(path + kind):
                if len(self.files) == number:
                    self.files.append(self.opened(kind))
                with open(path + kind, "rb") as file:
                    shutil.copyfileobj(file, self.files[number])
                self.count = self.files[0].tell() // 8

    def close(self) -> None:
        for file in self.files:
            file.close()

    def flush(self) -> None:
        for file in self.files:
            file.flush()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, at: int) -> int:
        """Return a place: the number of an entry, doubled, and one more where it was taken."""
        return self.places(at, 1)[0]

    def places(self, at: int, count: int) -> array.array[int]:
        return array.array("Q", os.pread(self.files[0].fileno(), 8 * count, 8 * at))

    def take(self, seqs: Sequence[int]) -> list[bytes | None]:
        """Return the hashes of entries, in order; None where an entry is not there.

        :param seqs: ascending.
        :raises _Bad: if one was taken before.
        """
        found: list[bytes | None] = []
        if not self.count:
            return [None] * len(seqs)
        self.flush()
        while len(found) < len(seqs):
            found += self.take_near(seqs[len(found) :])
        return found

    def take_near(self, seqs: Sequence[int]) -> list[bytes | None]:
        """As :meth:`take`, of some of the first: those that are close together."""
        at = self.find(seqs[0] << 1)
        self.cursor = min(at, self.count - 1)
        places = self.places(at, min(_WINDOW, len(seqs)))
        hashes = os.pread(self.files[1].fileno(), 32 * len(places), 32 * at)
        if not places:
            return [None] * len(seqs)
        count = bisect.bisect_right(seqs, places[-1] >> 1)
        index = {place >> 1: number for number, place in enumerate(places)}
        numbers = [index.get(seq) for seq in seqs[:count]]
        for number in numbers:
            if number is not None:
                if places[number] & 1:
                    raise _Bad(None, f"it names entry {places[number] >> 1}, as one before it does")
                places[number] |= 1
        os.pwrite(self.files[0].fileno(), places.tobytes(), 8 * at)
        return [None if at is None else hashes[32 * at : 32 * at + 32] for at in numbers]

    def take_within(self, first: int, last: int) -> int:
        """Take all entries from one number to another, and return how many they are.

        :raises _Bad: if one was taken before.
        """
        self.flush()
        count = 0
        at = self.find(first << 1) if self.count else 0
        while at < self.count:
            seqs = [place >> 1 for place in self.places(at, _WINDOW) if place >> 1 <= last]
            if not seqs:
                break
            self.take(seqs)
            count, at = count + len(seqs), at + len(seqs)
        return count

    def following(self, seq: int) -> int:
        """Return the first number from `seq` on; a very large one after the last."""
        self.flush()
        at = self.find(seq << 1) if self.count else 0
        return self[at] >> 1 if at < self.count else sys.maxsize

    def find(self, place: int) -> int:
        """Return where a place is, or would be: near where the last one was, as a rule."""
        at = min(self.cursor + _WINDOW, self.count - 1)
        for near in (self.cursor, at):
            if self[near] >> 1 == place >> 1:
                return near
        low = self.cursor if self[self.cursor] < place else 0
        return bisect.bisect_left(self, place, low, self.count)

    def left(self) -> Iterator[tuple[int, int]]:
        """Yield the first and last of the entries that nobody took, by runs."""
        self.flush()
        first = last = -1
        for at in range(0, self.count, _BATCH):
            for place in self.places(at, min(_BATCH, self.count - at)):
                if place & 1:
                    continue
                if place >> 1 != last + 1 or first < 0:
                    if first >= 0:
                        yield first, last
                    first = place >> 1
                last = place >> 1
        if first >= 0:
            yield first, last
