"""The columns and frames of the programmes that were asked about, kept level with the store."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from services.ledger.enums import Identity
from services.ledger.flow_rows import NO_ROWS
from services.ledger.ports import Snapshot
from services.network.columns import EMPTY, Columns, advance, load
from services.network.identity_view import IdentityView

BUDGET_BYTES: Final = 1 << 30


@dataclass(slots=True)
class _CachedProgramme:
    """What is kept of a programme; one thread at a time brings it forward."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    columns: Columns = EMPTY
    last_offset: int = -1
    """The last record of the programme that is in the columns."""
    frames: dict[Identity, IdentityView] = field(default_factory=dict)
    size_bytes: int = 0


# decision 0050: flow questions are answered from memory
class ColumnCache:
    """Kept by recency within a budget of bytes; the one asked about last is kept whatever it takes.

    So one that exceeds the budget alone is in memory once, however many questions it gets, and
    nothing is beside it.
    """

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        self._budget_bytes = budget_bytes
        self._lock = threading.Lock()
        self._programmes: OrderedDict[str, _CachedProgramme] = OrderedDict()

    @property
    def size_bytes(self) -> int:
        return sum(kept.size_bytes for kept in self._programmes.values())

    def get_frame(self, snapshot: Snapshot, programme_id: str, identity: Identity) -> IdentityView:
        """A frame at the snapshot's position, or later when somebody asked meanwhile."""
        position, last_offset = snapshot.read_next_offset(), snapshot.read_last_offset(programme_id)
        if last_offset < 0:
            return IdentityView(load(NO_ROWS, position), identity)
        with self._lock:
            kept = self._programmes.setdefault(programme_id, _CachedProgramme())
            self._programmes.move_to_end(programme_id)
            self._make_room()  # before it grows
        with kept.lock:
            if kept.last_offset < last_offset:
                _advance_columns(kept, snapshot, programme_id)
                kept.last_offset = last_offset
            frame = kept.frames.get(identity)
            if frame is None or frame.columns is not kept.columns:
                frame = IdentityView(kept.columns, identity, frame)
                kept.frames[identity] = frame
            kept.size_bytes = kept.columns.nbytes + sum(
                each.nbytes for each in kept.frames.values()
            )
            is_level = kept.last_offset == last_offset
        with self._lock:
            self._make_room()
        return frame.move_to(position) if is_level else frame

    def evict(self, programme_id: str) -> None:
        """Has its columns loaded again."""
        with self._lock:
            self._programmes.pop(programme_id, None)

    def _make_room(self) -> None:
        """Forgets those asked about longest ago."""
        while self.size_bytes > self._budget_bytes and len(self._programmes) > 1:
            self._programmes.popitem(last=False)


def _advance_columns(kept: _CachedProgramme, snapshot: Snapshot, programme_id: str) -> None:
    """Columns with many dead rows are loaded again instead."""
    columns = kept.columns
    if columns.is_fragmented:
        columns = EMPTY
        kept.frames.clear()
    rows = snapshot.read_flow_rows(programme_id, columns.watermark)
    kept.columns = advance(columns, rows, snapshot.read_next_offset())
