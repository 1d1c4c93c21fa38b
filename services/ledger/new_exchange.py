"""Exchanges that need no folding: most of what is ever recorded.

A new exchange to which no other fact of its slab and no waiting fact refers can only become its own
revision 0. It is projected from plain values, which takes 0.67 of the processor time of folding it
(2026-11-30, `tests/bench/README.md`). `tests/adapters/test_new_exchange.py` and `verify`, which
folds everything, check that the fold has the same result.
"""

from typing import NamedTuple

from services.ledger.times import Instant


# decision 0025: new exchanges take a fast path
class NewExchange(NamedTuple):
    """The record of a new exchange, with field names of `Event` and `Exchange`.

    Enums are plain integers, because databases accept them several times as fast.
    """

    offset: int
    record_time: Instant
    event_id: str
    digest: bytes
    value: bytes
    occur_time: Instant
    occur_precision: int
    report_time: Instant | None
    visibility: int
    recorded_by: str
    client: str
    batch: str
    generation: int
    kind: int
    formality: int
    reported_by: int
    topics: tuple[str, ...]
    giver_ids: tuple[str, ...]
    receiver_ids: tuple[str, ...]
    party_ids: tuple[str, ...]
    giver_minutes: int | None
    receiver_minutes: int | None
    benefit_minutes: int | None
