"""What must hold of an instance whatever happened to it, by the oracle's reading of the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import product
from typing import Any

from sqlalchemy import select

from mutua.v1 import query_service_pb2 as pb
from services.adapters.tables import ExchangeRow, FactRow, ProgrammeRow
from services.ledger.errors import QuestionImpossible
from services.projector.verify import verify
from services.query.balances import list_balances
from services.query.exchanges import list_exchanges
from services.query.network import get_network
from services.query.pairs import list_pairs
from tests.ledger.product import as_json
from tests.machine.instance import Instance
from tests.machine.told import Told
from tests.oracle import answers as oracle
from tests.oracle.fold import Ledger
from tests.strategies import OTHER_PROGRAMME, PROGRAMME

PROGRAMMES = (PROGRAMME, OTHER_PROGRAMME)
EVERYTHING = 10_000
IDENTITIES = (pb.IDENTITY_RECORDED, pb.IDENTITY_AS_NOW)
LENSES = (pb.LENS_COUNT, pb.LENS_BURDEN, pb.LENS_ATTENTION, pb.LENS_BENEFIT)
ASKS: tuple[tuple[Any, Callable[..., Any], Callable[..., Any]], ...] = (
    (pb.ListBalancesRequest, list_balances, oracle.balances),
    (pb.ListPairsRequest, list_pairs, oracle.pairs),
    (pb.GetNetworkRequest, get_network, oracle.network),
)


def check_log(instance: Instance, told: Told) -> None:
    """The log holds what was acknowledged, in that order, and nothing that nobody told it."""
    told.settle(instance.log.read(0, EVERYTHING))
    assert instance.log.damage() == ([], None)


def check_tables(instance: Instance) -> None:
    assert verify(instance.log, instance.store).differences == []


def check_exactly_once(instance: Instance, told: Told) -> None:
    """When all is projected: each acknowledged fact is there once, each doubtful one at most."""
    programme, fact, exchange = ProgrammeRow.table().c, FactRow.table().c, ExchangeRow.table().c
    with instance.store.snapshot(0) as snapshot:
        rows = list(
            snapshot.rows(
                select(programme.programme_id, fact.event_id).join(
                    ProgrammeRow.table(), programme.programme == fact.programme
                )
            )
        )
        revisions = list(snapshot.rows(select(exchange.programme, exchange.event_id)))
    seen = Counter(map(tuple, rows))
    assert {key: seen[key] for key in told.acknowledged} == dict.fromkeys(told.acknowledged, 1)
    assert seen.keys() <= told.acknowledged | told.doubtful
    assert max(seen.values(), default=1) == 1
    assert max(Counter(map(tuple, revisions)).values(), default=1) == 1


def check_exchanges(instance: Instance, told: Told, programme_id: str) -> None:
    """Lists and counts at the position of the read models are the oracle's."""
    end = instance.next_offset
    ledger = told.ledger(programme_id, end)
    request = pb.ListExchangesRequest(
        question=pb.Question(programme_id=programme_id), page_size=EVERYTHING
    )
    listed: list[pb.Exchange] = instance.asker.rows(list_exchanges, request)
    found = [
        (
            each.exchange_id,
            pb.ExchangeState.Name(each.state),
            [one.event_id for one in each.revisions],
        )
        for each in listed
    ]
    assert sorted(found) == sorted(
        (exchange_id, each.state, each.revision_ids)
        for exchange_id, each in ledger.exchanges.items()
    )
    with instance.store.snapshot(0) as snapshot:
        counts = snapshot.counts(programme_id)
    words = Counter(word.partition(":")[0] for word in ledger.outcomes)
    assert counts.fact_count == len(ledger.first_record)
    assert counts.waiting_count == words["waiting"]
    unreadable_count = told.unreadable_count(programme_id, end)
    assert counts.quarantine_count == words["quarantined"] + unreadable_count


def check_answers(instance: Instance, told: Told, question: pb.Question) -> None:
    """Balances, pairs and network at the position of the read models are the oracle's."""
    ledger = told.ledger(question.programme_id, instance.next_offset)
    for request, respond, expect in ASKS:
        message = request(question=question, page_size=EVERYTHING)
        assert _told(instance, respond, message) == _expected(expect, ledger, question)


def check_sums(instance: Instance, programme_id: str) -> None:
    """What is given is received, whatever the lens and the identity."""
    for lens, identity in product(LENSES, IDENTITIES):
        question = pb.Question(programme_id=programme_id, lens=lens, identity=identity)
        request = pb.ListBalancesRequest(question=question, page_size=EVERYTHING)
        rows: list[pb.Balance] = instance.asker.rows(list_balances, request)
        assert round(sum(row.given - row.received for row in rows), 6) == 0


def _told(instance: Instance, respond: Callable[..., Any], message: Any) -> Any:
    try:
        answer = instance.asker.ask(respond, message)
    except QuestionImpossible as impossible:
        return impossible.reason
    rows: Any
    match answer:
        case pb.GetNetworkResponse():
            rows = list(map(as_json, answer.edges)), list(map(as_json, answer.nodes))
        case pb.ListPairsResponse():
            rows = list(map(as_json, answer.pairs))
        case _:
            rows = list(map(as_json, answer.balances))
    return rows, as_json(answer.coverage), list(answer.warnings)


def _expected(expect: Callable[..., Any], ledger: Ledger, question: pb.Question) -> Any:
    try:
        found = expect(ledger, question)
    except oracle.QuestionImpossibleError:
        return "QUESTION_IMPOSSIBLE"
    return found, oracle.coverage(ledger, question), oracle.warnings(ledger, question)
