"""Checks of an instance against the log, read by the oracle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import product
from typing import Any

from sqlalchemy import select

from mutua.v1 import query_service_pb2 as pb
from services.adapters.sql_store.tables import ExchangeRow, FactRow, ProgrammeRow
from services.ledger.errors import ImpossibleQuestionError
from services.projector.verification import verify
from services.query.exchanges import list_exchanges
from services.query.flows import get_network, list_balances, list_pairs
from tests.ledger.folded_ledger import message_to_json
from tests.machine.expected_log import ExpectedLog
from tests.machine.instance import Instance
from tests.oracle import answers as oracle
from tests.oracle.fold import OracleLedger
from tests.strategies import OTHER_PROGRAMME, PROGRAMME

PROGRAMMES = (PROGRAMME, OTHER_PROGRAMME)
PAGE_SIZE = 10_000
IDENTITIES = (pb.IDENTITY_RECORDED, pb.IDENTITY_AS_NOW)
LENSES = (pb.LENS_COUNT, pb.LENS_BURDEN, pb.LENS_ATTENTION, pb.LENS_BENEFIT)
ANSWERS: tuple[tuple[Any, Callable[..., Any], Callable[..., Any]], ...] = (
    (pb.ListBalancesRequest, list_balances, oracle.compute_balances),
    (pb.ListPairsRequest, list_pairs, oracle.compute_pairs),
    (pb.GetNetworkRequest, get_network, oracle.compute_network),
)


def check_log(instance: Instance, expected_log: ExpectedLog) -> None:
    """The log has the acknowledged values in order, and no value that was not sent."""
    expected_log.compare_with_log(instance.log.read(0, PAGE_SIZE))
    assert instance.log.find_damage() == ([], None)


def check_tables(instance: Instance) -> None:
    assert verify(instance.log, instance.store).differences == []


def check_exactly_once(instance: Instance, expected_log: ExpectedLog) -> None:
    """After projection an acknowledged fact is stored once, an uncertain one at most once."""
    programme, fact, exchange = ProgrammeRow.table().c, FactRow.table().c, ExchangeRow.table().c
    with instance.store.open_snapshot(0) as snapshot:
        rows = list(
            snapshot.fetch_all(
                select(programme.programme_id, fact.event_id).join(
                    ProgrammeRow.table(), programme.programme == fact.programme
                )
            )
        )
        revisions = list(snapshot.fetch_all(select(exchange.programme, exchange.event_id)))
    counts = Counter(map(tuple, rows))
    assert {key: counts[key] for key in expected_log.acknowledged_ids} == dict.fromkeys(
        expected_log.acknowledged_ids, 1
    )
    assert counts.keys() <= expected_log.acknowledged_ids | expected_log.uncertain_ids
    assert max(counts.values(), default=1) == 1
    assert max(Counter(map(tuple, revisions)).values(), default=1) == 1


def check_exchanges(instance: Instance, expected_log: ExpectedLog, programme_id: str) -> None:
    """Lists and counts equal those of the oracle at the position of the read models."""
    end = instance.next_offset
    ledger = expected_log.fold_ledger(programme_id, end)
    request = pb.ListExchangesRequest(
        question=pb.Question(programme_id=programme_id), page_size=PAGE_SIZE
    )
    exchanges: list[pb.Exchange] = instance.query_runner.list_rows(list_exchanges, request)
    states = [
        (
            each.exchange_id,
            pb.ExchangeState.Name(each.state),
            [one.event_id for one in each.revisions],
        )
        for each in exchanges
    ]
    assert sorted(states) == sorted(
        (exchange_id, each.state, each.revision_ids)
        for exchange_id, each in ledger.exchanges.items()
    )
    with instance.store.open_snapshot(0) as snapshot:
        counts = snapshot.read_counts(programme_id)
    words = Counter(word.partition(":")[0] for word in ledger.outcomes)
    assert counts.fact_count == len(ledger.first_record)
    assert counts.waiting_count == words["waiting"]
    unreadable_count = expected_log.count_unreadable(programme_id, end)
    assert counts.quarantine_count == words["quarantined"] + unreadable_count


def check_answers(instance: Instance, expected_log: ExpectedLog, question: pb.Question) -> None:
    """Balances, pairs and network equal those of the oracle at that position."""
    ledger = expected_log.fold_ledger(question.programme_id, instance.next_offset)
    for request, respond, expect in ANSWERS:
        message = request(question=question, page_size=PAGE_SIZE)
        assert _get_answer(instance, respond, message) == _get_expected(expect, ledger, question)


def check_sums(instance: Instance, programme_id: str) -> None:
    """For every lens and identity the given sum equals the received sum."""
    for lens, identity in product(LENSES, IDENTITIES):
        question = pb.Question(programme_id=programme_id, lens=lens, identity=identity)
        request = pb.ListBalancesRequest(question=question, page_size=PAGE_SIZE)
        rows: list[pb.Balance] = instance.query_runner.list_rows(list_balances, request)
        assert round(sum(row.given - row.received for row in rows), 6) == 0


def _get_answer(instance: Instance, respond: Callable[..., Any], message: Any) -> Any:
    try:
        answer = instance.query_runner.run(respond, message)
    except ImpossibleQuestionError as error:
        return error.reason
    rows: Any
    match answer:
        case pb.GetNetworkResponse():
            rows = (
                list(map(message_to_json, answer.edges)),
                list(map(message_to_json, answer.nodes)),
            )
        case pb.ListPairsResponse():
            rows = list(map(message_to_json, answer.pairs))
        case _:
            rows = list(map(message_to_json, answer.balances))
    return rows, message_to_json(answer.coverage), list(answer.warnings)


def _get_expected(expect: Callable[..., Any], ledger: OracleLedger, question: pb.Question) -> Any:
    try:
        rows = expect(ledger, question)
    except oracle.UnanswerableQuestionError:
        return "QUESTION_IMPOSSIBLE"
    return rows, oracle.compute_coverage(ledger, question), oracle.find_warnings(ledger, question)
