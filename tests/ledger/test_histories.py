"""Recorded histories hold in the core and in the embedded size."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from services.adapters.sqlite_store import SqliteStore
from services.adapters.wire.question import to_question
from services.ledger import answers
from services.ledger.ports import ExchangeFilter
from services.ledger.question import Answer, Balance, Network, Pair
from services.network import balances, network, pairs
from services.network.frame import Frame
from tests.ledger.product import (
    as_logged,
    as_records,
    counts,
    exchanges,
    folded,
    graph,
    outcomes,
    rows,
    state_name,
)
from tests.network.columns import level
from tests.oracle.histories import (
    ExpectedAnswer,
    History,
    assert_graph,
    assert_rows,
    load_histories,
)
from tests.projector.embedded import empty_store, project

HISTORIES = load_histories()
ANSWERS = [
    pytest.param(history, answer, id=f"{history}-{number}")
    for history in HISTORIES
    for number, answer in enumerate(history.answers)
]
ONE_SLAB, ONE_BY_ONE = "in one slab", "record by record"
slabs = pytest.mark.parametrize("slabs", [ONE_SLAB, ONE_BY_ONE])


@pytest.mark.parametrize("history", HISTORIES, ids=str)
def test_every_record_has_its_outcome(history: History) -> None:
    found = folded(history.events)
    assert outcomes(found, as_logged(as_records(history.events))) == history.outcomes


@pytest.mark.parametrize("history", HISTORIES, ids=str)
def test_every_exchange_has_its_state_and_revisions(history: History) -> None:
    assert exchanges(folded(history.events).ledger) == history.exchanges


@pytest.mark.parametrize(("history", "expected"), ANSWERS)
def test_the_core_answers_as_expected(history: History, expected: ExpectedAnswer) -> None:
    ledger = folded(history.events).ledger
    question = to_question(expected.question, today=0)
    _hold(
        expected,
        partial(answers.balances, ledger, question),
        partial(answers.pairs, ledger, question),
        partial(answers.network, ledger, question),
    )


@slabs
@pytest.mark.parametrize("history", HISTORIES, ids=str)
def test_the_store_counts_and_lists_as_expected(history: History, slabs: str) -> None:
    with empty_store() as store:
        _project(store, history, slabs)
        with store.snapshot(0) as snapshot:
            counted = snapshot.counts("gde")
            listed = list(snapshot.exchanges("gde", ExchangeFilter(), (), None, 1_000))
    assert {
        revisions[-1].exchange_id: {
            "state": state_name(revisions[-1].state),
            "revisions": [revision.event_id for revision in revisions],
        }
        for revisions in listed
    } == history.exchanges
    words = history.outcomes
    assert counted.waiting_count == words.count("waiting")
    assert counted.quarantine_count == sum(word.startswith("quarantined:") for word in words)
    assert counted.fact_count == len({event.event_id for event in history.events})


@slabs
@pytest.mark.parametrize("history", HISTORIES, ids=str)
def test_the_columns_answer_as_expected(history: History, slabs: str) -> None:
    with empty_store() as store:
        _project(store, history, slabs)
        with store.snapshot(0) as snapshot:
            columns = level(snapshot, "gde")
    for expected in history.answers:
        question = to_question(expected.question, today=0)
        frame = Frame(columns, question.identity)
        _hold(
            expected,
            partial(balances.balances, frame, question),
            partial(pairs.pairs, frame, question),
            partial(network.network, frame, question),
        )


def _hold(
    expected: ExpectedAnswer,
    balances: Callable[[], Answer[Balance]],
    pairs: Callable[[], Answer[Pair]],
    network: Callable[[], Network],
) -> None:
    """Asks what a history has answers to, and compares."""
    if expected.balances is not None:
        assert_rows(rows(balances()), expected.balances)
    if expected.pairs is not None:
        assert_rows(rows(pairs()), expected.pairs)
    if expected.network is not None:
        assert_graph(graph(network()), expected.network)
    answer: Answer[Any] = pairs() if expected.balances is None else balances()
    if expected.coverage is not None:
        assert_rows([counts(answer.coverage)], [expected.coverage])
    if expected.warnings is not None:
        assert list(answer.warnings) == expected.warnings


def _project(store: SqliteStore, history: History, slabs: str) -> None:
    records = as_records(history.events)
    project(store, records, range(1, len(records)) if slabs == ONE_BY_ONE else ())
