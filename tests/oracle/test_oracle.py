"""The oracle itself is held against histories worked out by hand and against golden numbers."""

from __future__ import annotations

import csv
import gzip
import os
import uuid
from collections import Counter
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2 import ALLOCATION_FULL, ALLOCATION_ONCE, Question
from mutua.v1.types_pb2 import EXCHANGE_KIND_ADVICE, Date
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
REAL_DATA = os.environ.get("MUTUA_REAL_DATA")
DPDK_NETS = {
    "nxp.com": 620,
    "smartsharesystems.com": 466,
    "networkplumber.org": -620,
    "monjalon.net": -604,
    "mellanox.com": -431,
}
needs_real_data = pytest.mark.skipif(
    REAL_DATA is None, reason="MUTUA_REAL_DATA does not name the folder of the real data"
)


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
def dpdk() -> OracleLedger:
    path = Path(REAL_DATA or "") / "dpdk-reviews.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return fold(map(as_event, csv.DictReader(lines)))


def as_event(row: dict[str, str]) -> Event:
    event = Event(
        event_id=str(uuid.uuid5(uuid.NAMESPACE_URL, row["event_ref"])), programme_id="dpdk"
    )
    event.occur_time.FromJsonString(row["occurred_at"])
    event.report_time.FromJsonString(row["recorded_at"])
    content = event.exchange_recorded.exchange
    content.giver_ids.append(row["giver"])
    content.receiver_ids.append(row["receiver"])
    content.kind = EXCHANGE_KIND_ADVICE
    return event


def window(from_day: date | None, to_day: date | None) -> Question:
    question = Question(programme_id="dpdk")
    if from_day:
        question.from_date.CopyFrom(
            Date(year=from_day.year, month=from_day.month, day=from_day.day)
        )
    if to_day:
        question.to_date.CopyFrom(Date(year=to_day.year, month=to_day.month, day=to_day.day))
    return question


def year(number: int) -> Question:
    return window(date(number, 1, 1), date(number + 1, 1, 1))


@needs_real_data
def test_dpdk_is_all_applied() -> None:
    assert Counter(dpdk().outcomes) == {APPLIED: 20850}


@needs_real_data
@pytest.mark.parametrize(
    ("question", "organizations", "exchanges", "mutual", "one_way"),
    [
        pytest.param(window(None, None), 321, 20850, 334, 758, id="all"),
        pytest.param(year(2016), 76, 1110, 44, 101, id="2016"),
        pytest.param(year(2018), 81, 2461, 60, 146, id="2018"),
        pytest.param(year(2020), 88, 2967, 78, 202, id="2020"),
        pytest.param(year(2022), 73, 1533, 61, 164, id="2022"),
        pytest.param(year(2023), 66, 1730, 62, 126, id="2023"),
        pytest.param(year(2025), 51, 971, 33, 95, id="2025"),
        pytest.param(window(None, date(2021, 1, 1)), 235, 11984, 223, 506, id="to-2020"),
    ],
)
def test_dpdk_sizes(
    question: Question, organizations: int, exchanges: int, mutual: int, one_way: int
) -> None:
    rows = compute_pairs(dpdk(), question)
    both_ways = sum(1 for row in rows if row["given_count"] and row["received_count"])
    assert len(compute_balances(dpdk(), question)) == organizations
    assert compute_coverage(dpdk(), question)["exchange_count"] == exchanges
    assert (both_ways, len(rows) - both_ways) == (mutual, one_way)


@needs_real_data
def test_dpdk_balances() -> None:
    rows = {row["organization_id"]: row for row in compute_balances(dpdk(), window(None, None))}
    assert (rows["intel.com"]["given"], rows["intel.com"]["received"]) == (5934, 4751)
    assert {name: rows[name]["net"] for name in DPDK_NETS} == DPDK_NETS
    assert sum_of(rows, "given") == sum_of(rows, "received") == 20850


def sum_of(rows: dict[object, Row], measure: str) -> float:
    return sum(float(str(row[measure])) for row in rows.values())


@needs_real_data
@pytest.mark.parametrize(
    ("organization_id", "given", "received"),
    [
        ("smartsharesystems.com", 156, 9),
        ("amd.com", 196, 62),
        ("intel.com", 405, 318),
        ("redhat.com", 198, 335),
        ("arknetworks.am", 1, 123),
        ("networkplumber.org", 61, 133),
    ],
)
def test_dpdk_balances_of_2023(organization_id: str, given: int, received: int) -> None:
    question = year(2023)
    question.organization_ids.append(organization_id)
    (row,) = compute_balances(dpdk(), question)
    assert (row["given"], row["received"]) == (given, received)


@needs_real_data
def test_dpdk_partners_of_intel() -> None:
    question = window(None, None)
    question.organization_ids.append("intel.com")
    rows = compute_pairs(dpdk(), question)
    as_giver = [row for row in rows if row["giver_id"] == "intel.com"]
    as_receiver = [row for row in rows if row["receiver_id"] == "intel.com"]
    fan_out = [row for row in as_giver if row["given_count"]]
    fan_out += [row for row in as_receiver if row["received_count"]]
    sources = [row for row in as_giver if row["received_count"]]
    sources += [row for row in as_receiver if row["given_count"]]
    assert (len(fan_out), len(sources)) == (201, 102)


@needs_real_data
@pytest.mark.parametrize(
    ("giver_id", "receiver_id", "unit", "larger", "both"),
    [
        ("xilinx.com", "oktetlabs.ru", "count", 232, 244),
        ("nxp.com", "intel.com", "count", 511, 674),
        ("amazon.com", "semihalf.com", "count", 188, 201),
        ("6wind.com", "mellanox.com", "days", 161, 221),
        ("intel.com", "huawei.com", "days", 141, 190),
        ("smartsharesystems.com", "linux.microsoft.com", "days", 34, 34),
    ],
)
def test_dpdk_pairs(giver_id: str, receiver_id: str, unit: str, larger: int, both: int) -> None:
    rows = {
        (row["giver_id"], row["receiver_id"]): row
        for row in compute_pairs(dpdk(), window(None, None))
    }
    row = rows[giver_id, receiver_id]
    given, received = row[f"given_{unit}"], row[f"received_{unit}"]
    assert (given, received) == (larger, both - larger)
