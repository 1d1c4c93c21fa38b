"""Rules: which statements about exchanges apply."""

from services.ledger.exchange_rules import await_exchange
from services.ledger.facts import LoggedRecord
from services.ledger.report import ExchangeConfirmed, ExchangeDisputed
from services.ledger.reporting_side import find_reporting_side, find_sides_of, resolve_report
from services.ledger.state import (
    AppliedVerdict,
    Journal,
    Ledger,
    Needs,
    Verdict,
    refuse,
)
from services.ledger.statements import Statement


def state(
    ledger: Ledger,
    journal: Journal,
    logged: LoggedRecord,
    fact: ExchangeConfirmed | ExchangeDisputed,
    at: int,
) -> Verdict:
    """Records what a party says of an exchange that another side reported."""
    assert logged.event is not None
    history = ledger.histories.get(fact.exchange_id)
    if history is None:
        return await_exchange(ledger, fact.exchange_id)
    if history.is_retracted:
        return AppliedVerdict()
    revision = history.current
    report = resolve_report(ledger.aliases, revision.exchange, revision.content_event.recorded_by)
    sides = find_sides_of(report.exchange, ledger.resolve(fact.party))
    if not sides:
        return refuse(
            f"{fact.party} is no party of exchange {fact.exchange_id}; "
            "only a party on the side that did not report it can say so"
        )
    if find_reporting_side(report) in sides:
        return refuse(
            f"{fact.party} is on the side that reported exchange {fact.exchange_id}; "
            "correct or retract it instead"
        )
    statement = Statement(
        offset=logged.offset,
        from_offset=at,
        event_id=logged.event.event_id,
        record_time=logged.record_time,
        recorded_by=logged.event.recorded_by,
        party=fact.party,
        agrees=isinstance(fact, ExchangeConfirmed),
        revision=revision.number,
        value=logged.value,
    )
    history.statements.append(statement)
    journal.statements.append((history.number, statement))
    return AppliedVerdict()


def add_statement_needs(needs: Needs, fact: ExchangeConfirmed | ExchangeDisputed) -> None:
    needs.exchange_ids.add(fact.exchange_id)
    needs.event_ids.add(fact.exchange_id)
    needs.aliases = True
