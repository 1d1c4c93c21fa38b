"""Golden numbers of the real data, through the embedded store and the columns."""

from __future__ import annotations

import csv
import gzip
import os
import uuid
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from mutua.v1.event_pb2 import Event
from mutua.v1.types_pb2 import EXCHANGE_KIND_ADVICE
from services.ledger.allocation import MILLION
from services.ledger.enums import Identity, Population
from services.ledger.question import Answer, Balance, Pair, Question
from services.ledger.times import date_to_day
from services.network import balances, concentration, pairs
from services.network.identity_view import IdentityView
from tests.ledger.folded_ledger import make_records
from tests.network.column_history import bring_forward
from tests.projector.slab_projection import open_empty_store, project

REAL_DATA = os.environ.get("MUTUA_REAL_DATA")
pytestmark = pytest.mark.skipif(
    REAL_DATA is None, reason="MUTUA_REAL_DATA does not name the folder of the real data"
)
EVERYTHING = Question(programme_id="dpdk", identity=Identity.RECORDED, population=Population.ACTIVE)


def window(from_day: date | None, to_day: date | None) -> Question:
    return replace(
        EVERYTHING,
        from_day=None if from_day is None else date_to_day(from_day),
        to_day=None if to_day is None else date_to_day(to_day),
    )


def year(number: int) -> Question:
    return window(date(number, 1, 1), date(number + 1, 1, 1))


@pytest.mark.parametrize(
    ("question", "organizations", "exchanges", "mutual", "one_way"),
    [
        pytest.param(EVERYTHING, 321, 20_850, 334, 758, id="all"),
        pytest.param(year(2016), 76, 1_110, 44, 101, id="2016"),
        pytest.param(year(2018), 81, 2_461, 60, 146, id="2018"),
        pytest.param(year(2020), 88, 2_967, 78, 202, id="2020"),
        pytest.param(year(2022), 73, 1_533, 61, 164, id="2022"),
        pytest.param(year(2023), 66, 1_730, 62, 126, id="2023"),
        pytest.param(year(2025), 51, 971, 33, 95, id="2025"),
        pytest.param(window(None, date(2021, 1, 1)), 235, 11_984, 223, 506, id="to-2020"),
    ],
)
def test_network_sizes(
    question: Question, organizations: int, exchanges: int, mutual: int, one_way: int
) -> None:
    answer, ties = ask_balances(question), ask_pairs(question).rows
    both_ways = sum(1 for row in ties if row.given_count and row.received_count)
    assert len(answer.rows) == organizations
    assert answer.coverage.exchange_count == exchanges
    assert (both_ways, len(ties) - both_ways) == (mutual, one_way)
    assert sum(row.given or 0 for row in answer.rows) == exchanges * MILLION


@pytest.mark.parametrize(
    ("question", "organization_id", "given", "received"),
    [
        (EVERYTHING, "intel.com", 5_934, 4_751),
        (year(2023), "smartsharesystems.com", 156, 9),
        (year(2023), "amd.com", 196, 62),
        (year(2023), "intel.com", 405, 318),
        (year(2023), "redhat.com", 198, 335),
        (year(2023), "arknetworks.am", 1, 123),
        (year(2023), "networkplumber.org", 61, 133),
    ],
)
def test_balances(question: Question, organization_id: str, given: int, received: int) -> None:
    (row,) = (row for row in ask_balances(question).rows if row.organization_id == organization_id)
    assert (row.given, row.received) == (given * MILLION, received * MILLION)


@pytest.mark.parametrize(
    ("organization_id", "net"),
    [
        ("nxp.com", 620),
        ("smartsharesystems.com", 466),
        ("networkplumber.org", -620),
        ("monjalon.net", -604),
        ("mellanox.com", -431),
    ],
)
def test_net_shares_of_dpdk(organization_id: str, net: int) -> None:
    (row,) = (
        row for row in ask_balances(EVERYTHING).rows if row.organization_id == organization_id
    )
    assert row.net == net * MILLION


