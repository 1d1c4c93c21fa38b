"""Rules: how facts about exchanges change a ledger."""

from services.ledger.enums import QuarantineCause, RevisionState
from services.ledger.exchange import (
    Exchange,
    ExchangeCorrected,
    ExchangeRecorded,
    ExchangeRetracted,
)
from services.ledger.facts import Event, LoggedRecord
from services.ledger.state import (
    AppliedVerdict,
    ExchangeHistory,
    Journal,
    Ledger,
    Needs,
    QuarantineVerdict,
    Revision,
    Verdict,
    WaitingVerdict,
    refuse,
)


def record(
    ledger: Ledger, journal: Journal, logged: LoggedRecord, fact: ExchangeRecorded, at: int
) -> Verdict:
    assert logged.event is not None
    history = ExchangeHistory(logged.event.event_id, logged.offset, [])
    ledger.histories[history.exchange_id] = history
    _revise(journal, history, logged, at, RevisionState.RECORDED, logged.event, fact.exchange)
    return AppliedVerdict()


def correct(
    ledger: Ledger, journal: Journal, logged: LoggedRecord, fact: ExchangeCorrected, at: int
) -> Verdict:
    assert logged.event is not None
    history = ledger.histories.get(fact.exchange_id)
    if history is None:
        return await_exchange(ledger, fact.exchange_id)
    if history.is_retracted:
        return AppliedVerdict()
    replaced = fact.replaces_event_id
    if replaced and not history.has_revision(replaced):
        if replaced in ledger.digests and replaced not in ledger.waiting_keys:
            return refuse(
                f"replaces {replaced}, which is no revision of exchange {fact.exchange_id}"
            )
        return WaitingVerdict(replaced)
    if replaced and replaced != history.current.event_id:
        return QuarantineVerdict(
            QuarantineCause.STALE_CORRECTION,
            f"was made from {replaced}; the current revision is {history.current.event_id}",
        )
    _revise(journal, history, logged, at, RevisionState.CORRECTED, logged.event, fact.exchange)
    return AppliedVerdict()


def retract(
    ledger: Ledger, journal: Journal, logged: LoggedRecord, fact: ExchangeRetracted, at: int
) -> Verdict:
    history = ledger.histories.get(fact.exchange_id)
    if history is None:
        return await_exchange(ledger, fact.exchange_id)
    if not history.is_retracted:
        last = history.current
        _revise(
            journal, history, logged, at, RevisionState.RETRACTED, last.content_event, last.exchange
        )
    return AppliedVerdict()


def await_exchange(ledger: Ledger, exchange_id: str) -> Verdict:
    """Returns the verdict on a fact about an exchange that is not recorded yet."""
    if exchange_id in ledger.digests:
        return refuse(f"{exchange_id} is a fact, but no exchange")
    return WaitingVerdict(exchange_id)


def add_correction_needs(needs: Needs, fact: ExchangeCorrected) -> None:
    needs.exchange_ids.add(fact.exchange_id)
    needs.event_ids.update((fact.exchange_id, fact.replaces_event_id))


def add_retraction_needs(needs: Needs, fact: ExchangeRetracted) -> None:
    needs.exchange_ids.add(fact.exchange_id)
    needs.event_ids.add(fact.exchange_id)


def _revise(
    journal: Journal,
    history: ExchangeHistory,
    logged: LoggedRecord,
    at: int,
    state: RevisionState,
    content_event: Event,
    exchange: Exchange,
) -> None:
    assert logged.event is not None
    event = logged.event
    revision = Revision(
        len(history.revisions),
        event.event_id,
        at,
        logged.record_time,
        event.recorded_by,
        state,
        event.source,
        content_event,
        exchange,
        logged.value,
    )
    history.revisions.append(revision)
    journal.revisions.append((history, revision))
