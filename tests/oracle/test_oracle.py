"""The oracle agrees with histories that were computed by hand, and with golden numbers."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from mutua.v1.query_service_pb2 import ALLOCATION_FULL, ALLOCATION_ONCE, Question
from mutua.v1.types_pb2 import Date
from tests import dpdk
from tests.dpdk import needs_real_data
from tests.oracle.answers import (
    Row,
    UnanswerableQuestionError,
    compute_balances,
    compute_coverage,
    compute_network,
    compute_pairs,
    find_warnings,
)
from tests.oracle.fold import APPLIED, OracleLedger, fold
from tests.oracle.recorded_history import (
    ExpectedAnswer,
    RecordedHistory,
    assert_graph,
    assert_rows,
    list_expected_answers,
    load_histories,
)

HISTORIES = load_histories()
ANSWERS = list_expected_answers(HISTORIES)


@pytest.mark.parametrize("history", HISTORIES, ids=str)
def test_oracle_gives_expected_outcomes(history: RecordedHistory) -> None:
    assert fold(history.events).outcomes == history.outcomes


@pytest.mark.parametrize("history", HISTORIES, ids=str)
def test_oracle_gives_expected_exchanges(history: RecordedHistory) -> None:
    exchanges = {
        exchange_id: {"state": exchange.state, "revisions": exchange.revision_ids}
        for exchange_id, exchange in fold(history.events).exchanges.items()
    }
    assert exchanges == history.exchanges


@pytest.mark.parametrize("history", HISTORIES, ids=str)
def test_oracle_gives_expected_nothing_to_report(history: RecordedHistory) -> None:
    assert sorted(fold(history.events).nothing_to_report) == history.nothing_to_report


@pytest.mark.parametrize("history", HISTORIES, ids=str)
def test_oracle_gives_expected_configuration(history: RecordedHistory) -> None:
    ledger = fold(history.events)
    labels = {topic: label for topic, label in ledger.topic_labels.items() if label}
    assert (labels, ledger.working_day_minutes) == (
        history.topic_labels,
        history.working_day_minutes,
    )


@pytest.mark.parametrize(("history", "expected"), ANSWERS)
def test_oracle_gives_expected_answers(history: RecordedHistory, expected: ExpectedAnswer) -> None:
    ledger, question = fold(history.events), expected.question
    if expected.balances is not None:
        assert_rows(compute_balances(ledger, question), expected.balances)
    if expected.pairs is not None:
        assert_rows(compute_pairs(ledger, question), expected.pairs)
    if expected.network is not None:
        edges, nodes = compute_network(ledger, question)
        assert_graph({"edges": edges, "nodes": nodes}, expected.network)
    if expected.coverage is not None:
        assert_rows([compute_coverage(ledger, question)], [expected.coverage])
    if expected.warnings is not None:
        assert find_warnings(ledger, question) == expected.warnings


def test_allocation_full_has_no_totals() -> None:
    with pytest.raises(UnanswerableQuestionError):
        compute_balances(fold([]), Question(allocation=ALLOCATION_FULL))


def test_allocation_once_has_no_pairs() -> None:
    with pytest.raises(UnanswerableQuestionError):
        compute_pairs(fold([]), Question(allocation=ALLOCATION_ONCE))


@cache
def fold_dpdk() -> OracleLedger:
    return fold(dpdk.read_events())


def ask(window: dpdk.Window) -> Question:
    from_day, to_day = (
        None if day is None else Date(year=day.year, month=day.month, day=day.day) for day in window
    )
    return Question(programme_id="dpdk", from_date=from_day, to_date=to_day)


@needs_real_data
def test_dpdk_is_all_applied() -> None:
    assert Counter(fold_dpdk().outcomes) == {APPLIED: 20850}


@needs_real_data
@pytest.mark.parametrize(("window", "organizations", "exchanges", "mutual", "one_way"), dpdk.SIZES)
def test_dpdk_sizes(
    window: dpdk.Window, organizations: int, exchanges: int, mutual: int, one_way: int
) -> None:
    question = ask(window)
    rows = compute_pairs(fold_dpdk(), question)
    both_ways = sum(1 for row in rows if row["given_count"] and row["received_count"])
    assert len(compute_balances(fold_dpdk(), question)) == organizations
    assert compute_coverage(fold_dpdk(), question)["exchange_count"] == exchanges
    assert (both_ways, len(rows) - both_ways) == (mutual, one_way)


@needs_real_data
def test_dpdk_balances() -> None:
    rows = {row["organization_id"]: row for row in compute_balances(fold_dpdk(), ask(dpdk.ALWAYS))}
    assert (rows["intel.com"]["given"], rows["intel.com"]["received"]) == (5934, 4751)
    assert {name: rows[name]["net"] for name in dpdk.NETS} == dpdk.NETS
    assert sum_of(rows, "given") == sum_of(rows, "received") == 20850


def sum_of(rows: dict[object, Row], measure: str) -> float:
    return sum(float(str(row[measure])) for row in rows.values())


@needs_real_data
@pytest.mark.parametrize(("organization_id", "given", "received"), dpdk.BALANCES_OF_2023)
def test_dpdk_balances_of_2023(organization_id: str, given: int, received: int) -> None:
    question = ask(dpdk.get_year(2023))
    question.organization_ids.append(organization_id)
    (row,) = compute_balances(fold_dpdk(), question)
    assert (row["given"], row["received"]) == (given, received)


@needs_real_data
def test_dpdk_partners_of_intel() -> None:
    question = ask(dpdk.ALWAYS)
    question.organization_ids.append("intel.com")
    rows = compute_pairs(fold_dpdk(), question)
    as_giver = [row for row in rows if row["giver_id"] == "intel.com"]
    as_receiver = [row for row in rows if row["receiver_id"] == "intel.com"]
    fan_out = [row for row in as_giver if row["given_count"]]
    fan_out += [row for row in as_receiver if row["received_count"]]
    sources = [row for row in as_giver if row["received_count"]]
    sources += [row for row in as_receiver if row["given_count"]]
    assert (len(fan_out), len(sources)) == (201, 102)


@needs_real_data
@pytest.mark.parametrize(("giver_id", "receiver_id", "unit", "larger", "both"), dpdk.PAIRS)
def test_dpdk_pairs(giver_id: str, receiver_id: str, unit: str, larger: int, both: int) -> None:
    rows = {
        (row["giver_id"], row["receiver_id"]): row
        for row in compute_pairs(fold_dpdk(), ask(dpdk.ALWAYS))
    }
    row = rows[giver_id, receiver_id]
    given, received = row[f"given_{unit}"], row[f"received_{unit}"]
    assert (given, received) == (larger, both - larger)
