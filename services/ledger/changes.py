"""Changes that a slab makes in the read models, computed without I/O."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.ledger.allocation import Leg, split_into_legs
from services.ledger.batches import BatchIncrements, compute_batch_increments
from services.ledger.fact_registry import FACT_REGISTRY
from services.ledger.facts import LoggedRecord
from services.ledger.fold import fold
from services.ledger.monthly_sums import MonthlySums, add_exchange
from services.ledger.new_exchange import NewExchange
from services.ledger.state import ExchangeHistory, Journal, Ledger, Needs, Revision
from services.ledger.times import DAY, day_of


@dataclass(slots=True)
class ProgrammeChanges:
    """What a slab changes in one programme's read models."""

    programme_id: str
    journal: Journal
    superseded_revisions: list[tuple[int, int, int]]
    """Number of the exchange, number of the revision, offset at which it ceased to be current."""
    cleared_exchanges: list[int]
    """Numbers of exchanges whose stored legs are obsolete."""
    standing_exchanges: list[tuple[ExchangeHistory, Revision, list[Leg]]]
    """Standing exchanges with new legs."""
    new_exchanges: Sequence[tuple[NewExchange, list[Leg]]]
    """Exchanges that needed no folding, with their legs."""
    months: MonthlySums
    batches: BatchIncrements
    last_offset: int
    """Offset of the programme's last record in the slab."""


def find_needs(records: Iterable[LoggedRecord]) -> Needs:
    """Returns what to load before folding the records of one programme."""
    needs = Needs()
    for record in records:
        if record.event is None:
            continue
        needs.event_ids.add(record.event.event_id)
        FACT_REGISTRY[type(record.event.fact)].add_needs(needs, record.event.fact)
    needs.event_ids.discard("")
    return needs


def project_records(
    programme_id: str,
    ledger: Ledger,
    records: Sequence[LoggedRecord],
    new_exchanges: Sequence[NewExchange] = (),
) -> ProgrammeChanges:
    """Folds one programme's records into `ledger` and returns what that changes.

    The sums lose what an exchange contributed before the slab and gain what it contributes after;
    revisions within the slab do not enter them. `new_exchanges` are the records of the slab that
    need no folding, because no other record concerns them.
    """
    journal = fold(ledger, records)
    months: MonthlySums = {}
    changes = ProgrammeChanges(
        programme_id=programme_id,
        journal=journal,
        superseded_revisions=[],
        cleared_exchanges=[],
        standing_exchanges=[],
        new_exchanges=[(each, split_into_legs(each)) for each in new_exchanges],
        months=months,
        batches=compute_batch_increments(journal, new_exchanges),
        last_offset=max(
            max((record.offset for record in records[-1:]), default=-1),
            max((each.offset for each in new_exchanges[-1:]), default=-1),
        ),
    )
    for exchange, exchange_legs in changes.new_exchanges:
        add_exchange(months, exchange, exchange_legs, exchange.occur_time // DAY, 1)
    first_new: dict[str, tuple[ExchangeHistory, Revision]] = {}
    for history, revision in journal.revisions:
        first_new.setdefault(history.exchange_id, (history, revision))
        if revision.number > 0:
            changes.superseded_revisions.append(
                (history.number, revision.number - 1, revision.from_offset)
            )
    for history, revision in first_new.values():
        if revision.number > 0:
            before = history.revisions[revision.number - 1]
            changes.cleared_exchanges.append(history.number)
            _contribute(changes.months, before, split_into_legs(before.exchange), -1)
        if not history.is_retracted:
            current = history.current
            added = split_into_legs(current.exchange)
            changes.standing_exchanges.append((history, current, added))
            _contribute(changes.months, current, added, 1)
    return changes


def _contribute(
    months: MonthlySums, revision: Revision, exchange_legs: list[Leg], sign: int
) -> None:
    assert revision.content_event.occur_time is not None
    add_exchange(
        months, revision.exchange, exchange_legs, day_of(revision.content_event.occur_time), sign
    )
