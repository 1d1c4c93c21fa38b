"""Import batches: what a slab adds to each."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from services.ledger.enums import RevisionState
from services.ledger.exchange import ExchangeRetracted
from services.ledger.facts import Source
from services.ledger.new_exchange import NewExchange
from services.ledger.pairing import PairingFormed
from services.ledger.state import Journal, Revision
from services.ledger.times import Instant

_NEVER: Final = 2**63 - 1


@dataclass(slots=True)
class Batch:
    """What a slab adds to one batch; times and client are those of the batch's own facts."""

    client: str = ""
    first_offset: int = _NEVER
    first_record_time: Instant = _NEVER
    last_record_time: Instant = -_NEVER
    exchange_count: int = 0
    retracted_count: int = 0
    undone_count: int = 0
    correction_count: int = 0
    organization_count: int = 0
    pairing_count: int = 0

    def include_fact(self, offset: int, record_time: Instant, client: str) -> None:
        """Includes a fact of the batch in its times."""
        if offset < self.first_offset:
            self.first_offset, self.client = offset, client
        self.first_record_time = min(self.first_record_time, record_time)
        self.last_record_time = max(self.last_record_time, record_time)


BatchKey = tuple[str, int, str]
"""Name, generation, and the organization that recorded it, "" when none was named.

Two senders may give their files the same name, so the sender is part of the key.
"""

BatchIncrements = dict[BatchKey, Batch]


# decision 0029: an undo ends a generation
def compute_batch_increments(journal: Journal, fresh: Iterable[NewExchange]) -> BatchIncrements:
    """Returns what a slab adds to each batch. A fact without a batch adds nothing.

    A retraction counts for the batch that recorded the exchange, and as undone when the retraction
    names that batch, from any sender.
    """
    batches: defaultdict[BatchKey, Batch] = defaultdict(Batch)
    for each in fresh:
        if each.batch:
            batch = batches[each.batch, each.generation, each.recorded_by]
            batch.include_fact(each.offset, each.record_time, each.client)
            batch.exchange_count += 1
    for logged in journal.facts:
        assert logged.event is not None
        event = logged.event
        # An undo belongs to the batch that it undoes: see `_count`.
        if event.source.batch and not isinstance(event.fact, ExchangeRetracted):
            batch = batches[_key(event.source, event.recorded_by)]
            batch.include_fact(logged.offset, logged.record_time, event.source.client)
            batch.pairing_count += isinstance(event.fact, PairingFormed)
    for history, revision in journal.revisions:
        _count(batches, history.revisions[0], revision)
    for version in journal.versions:
        if version.source.batch:
            batches[_key(version.source, version.recorded_by)].organization_count += 1
    return dict(batches)


def _count(batches: BatchIncrements, first: Revision, revision: Revision) -> None:
    source = revision.source
    match revision.state:
        case RevisionState.RECORDED if source.batch:
            batches[_key(source, revision.recorded_by)].exchange_count += 1
        case RevisionState.CORRECTED if source.batch:
            batches[_key(source, revision.recorded_by)].correction_count += 1
        case RevisionState.RETRACTED if first.source.batch:
            batch = batches[_key(first.source, first.recorded_by)]
            batch.retracted_count += 1
            if _key(source, "") == _key(first.source, ""):
                batch.undone_count += 1
                batch.include_fact(revision.from_offset, revision.record_time, source.client)


def _key(source: Source, recorded_by: str) -> BatchKey:
    return source.batch, source.generation, recorded_by
