"""Columns and views from a store, advanced as in the query service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from mutua.v1.event_pb2 import Event
from services.adapters.sqlite.store import SqliteStore
from services.ledger.enums import Identity, Kind
from services.ledger.flow_rows import NO_ROWS, ExchangeColumns, FlowRows, Integers, LegColumns
from services.ledger.ports import Snapshot
from services.ledger.times import DAY
from services.network.columns import EMPTY, Columns, advance
from services.network.identity_view import IdentityView
from services.projector.slab import project_slab
from tests.ledger.folded_ledger import make_records
from tests.projector.slab_projection import LOG_ID, split_into_slabs
from tests.strategies import PROGRAMME

IDENTITIES = (Identity.RECORDED, Identity.AS_NOW)


def bring_forward(snapshot: Snapshot, programme_id: str, columns: Columns = EMPTY) -> Columns:
    """The columns advanced to the position of the snapshot; loaded if there are none."""
    return advance(
        columns,
        snapshot.read_flow_rows(programme_id, columns.watermark),
        snapshot.read_next_offset(),
    )


def advance_by_slabs(
    events: list[Event], where: Sequence[int]
) -> Iterator[tuple[Columns, dict[Identity, IdentityView]]]:
    """After every slab, newly loaded columns, and the views advanced from the previous ones."""
    with TemporaryDirectory() as folder, closing(SqliteStore(Path(folder, "read"))) as store:
        views: dict[Identity, IdentityView] = {}
        for slab in split_into_slabs(make_records(events), where) if events else [[]]:
            if slab:
                project_slab(store, LOG_ID, slab)
            with store.open_snapshot(0) as snapshot:
                whole = bring_forward(snapshot, PROGRAMME)
                before = [view.columns for view in views.values()]
                columns = bring_forward(snapshot, PROGRAMME, *before[:1])
            for identity in IDENTITIES:
                views[identity] = IdentityView(columns, identity, views.get(identity))
            yield whole, dict(views)


def make_flow_rows(
    numbers: range | list[int],
    *,
    replaced: range | list[int] = range(0),
    minutes: int = 1,
    giver_count: int = 1,
) -> FlowRows:
    """Exchanges from the first parties to the next party, all on one day."""
    number = _ints(numbers)

    def all_of(value: int) -> Integers:
        return np.full(len(number), value, dtype=np.int64)

    return FlowRows(
        parties=[f"org-{place}" for place in range(giver_count + 1)] if 0 in numbers else [],
        topic_sets={},
        organizations=(),
        aliases=(),
        exchanges=ExchangeColumns(
            number=number,
            occur_time=all_of(19_800 * DAY),
            first_day=all_of(19_800),
            end_day=all_of(19_801),
            kind=all_of(Kind.CALL),
            formality=all_of(0),
            reported_by=all_of(0),
            symmetric=all_of(0),
            topic_set=all_of(0),
            recorder=all_of(-1),
            giver_minutes=all_of(minutes),
            receiver_minutes=all_of(minutes),
            benefit_minutes=all_of(minutes),
        ),
        legs=LegColumns(
            exchange=np.repeat(number, giver_count),
            giver=_ints([*range(giver_count)] * len(number)),
            receiver=np.repeat(all_of(giver_count), giver_count),
        ),
        joint=NO_ROWS.joint,
        replaced=_ints(replaced),
    )


def _ints(values: range | list[int]) -> Integers:
    return np.array([*values], dtype=np.int64)
