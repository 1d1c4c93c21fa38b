"""The fold: records in log order become the state of a ledger.

Deterministic and idempotent: a log read in slabs of any size, with any record delivered again,
leads to the same state (`tests/ledger/test_fold.py`).
"""

from collections.abc import Iterable
from heapq import heappop, heappush

from services.ledger.facts import Logged
from services.ledger.kinds import apply
from services.ledger.state import Applied, Journal, Ledger, Refused, Waits
from services.ledger.words import Quarantine


def fold(ledger: Ledger, records: Iterable[Logged]) -> Journal:
    """Applies one programme's records to `ledger` and returns what they changed.

    A fact counts once by its event id. One whose target is not there yet waits and applies directly
    after it; one that can never apply is quarantined.
    """
    journal = Journal()
    for record in records:
        _take(ledger, journal, record)
    return journal


def _take(ledger: Ledger, journal: Journal, record: Logged) -> None:
    if record.event is None:
        journal.quarantined[record.offset] = (
            Quarantine.UNREADABLE,
            "is not a fact this version can read",
            record,
        )
        return
    first = ledger.seen.get(record.event.event_id)
    if first is None:
        ledger.seen[record.event.event_id] = record.digest
        journal.facts.append(record)
        _settle(ledger, journal, record)
    elif first != record.digest:
        journal.quarantined[record.offset] = (
            Quarantine.EVENT_ID_REUSED,
            "the event id stands on the log with other content; send the fact under a new id",
            record,
        )


def _settle(ledger: Ledger, journal: Journal, record: Logged) -> None:
    """Applies a fact and then, in log order, whatever waited for it."""
    ready = [(record.offset, record)]
    while ready:
        _, fact = heappop(ready)
        assert fact.event is not None
        event_id = fact.event.event_id
        if event_id in ledger.awaited:
            ledger.release(event_id)
            journal.waiting[event_id] = ("", fact)
        verdict = apply(ledger, journal, fact, record.offset)
        if isinstance(verdict, Waits):
            ledger.wait(event_id, fact, verdict.key)
            journal.waiting[event_id] = (verdict.key, fact)
            continue
        if isinstance(verdict, Refused):
            journal.quarantined[fact.offset] = (verdict.reason, verdict.detail, fact)
        for key in (event_id, *(verdict.keys if isinstance(verdict, Applied) else ())):
            for waiter in ledger.wake(key):
                heappush(ready, (waiter.offset, waiter))
