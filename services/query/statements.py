"""What parties said of an exchange, as GetExchange answers it."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Final

from mutua.v1 import types_pb2
from services.adapters.wire.event import read_record
from services.adapters.wire.statement import from_statement
from services.ledger.enums import RevisionState
from services.ledger.exchange import ExchangeCorrected, ExchangeRecorded
from services.ledger.facts import Event
from services.ledger.identity import resolve
from services.ledger.records import StoredRevision
from services.ledger.reporting_side import find_reporting_side, resolve_report
from services.ledger.statements import (
    StatedRevision,
    Statement,
    find_current_statements,
    is_confirmed,
)
from services.query.query_context import QueryContext

MAX_STATEMENT_BYTES: Final = 1 << 20
"""Maximum size of the statements in an answer, which has an exchange of up to 2 MiB too."""


def make_statement_fields(
    query: QueryContext, revisions: Sequence[StoredRevision]
) -> Mapping[str, Any]:
    """The fields of GetExchangeResponse about statements; `revisions` are all of the exchange."""
    programme_id = query.question.programme_id
    statements = query.snapshot.read_statements(programme_id, revisions[0].exchange)
    last = max(
        number for number, row in enumerate(revisions) if row.state is not RevisionState.RETRACTED
    )
    events = {
        number: _read_event(revisions[number], programme_id)
        for number in {last, *(each.revision for each in statements)}
    }
    stated = {number: _describe(event) for number, event in events.items()}
    aliases = query.view.aliases
    current = find_current_statements(statements, stated, stated[last], aliases)
    current_ids = {each.event_id for each in current.values()}
    report = resolve_report(aliases, stated[last].exchange, events[last].recorded_by)
    side = find_reporting_side(report)
    stands = revisions[-1].state is not RevisionState.RETRACTED
    return {
        "reporting_side": types_pb2.ReportSide.ValueType(side.side),
        "statements": [
            from_statement(
                each,
                party=resolve(aliases, each.party),
                revision_id=revisions[each.revision].event_id,
                is_current=each.event_id in current_ids,
            )
            for each in _take_newest(statements)
        ],
        "is_confirmed": stands and is_confirmed(report.exchange, [side], current.items()),
        "is_disputed": stands and not all(each.agrees for each in current.values()),
    }


def _take_newest(statements: Sequence[Statement]) -> Sequence[Statement]:
    """The newest statements that fit into MAX_STATEMENT_BYTES, at least one if there is any."""
    sizes = accumulate(len(each.value) for each in reversed(statements))
    count = sum(size <= MAX_STATEMENT_BYTES for size in sizes)
    return statements[-max(1, count) :]


def _read_event(row: StoredRevision, programme_id: str) -> Event:
    event = read_record(0, row.record_time, programme_id, row.value).event
    assert event is not None, "a stored fact was readable when it was stored"
    return event


def _describe(event: Event) -> StatedRevision:
    assert isinstance(event.fact, ExchangeRecorded | ExchangeCorrected)
    assert event.occur_time is not None
    return StatedRevision(event.fact.exchange, event.occur_time)
