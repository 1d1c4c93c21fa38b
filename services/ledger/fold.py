"""The fold: records in log order become the state of a ledger.

Deterministic and idempotent: a log read in slabs of any size, with any record delivered again,
leads to the same state (`tests/ledger/test_fold.py`).
"""

from collections.abc import Iterable
from heapq import heappop, heappush

from services.ledger.enums import QuarantineCause
from services.ledger.fact_registry import apply_fact
from services.ledger.facts import LoggedRecord
from services.ledger.state import AppliedVerdict, Journal, Ledger, QuarantineVerdict, WaitingVerdict


# decision 0125: the core is pure
def fold(ledger: Ledger, records: Iterable[LoggedRecord]) -> Journal:
    """Applies one programme's records to `ledger` and returns what they changed.

    A fact counts once by its event id. One whose target is not there yet waits and applies directly
    after it; one that can never apply is quarantined.
    """
    journal = Journal()
    for record in records:
        _apply_record(ledger, journal, record)
    return journal


def _apply_record(ledger: Ledger, journal: Journal, record: LoggedRecord) -> None:
    if record.event is None:
        journal.quarantine[record.offset] = (
            QuarantineCause.UNREADABLE,
            "is not a fact this version can read",
            record,
        )
        return
    first = ledger.digests.get(record.event.event_id)
    if first is None:
        ledger.digests[record.event.event_id] = record.digest
        journal.facts.append(record)
        _apply_with_waiting(ledger, journal, record)
    elif first != record.digest:
        journal.quarantine[record.offset] = (
            QuarantineCause.EVENT_ID_REUSED,
            "the event id stands on the log with other content; send the fact under a new id",
            record,
        )


def _apply_with_waiting(ledger: Ledger, journal: Journal, record: LoggedRecord) -> None:
    """Applies a fact and then, in log order, the facts that waited for it."""
    ready = [(record.offset, record)]
    while ready:
        _, fact = heappop(ready)
        assert fact.event is not None
        event_id = fact.event.event_id
        if event_id in ledger.waiting_keys:
            ledger.end_waiting(event_id)
            journal.waiting_changes[event_id] = ("", fact)
        verdict = apply_fact(ledger, journal, fact, record.offset)
        if isinstance(verdict, WaitingVerdict):
            ledger.add_waiting_fact(event_id, fact, verdict.key)
            journal.waiting_changes[event_id] = (verdict.key, fact)
            continue
        if isinstance(verdict, QuarantineVerdict):
            journal.quarantine[fact.offset] = (verdict.reason, verdict.detail, fact)
        for key in (
            event_id,
            *(verdict.settled_keys if isinstance(verdict, AppliedVerdict) else ()),
        ):
            for waiter in ledger.take_waiting_facts(key):
                heappush(ready, (waiter.offset, waiter))