def test_partners_of_intel() -> None:
    rows = ask_pairs(EVERYTHING).rows
    directed = [(row.giver_id, row.receiver_id, row.given_count) for row in rows]
    directed += [(row.receiver_id, row.giver_id, row.received_count) for row in rows]
    fan_out = sum(1 for giver, _, count in directed if giver == "intel.com" and count)
    sources = sum(1 for _, receiver, count in directed if receiver == "intel.com" and count)
    assert (len(rows), sum(1 for *_, count in directed if count)) == (1_092, 1_426)
    assert (fan_out, sources) == (201, 102)


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
def test_pairs(giver_id: str, receiver_id: str, unit: str, larger: int, both: int) -> None:
    (row,) = (
        row
        for row in ask_pairs(EVERYTHING).rows
        if (row.giver_id, row.receiver_id) == (giver_id, receiver_id)
    )
    given, received = getattr(row, f"given_{unit}"), getattr(row, f"received_{unit}")
    assert (given, received) == (larger, both - larger)


@pytest.mark.parametrize(
    ("question", "giving", "receiving"),
    [
        pytest.param(EVERYTHING, 0.9428, 0.9202, id="all"),
        pytest.param(year(2016), 0.8830, 0.7949, id="2016"),
        pytest.param(year(2018), 0.8793, 0.8514, id="2018"),
        pytest.param(year(2020), 0.8583, 0.8357, id="2020"),
        pytest.param(year(2022), 0.8518, 0.8083, id="2022"),
        pytest.param(year(2023), 0.8410, 0.8415, id="2023"),
        pytest.param(year(2025), 0.8012, 0.7697, id="2025"),
    ],
)
def test_ginis(question: Question, giving: float, receiving: float) -> None:
    gave, received = concentration.compute_concentration(dpdk(), question).rows
    assert gave.gini == pytest.approx(giving, abs=5e-5)
    assert received.gini == pytest.approx(receiving, abs=5e-5)


@pytest.mark.parametrize(("question", "share"), [(EVERYTHING, 0.4599), (year(2023), 0.4619)])
def test_top_three_share(question: Question, share: float) -> None:
    gave, _ = concentration.compute_concentration(dpdk(), question).rows
    assert gave.top_three_share == pytest.approx(share, abs=1e-4)


def test_population_seen_exceeds_active() -> None:
    gave, _ = concentration.compute_concentration(
        dpdk(), replace(year(2023), population=Population.SEEN)
    ).rows
    assert (gave.organization_count, len(gave.lorenz)) == (321, 322)


def ask_balances(question: Question) -> Answer[Balance]:
    return balances.compute_balances(dpdk(), question)


def ask_pairs(question: Question) -> Answer[Pair]:
    return pairs.compute_pairs(dpdk(), question)


@cache
def dpdk() -> IdentityView:
    with gzip.open(Path(REAL_DATA or "", "dpdk-reviews.csv.gz"), "rt", encoding="utf-8") as lines:
        records = make_records([as_event(row) for row in csv.DictReader(lines)])
    with open_empty_store() as store:
        project(store, records, range(1_000, len(records), 1_000))
        with store.open_snapshot(0) as snapshot:
            columns = bring_forward(snapshot, "dpdk")
    return IdentityView(columns, Identity.RECORDED)


def as_event(row: dict[str, str]) -> Event:
    reference = str(uuid.uuid5(uuid.NAMESPACE_URL, row["event_ref"]))
    event = Event(event_id=reference, programme_id="dpdk")
    event.occur_time.FromJsonString(row["occurred_at"])
    event.report_time.FromJsonString(row["recorded_at"])
    content = event.exchange_recorded.exchange
    content.giver_ids.append(row["giver"])
    content.receiver_ids.append(row["receiver"])
    content.kind = EXCHANGE_KIND_ADVICE
    return event
