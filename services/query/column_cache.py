"""A cache of the columns of recently queried programmes, advanced as the store advances."""

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
    """The columns of one programme and its views. A thread holds `lock` while it advances them."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    columns: Columns = EMPTY
    last_offset: int = -1
    """Offset of the programme's last record in the columns."""
    views: dict[Identity, IdentityView] = field(default_factory=dict)
    size_bytes: int = 0


# decision 0050: flow questions are answered from memory
class ColumnCache:
    """Caches columns in memory; evicts the least recently used programmes beyond the budget.

    The programme used last always stays, even if it exceeds the budget alone, so that its columns
    are loaded once and not for every question. Thread-safe.
    """

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        self._budget_bytes = budget_bytes
        self._lock = threading.Lock()
        self._programmes: OrderedDict[str, _CachedProgramme] = OrderedDict()

    @property
    def size_bytes(self) -> int:
        return sum(programme.size_bytes for programme in self._programmes.values())

    def get_view(self, snapshot: Snapshot, programme_id: str, identity: Identity) -> IdentityView:
        """A view at the snapshot's position, or at a later one if another question advanced it."""
        position, last_offset = snapshot.read_next_offset(), snapshot.read_last_offset(programme_id)
        if last_offset < 0:
            return IdentityView(load(NO_ROWS, position), identity)
        with self._lock:
            programme = self._programmes.setdefault(programme_id, _CachedProgramme())
            self._programmes.move_to_end(programme_id)
            self._make_room()  # before the columns grow
        with programme.lock:
            if programme.last_offset < last_offset:
                _advance_columns(programme, snapshot, programme_id)
                programme.last_offset = last_offset
            view = programme.views.get(identity)
            if view is None or view.columns is not programme.columns:
                view = IdentityView(programme.columns, identity, view)
                programme.views[identity] = view
            programme.size_bytes = programme.columns.nbytes + sum(
                cached_view.nbytes for cached_view in programme.views.values()
            )
            is_level = programme.last_offset == last_offset
        with self._lock:
            self._make_room()
        return view.move_to(position) if is_level else view

    def evict(self, programme_id: str) -> None:
        """Drops a programme's columns, so that the next question loads them again."""
        with self._lock:
            self._programmes.pop(programme_id, None)

    def _make_room(self) -> None:
        """Evicts the least recently used programmes until the rest is within the budget."""
        while self.size_bytes > self._budget_bytes and len(self._programmes) > 1:
            self._programmes.popitem(last=False)


def _advance_columns(programme: _CachedProgramme, snapshot: Snapshot, programme_id: str) -> None:
    """Adds new rows to the columns; loads fragmented columns again from the start."""
    columns = programme.columns
    if columns.is_fragmented:
        columns = EMPTY
        programme.views.clear()
    rows = snapshot.read_flow_rows(programme_id, columns.watermark)
    programme.columns = advance(columns, rows, snapshot.read_next_offset())
