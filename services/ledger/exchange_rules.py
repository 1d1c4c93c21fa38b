"""What facts about exchanges do to a ledger."""

from services.ledger.exchange import (
    Exchange,
    ExchangeCorrected,
    ExchangeRecorded,
    ExchangeRetracted,
)
from services.ledger.facts import Event, Logged
from services.ledger.state import (
    Applied,
    History,
    Journal,
    Ledger,
    Needs,
    Refused,
    Revision,
    Verdict,
    Waits,
)
from services.ledger.words import Quarantine, State


def record(
    ledger: Ledger, journal: Journal, logged: Logged, fact: ExchangeRecorded, at: int
) -> Verdict:
    assert logged.event is not None
    history = History(logged.event.event_id, logged.offset, [])
    ledger.histories[history.exchange_id] = history
    _revise(journal, history, logged, at, State.RECORDED, logged.event, fact.exchange)
    return Applied()


def correct(
    ledger: Ledger, journal: Journal, logged: Logged, fact: ExchangeCorrected, at: int
) -> Verdict:
    assert logged.event is not None
    history = ledger.histories.get(fact.exchange_id)
    if history is None:
        return _await_exchange(ledger, fact.exchange_id)
    if history.retracted:
        return Applied()
    replaced = fact.replaces_event_id
    if replaced and not history.has_revision(replaced):
        if replaced in ledger.seen and replaced not in ledger.awaited:
            return Refused(
                Quarantine.NOT_APPLICABLE,
                f"replaces {replaced}, which is no revision of exchange {fact.exchange_id}",
            )
        return Waits(replaced)
    if replaced and replaced != history.current.event_id:
        return Refused(
            Quarantine.STALE_CORRECTION,
            f"was made from {replaced}; the current revision is {history.current.event_id}",
        )
    _revise(journal, history, logged, at, State.CORRECTED, logged.event, fact.exchange)
    return Applied()


def retract(
    ledger: Ledger, journal: Journal, logged: Logged, fact: ExchangeRetracted, at: int
) -> Verdict:
    history = ledger.histories.get(fact.exchange_id)
    if history is None:
        return _await_exchange(ledger, fact.exchange_id)
    if not history.retracted:
        last = history.current
        _revise(journal, history, logged, at, State.RETRACTED, last.said, last.exchange)
    return Applied()


def touch_corrected(needs: Needs, fact: ExchangeCorrected) -> None:
    needs.exchange_ids.add(fact.exchange_id)
    needs.event_ids.update((fact.exchange_id, fact.replaces_event_id))


def touch_retracted(needs: Needs, fact: ExchangeRetracted) -> None:
    needs.exchange_ids.add(fact.exchange_id)
    needs.event_ids.add(fact.exchange_id)


def _await_exchange(ledger: Ledger, exchange_id: str) -> Verdict:
    if exchange_id in ledger.seen:
        return Refused(Quarantine.NOT_APPLICABLE, f"{exchange_id} is a fact, but no exchange")
    return Waits(exchange_id)


def _revise(
    journal: Journal,
    history: History,
    logged: Logged,
    at: int,
    state: State,
    said: Event,
    exchange: Exchange,
) -> None:
    assert logged.event is not None
    revision = Revision(
        number=len(history.revisions),
        event_id=logged.event.event_id,
        from_offset=at,
        record_time=logged.record_time,
        recorded_by=logged.event.recorded_by,
        state=state,
        source=logged.event.source,
        said=said,
        exchange=exchange,
        value=logged.value,
    )
    history.revisions.append(revision)
    journal.revisions.append((history, revision))
