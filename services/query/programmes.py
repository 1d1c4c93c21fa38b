"""The columns and frames of the programmes that were asked about, kept level with the store."""

import threading
from collections import defaultdict

from services.ledger.ports import NO_ROWS, Snapshot
from services.ledger.words import Identity
from services.network import columns as flows
from services.network.columns import Columns
from services.network.frame import Frame


class Programmes:
    """Each programme's columns are brought forward by one thread at a time."""

    def __init__(self) -> None:
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._columns: dict[str, Columns] = {}
        self._frames: dict[tuple[str, Identity], Frame] = {}

    def frame(self, snapshot: Snapshot, programme_id: str, identity: Identity) -> Frame:
        """A frame at the snapshot's position, or later when somebody asked meanwhile."""
        if not snapshot.has_programme(programme_id):
            return Frame(flows.load(NO_ROWS, snapshot.position()), identity)
        with self._locks[programme_id]:
            columns = self._at(snapshot, programme_id)
            key = (programme_id, identity)
            frame = self._frames.get(key)
            if frame is None or frame.columns is not columns:
                frame = self._frames[key] = Frame(columns, identity)
            return frame

    def _at(self, snapshot: Snapshot, programme_id: str) -> Columns:
        position = snapshot.position()
        columns = self._columns.get(programme_id)
        if columns is None:
            columns = flows.load(snapshot.flows(programme_id, 0), position)
        elif columns.next_offset < position:
            rows = snapshot.flows(programme_id, columns.next_offset)
            columns = flows.advance(columns, rows, position)
        self._columns[programme_id] = columns
        return columns
