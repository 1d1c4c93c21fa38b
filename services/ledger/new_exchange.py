"""Exchanges that need no folding: most of what is ever recorded.

An exchange recorded for the first time that nothing else in its slab and nothing that waits refers
to can only become revision 0 of itself. It is laid out from plain values; that this is what the
fold makes of it is held by `tests/adapters/test_fresh.py` and by `verify`, which folds everything.
"""

from typing import NamedTuple

from services.ledger.times import Instant


# decision 0025: new exchanges take a fast path
class NewExchange(NamedTuple):
    """The record of such an exchange; the names are those of `Event` and `Exchange`.

    Words are their plain numbers, which databases take several times as fast as enumerations.
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
