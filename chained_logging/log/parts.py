"""What an open log consists of, put together.

Each part has one job and is given what it needs. A part comes after those that it uses.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from chained_logging.format.vkey import Signer
from chained_logging.log.alarm import Alarm
from chained_logging.log.backlog import Backlog
from chained_logging.log.chain import Chain
from chained_logging.log.checkpoints import Checkpoints
from chained_logging.log.closing import Closing
from chained_logging.log.decisions import Decisions
from chained_logging.log.keeper import Keeper
from chained_logging.log.membership import Membership
from chained_logging.log.opening import Opening
from chained_logging.log.options import Options
from chained_logging.log.own_entries import OwnEntries
from chained_logging.log.purging import Purging
from chained_logging.log.recent import RecentHashes
from chained_logging.log.recovery import Recovery
from chained_logging.log.rotation import Rotation
from chained_logging.log.signing import Signing
from chained_logging.log.state import State
from chained_logging.log.upkeep import Upkeep
from chained_logging.log.writer import Writer
from chained_logging.sinks import Sink

if TYPE_CHECKING:
    from chained_logging.log.keeper import Kept


class Parts:
    """The parts of a log. None of them refers to its front, which the program may drop.

    :param log: the front.
    :param key: as for :class:`chained_logging.AuditLog`, as is `spill`.
    :param destinations: where the log is shipped to.
    :raises OSError: if the key's file cannot be read; also LogError and ValueError.
    """

    def __init__(
        self,
        log: Kept,
        sink: Sink,
        options: Options,
        key: Signer | str | os.PathLike[str] | None,
        spill: str | os.PathLike[str] | None,
        destinations: Sequence[str],
    ) -> None:
        self.state: Final = State(log.path, sink)
        signing = Signing(self.state, key, each=options.sign == "each")
        recent = RecentHashes()
        own = OwnEntries(self.state, signing, recent)
        recovery = Recovery(self.state)
        self.checkpoints: Final = Checkpoints(self.state, options, signing, recent)
        self.rotation: Final = Rotation(self.state, signing, self.checkpoints, own)
        self.decisions: Final = Decisions(self.state, signing, self.checkpoints, own)
        self.purging: Final = Purging(self.state)
        self.membership: Final = Membership(self.state, options, signing, self.checkpoints, own)
        self.backlog: Final = Backlog(self.state, options, spill)
        chain = Chain(self.state, options, signing, self.membership, self.backlog, recent)
        self.keeper: Final = Keeper(weakref.ref(log), options.sync_interval, destinations, signing)
        self.opening: Final = Opening(
            self.state, recovery, signing, self.membership, own, self.backlog, self.keeper
        )
        self.writer: Final = Writer(
            self.state, options, chain, self.backlog, self.keeper, self.opening.wake
        )
        self.upkeep: Final = Upkeep(
            self.state,
            options,
            self.writer,
            chain,
            self.backlog,
            self.membership,
            recovery,
            self.checkpoints,
        )
        self.closing: Final = Closing(
            self.state,
            signing,
            self.checkpoints,
            self.membership,
            recovery,
            chain,
            self.backlog,
            self.writer,
            self.keeper,
        )
        self.alarm: Final = Alarm(self.state, self.backlog)
        self.state.parts = (
            signing,
            recent,
            self.checkpoints,
            self.backlog,
            self.writer,
            self.keeper,
            self.upkeep,
            self.alarm,
        )
