"""Golden numbers of the real data, through the embedded store and the columns."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import cache

import pytest

from services.ledger.allocation import MILLION
from services.ledger.enums import Identity, Population
from services.ledger.question import Answer, Balance, Pair, Question
from services.ledger.times import date_to_day, datetime_to_instant
from services.network import balances, concentration, latency, pairs
from services.network.identity_view import IdentityView
from tests import dpdk
from tests.ledger.folded_ledger import make_records
from tests.network.column_history import bring_forward
from tests.projector.slab_projection import open_empty_store, project

pytestmark = dpdk.needs_real_data
EVERYTHING = Question(programme_id="dpdk", identity=Identity.RECORDED, population=Population.ACTIVE)


def select(window: dpdk.Window) -> Question:
    from_day, to_day = (None if day is None else date_to_day(day) for day in window)
    return replace(EVERYTHING, from_day=from_day, to_day=to_day)


def select_year(number: int) -> Question:
    return select(dpdk.get_year(number))


@pytest.mark.parametrize(("window", "organizations", "exchanges", "mutual", "one_way"), dpdk.SIZES)
def test_network_sizes(
    window: dpdk.Window, organizations: int, exchanges: int, mutual: int, one_way: int
) -> None:
    question = select(window)
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
        *((select_year(2023), *balance) for balance in dpdk.BALANCES_OF_2023),
    ],
)
def test_balances(question: Question, organization_id: str, given: int, received: int) -> None:
    (row,) = (row for row in ask_balances(question).rows if row.organization_id == organization_id)
    assert (row.given, row.received) == (given * MILLION, received * MILLION)


@pytest.mark.parametrize(("organization_id", "net"), dpdk.NETS.items())
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


@pytest.mark.parametrize(("giver_id", "receiver_id", "unit", "larger", "both"), dpdk.PAIRS)
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
        pytest.param(select_year(2016), 0.8830, 0.7949, id="2016"),
        pytest.param(select_year(2018), 0.8793, 0.8514, id="2018"),
        pytest.param(select_year(2020), 0.8583, 0.8357, id="2020"),
        pytest.param(select_year(2022), 0.8518, 0.8083, id="2022"),
        pytest.param(select_year(2023), 0.8410, 0.8415, id="2023"),
        pytest.param(select_year(2025), 0.8012, 0.7697, id="2025"),
    ],
)
def test_ginis(question: Question, giving: float, receiving: float) -> None:
    gave, received = concentration.compute_concentration(view_dpdk(), question).rows
    assert gave.gini == pytest.approx(giving, abs=5e-5)
    assert received.gini == pytest.approx(receiving, abs=5e-5)


@pytest.mark.parametrize(("question", "share"), [(EVERYTHING, 0.4599), (select_year(2023), 0.4619)])
def test_top_three_share(question: Question, share: float) -> None:
    gave, _ = concentration.compute_concentration(view_dpdk(), question).rows
    assert gave.top_three_share == pytest.approx(share, abs=1e-4)


def test_population_seen_exceeds_active() -> None:
    gave, _ = concentration.compute_concentration(
        view_dpdk(), replace(select_year(2023), population=Population.SEEN)
    ).rows
    assert (gave.organization_count, len(gave.lorenz)) == (321, 322)


def test_reciprocation_time() -> None:
    [row] = latency.compute_latency(view_dpdk(), EVERYTHING).rows
    assert (row.pair_count, row.turn_count, row.answered_count) == (1_092, 4_687, 3_595)
    assert row.end == to_instant("2026-07-20T13:34:35Z")
    assert row.time is not None
    assert row.time.survival.median == pytest.approx(45.15, abs=0.005)
    assert row.time.survival.unanswered == pytest.approx((0.5505, 0.4180, 0.2810), abs=5e-5)
    low, high = row.time.median_interval
    assert low is not None
    assert high is not None
    assert (round(low), round(high)) == (23, 114)


def to_instant(text: str) -> int:
    return datetime_to_instant(datetime.fromisoformat(text))


def ask_balances(question: Question) -> Answer[Balance]:
    return balances.compute_balances(view_dpdk(), question)


def ask_pairs(question: Question) -> Answer[Pair]:
    return pairs.compute_pairs(view_dpdk(), question)


@cache
def view_dpdk() -> IdentityView:
    records = make_records([*dpdk.read_events()])
    with open_empty_store() as store:
        project(store, records, range(1_000, len(records), 1_000))
        with store.open_snapshot(0) as snapshot:
            columns = bring_forward(snapshot, "dpdk")
    return IdentityView(columns, Identity.RECORDED)
