"""A whole log as a folder of files that any web server can publish: C2SP ``tlog-tiles``.

    checkpoint                          the signed note
    tile/<L>/<N>[.p/<W>]                256 hashes, or W of them at the tree's right border
    tile/entries/<N>[.p/<W>]            256 entries, or W of them

With the folder, anyone can check the log without this package, and make any proof about it by
reading a few tiles of 8 KiB. The entries are what `chained_logging` calls bodies, so that the hash
of an entry in the tree, SHA-256(0x00 ‖ body), is the one that its stored line shows.

:func:`write_tiles` makes the folder and lets it grow. A reader that runs meanwhile, or after a
crash or a power failure, never finds a checkpoint whose tiles are missing: a file gets its name
once its content is on the disk, and the checkpoint comes last. All files but the checkpoint are
immutable once a checkpoint has vouched for them, and what would change one is refused.

Files are made with mode 0600 and folders with 0700, since the bundles hold all that was audited.
To publish them, give the web server access, for instance by an ACL or a group on the folder.
"""

from chained_logging.transparency.tiles.check import check_tiles
from chained_logging.transparency.tiles.reader import TileReader
from chained_logging.transparency.tiles.writer import resume_at, with_partials, write_tiles

__all__ = ["TileReader", "check_tiles", "resume_at", "with_partials", "write_tiles"]
