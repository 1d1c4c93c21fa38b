"""Columns and frames out of a store, as the query service brings them forward."""

from __future__ import annotations

from services.ledger.ports import Snapshot
from services.network.columns import EMPTY, Columns, advance


def level(snapshot: Snapshot, programme_id: str, columns: Columns = EMPTY) -> Columns:
    """The columns brought to the position of the snapshot; loaded where there are none."""
    rows = snapshot.flows(
        programme_id,
        columns.next_offset,
        party_count=len(columns.ids),
        topic_set_count=len(columns.topic_sets),
    )
    return advance(columns, rows, snapshot.position())
