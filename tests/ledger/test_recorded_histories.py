"""Recorded histories hold in the core and in the embedded size."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from services.adapters.sqlite.store import SqliteStore
from services.adapters.wire.question import to_question
from services.ledger import reference_answers
from services.ledger.question import Answer, Balance, Network, Pair
from services.ledger.records import ExchangeFilter
from services.network import balances, network, pairs
from services.network.identity_view import IdentityView
from tests.ledger.folded_ledger import (
    fold_events,
    list_outcomes,
    make_records,
    read_records,
    state_name,
    summarize_exchanges,
    to_json_counts,
    to_json_graph,
    to_json_rows,
)
from tests.network.column_history import bring_forward
from tests.oracle.recorded_history import (
    ExpectedAnswer,
    RecordedHistory,
    assert_graph,
    assert_rows,
    list_expected_answers,
    load_histories,
)
from tests.projector.slab_projection import open_empty_store, project

HISTORIES = load_histories()
ANSWERS = list_expected_answers(HISTORIES)
ONE_SLAB, ONE_BY_ONE = "in one slab", "record by record"
slabs = pytest.mark.parametrize("slabs", [ONE_SLAB, ONE_BY_ONE])


@pytest.mark.parametrize("history", HISTORIES, ids=str)
def test_fold_gives_expected_outcomes(history: RecordedHistory) -> None:
    folded = fold_events(history.events)
    assert list_outcomes(folded, read_records(make_records(history.events))) == history.outcomes


@pytest.mark.parametrize("history", HISTORIES, ids=str)
def test_fold_gives_expected_exchanges(history: RecordedHistory) -> None:
    assert summarize_exchanges(fold_events(history.events).ledger) == history.exchanges


@pytest.mark.parametrize(("history", "expected"), ANSWERS)
def test_reference_answers_match_history(
    history: RecordedHistory, expected: ExpectedAnswer
) -> None:
    ledger = fold_events(history.events).ledger
    question = to_question(expected.question, today=0)
    _check_answers(
        expected,
        partial(reference_answers.compute_balances, ledger, question),
        partial(reference_answers.compute_pairs, ledger, question),
        partial(reference_answers.compute_network, ledger, question),
    )


@slabs
@pytest.mark.parametrize("history", HISTORIES, ids=str)
def test_store_counts_and_lists_match_history(history: RecordedHistory, slabs: str) -> None:
    with open_empty_store() as store:
        _project(store, history, slabs)
        with store.open_snapshot(0) as snapshot:
            counts = snapshot.read_counts("gde")
            exchanges = list(snapshot.read_exchanges("gde", ExchangeFilter(), (), None, 1_000))
    assert {
        revisions[-1].exchange_id: {
            "state": state_name(revisions[-1].state),
            "revisions": [revision.event_id for revision in revisions],
        }
        for revisions in exchanges
    } == history.exchanges
    words = history.outcomes
    assert counts.waiting_count == words.count("waiting")
    assert counts.quarantine_count == sum(word.startswith("quarantined:") for word in words)
    assert counts.fact_count == len({event.event_id for event in history.events})


@slabs
@pytest.mark.parametrize("history", HISTORIES, ids=str)
def test_column_answers_match_history(history: RecordedHistory, slabs: str) -> None:
    with open_empty_store() as store:
        _project(store, history, slabs)
        with store.open_snapshot(0) as snapshot:
            columns = bring_forward(snapshot, "gde")
    for expected in history.answers:
        question = to_question(expected.question, today=0)
        frame = IdentityView(columns, question.identity)
        _check_answers(
            expected,
            partial(balances.compute_balances, frame, question),
            partial(pairs.compute_pairs, frame, question),
            partial(network.compute_network, frame, question),
        )


def _check_answers(
    expected: ExpectedAnswer,
    balances: Callable[[], Answer[Balance]],
    pairs: Callable[[], Answer[Pair]],
    network: Callable[[], Network],
) -> None:
    """Compares the answers with every part that a history has expectations of."""
    if expected.balances is not None:
        assert_rows(to_json_rows(balances()), expected.balances)
    if expected.pairs is not None:
        assert_rows(to_json_rows(pairs()), expected.pairs)
    if expected.network is not None:
        assert_graph(to_json_graph(network()), expected.network)
    answer: Answer[Any] = pairs() if expected.balances is None else balances()
    if expected.coverage is not None:
        assert_rows([to_json_counts(answer.coverage)], [expected.coverage])
    if expected.warnings is not None:
        assert list(answer.warnings) == expected.warnings


def _project(store: SqliteStore, history: RecordedHistory, slabs: str) -> None:
    records = make_records(history.events)
    project(store, records, range(1, len(records)) if slabs == ONE_BY_ONE else ())
