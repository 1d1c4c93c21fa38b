"""What facts add to the import batches they name."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from services.ledger.facts import Source
from services.ledger.fresh import Fresh
from services.ledger.state import Journal, Revision
from services.ledger.times import Instant
from services.ledger.words import State

_NEVER: Final = 2**63 - 1


@dataclass(slots=True)
class Batch:
    """What is added to one batch and generation; times and client are those of its own facts."""

    client: str = ""
    first_offset: int = _NEVER
    first_record_time: Instant = _NEVER
    last_record_time: Instant = -_NEVER
    exchange_count: int = 0
    retracted_count: int = 0
    undone_count: int = 0
    correction_count: int = 0
    organization_count: int = 0

    def meet(self, offset: int, record_time: Instant, client: str) -> None:
        """Takes note of a fact of the batch."""
        if offset < self.first_offset:
            self.first_offset, self.client = offset, client
        self.first_record_time = min(self.first_record_time, record_time)
        self.last_record_time = max(self.last_record_time, record_time)


Batches = dict[tuple[str, int], Batch]


def batches_of(journal: Journal, fresh: Iterable[Fresh]) -> Batches:
    """What a stretch of the log adds to each batch. A fact without a batch adds nothing.

    A retraction counts for the batch that recorded the exchange, and there as undone when the
    retraction itself names that batch.
    """
    batches: defaultdict[tuple[str, int], Batch] = defaultdict(Batch)
    for each in fresh:
        if each.batch:
            batch = batches[each.batch, each.generation]
            batch.meet(each.offset, each.record_time, each.client)
            batch.exchange_count += 1
    for logged in journal.facts:
        assert logged.event is not None
        source = logged.event.source
        if source.batch:
            batches[_key(source)].meet(logged.offset, logged.record_time, source.client)
    for history, revision in journal.revisions:
        _count(batches, history.revisions[0].source, revision)
    for version in journal.versions:
        if version.source.batch:
            batches[_key(version.source)].organization_count += 1
    return dict(batches)


def _count(batches: Batches, first: Source, revision: Revision) -> None:
    said = revision.source
    match revision.state:
        case State.RECORDED if first.batch:
            batches[_key(first)].exchange_count += 1
        case State.CORRECTED if said.batch:
            batches[_key(said)].correction_count += 1
        case State.RETRACTED if first.batch:
            batches[_key(first)].retracted_count += 1
            batches[_key(first)].undone_count += _key(said) == _key(first)


def _key(source: Source) -> tuple[str, int]:
    return source.batch, source.generation
