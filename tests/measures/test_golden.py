"""Golden numbers of real data, computed by independent code; they agree to four decimals."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from services.measures.flow_graph import FlowGraph
from services.measures.flow_split import split_flow
from services.measures.lift import measure_lift
from services.measures.paid_back import PaybackNetwork
from services.measures.pair_evidence import weigh_evidence
from services.measures.reciprocation_time import find_turns, measure_reciprocation_time
from services.measures.shuffle_null import Blocks, compute_shuffle_null
from services.measures.spread_null import compute_spread_null
from services.measures.structure import find_fan_out, find_sole_sources
from services.measures.tie_reciprocity import measure_tie_reciprocity
from services.measures.triad_census import count_triads
from services.measures.weighted_reciprocity import measure_weighted_reciprocity
from tests.measures.graphs import NamedGraph, Row, make_named_graph, read_chemnet, read_dpdk

EXACT = 0.00005
"""Four decimals."""


@pytest.fixture(scope="module")
def dpdk(real_data: Path) -> list[Row]:
    return read_dpdk(real_data)


def select_period(rows: list[Row], period: str) -> NamedGraph:
    """The graph of "", of a year, "occurred" by the end of 2020, "known" by then, or a kind."""
    if period == "occurred":
        return make_named_graph(rows, lambda row: row["occurred_at"] < "2021")
    if period == "known":
        return make_named_graph(rows, lambda row: row["recorded_at"] < "2021")
    if period.isalpha():
        return make_named_graph(rows, lambda row: row["kind"] == period)
    return make_named_graph(rows, lambda row: row["occurred_at"].startswith(period))


@pytest.mark.parametrize(
    ("period", "size", "ties", "total", "mutual", "asymmetric", "r", "r_w", "spread", "ceiling"),
    [
        ("", 321, 1426, 20850, 334, 758, 0.4684, 0.5859, 0.3558, 0.7662),
        ("2016", 76, 189, 1110, 44, 101, 0.4656, 0.4342, 0.2970, 0.6622),
        ("2018", 81, 266, 2461, 60, 146, 0.4511, 0.4982, 0.3439, 0.7720),
        ("2020", 88, 358, 2967, 78, 202, 0.4358, 0.3707, 0.2279, 0.5939),
        ("2022", 73, 286, 1533, 61, 164, 0.4266, 0.4592, 0.3241, 0.7560),
        ("2023", 66, 250, 1730, 62, 126, 0.4960, 0.4462, 0.2628, 0.6306),
        ("2025", 51, 161, 971, 33, 95, 0.4099, 0.3337, 0.1948, 0.4902),
        ("occurred", 235, 952, 11984, 223, 506, None, 0.5634, 0.3392, 0.7536),
        ("known", 233, 941, 11872, 222, 497, None, 0.5670, 0.3413, 0.7559),
        ("reviewed", None, None, None, None, None, 0.3961, 0.3638, 0.2178, 0.5786),
        ("acked", None, None, None, None, None, 0.4122, 0.5440, 0.3337, 0.7143),
        ("tested", None, None, None, None, None, 0.3364, 0.2498, 0.1647, 0.5373),
        ("reported", None, None, None, None, None, 0.2290, 0.2729, 0.1880, 0.6073),
    ],
)
def test_dpdk_reciprocity(
    dpdk: list[Row],
    period: str,
    size: int | None,
    ties: int | None,
    total: int | None,
    mutual: int | None,
    asymmetric: int | None,
    r: float | None,
    r_w: float,
    spread: float,
    ceiling: float,
) -> None:
    graph = select_period(dpdk, period).graph
    of_ties, weighted = measure_tie_reciprocity(graph), measure_weighted_reciprocity(graph)
    null = compute_spread_null(graph, unit=1)
    assert weighted is not None
    assert null is not None
    if size is not None:
        counts = (graph.size, len(graph.giver), graph.total, *of_ties.census[:2])
        assert counts == (size, ties, total, mutual, asymmetric)
    if r is not None:
        assert of_ties.reciprocity == pytest.approx(r, abs=EXACT)
    assert weighted.reciprocity == pytest.approx(r_w, abs=EXACT)
    assert null.expected == pytest.approx(spread, abs=EXACT)
    assert weighted.ceiling == pytest.approx(ceiling, abs=EXACT)


@pytest.mark.parametrize(
    ("period", "expected", "deviation"),
    [
        ("", 0.3648, 0.0150),
        ("2016", 0.3554, 0.0396),
        ("2020", 0.3858, 0.0310),
        ("2023", 0.3984, 0.0344),
    ],
)
def test_dpdk_configuration_model(
    dpdk: list[Row], period: str, expected: float, deviation: float
) -> None:
    measured = measure_tie_reciprocity(select_period(dpdk, period).graph)
    assert measured.expected == pytest.approx(expected, abs=EXACT)
    assert measured.deviation == pytest.approx(deviation, abs=EXACT)


@pytest.mark.parametrize(
    ("period", "circulating", "relayed"),
    [
        ("", 0.0767, 0.1036),
        ("2016", 0.1108, 0.1171),
        ("2018", 0.0853, 0.1885),
        ("2020", 0.0671, 0.1560),
        ("2022", 0.1879, 0.1089),
        ("2023", 0.1023, 0.0821),
        ("2025", 0.0453, 0.1112),
        ("occurred", 0.0627, 0.1275),
        ("known", 0.0623, 0.1265),
    ],
)
def test_dpdk_split(dpdk: list[Row], period: str, circulating: float, relayed: float) -> None:
    split = split_flow(select_period(dpdk, period).graph)
    assert split is not None
    assert split.circulating == pytest.approx(circulating, abs=EXACT)
    assert split.relayed == pytest.approx(relayed, abs=EXACT)


def test_dpdk_parts_and_yardsticks(dpdk: list[Row]) -> None:
    whole = make_named_graph(dpdk)
    weighted = measure_weighted_reciprocity(whole.graph)
    assert weighted is not None
    assert weighted.two_way_share == pytest.approx(0.8933, abs=EXACT)
    assert weighted.evenness == pytest.approx(0.6559, abs=EXACT)
    assert weighted.interval is not None
    low, high = weighted.interval
    assert (high - low) / 2 / 1.96 == pytest.approx(0.0471, abs=EXACT)
    assert measure_tie_reciprocity(whole.graph).rho == pytest.approx(0.4610, abs=EXACT)
    amounts = compute_spread_null(whole.graph)
    assert amounts is not None
    assert amounts.expected == pytest.approx(0.3747, abs=EXACT)


@pytest.mark.parametrize(("block", "expected"), [("day", 0.56), ("exchange", 0.62)])
def test_dpdk_shuffle(dpdk: list[Row], block: str, expected: float) -> None:
    whole = make_named_graph(dpdk)
    number = {name: place for place, name in enumerate(whole.names)}
    counts = Counter(
        (
            number[row["giver"]],
            number[row["receiver"]],
            row["occurred_at"][:10] if block == "day" else row["event_ref"],
        )
        for row in dpdk
    )
    ends = np.array([block[:2] for block in counts])
    blocks = Blocks(ends[:, 0], ends[:, 1], np.array(list(counts.values())))
    draws = compute_shuffle_null(blocks, whole.graph.size)
    assert draws is not None
    assert draws.mean() == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("view", "ties", "mutual", "r", "rho", "spread", "ceiling", "circulating", "relayed"),
    [
        ("giver", 189, 29, 0.3069, 0.1145, 0.1134, 0.5238, 0.0317, 0.1852),
        ("receiver", 185, 20, 0.2162, 0.0045, 0.1069, 0.5622, 0.0541, 0.2919),
        ("confirmed", 63, 11, 0.3492, None, 0.0946, 0.5714, 0.0952, 0.1270),
        ("union", 311, 92, 0.5916, None, 0.2075, 0.7749, 0.0418, 0.1415),
    ],
)
def test_chemnet(
    real_data: Path,
    view: str,
    ties: int,
    mutual: int,
    r: float,
    rho: float | None,
    spread: float,
    ceiling: float,
    circulating: float,
    relayed: float,
) -> None:
    rows = read_chemnet(real_data)
    names = {name for row in rows for name in (row["giver"], row["receiver"])}
    number = {name: place for place, name in enumerate(sorted(names))}
    reports = {
        side: {
            (number[row["giver"]], number[row["receiver"]])
            for row in rows
            if row["reported_by"] == row[side]
        }
        for side in ("giver", "receiver")
    }
    both = reports["giver"] & reports["receiver"]
    ties_by_view = {**reports, "confirmed": both, "union": reports["giver"] | reports["receiver"]}
    graph = FlowGraph.of(len(names), dict.fromkeys(ties_by_view[view], 1))
    of_ties, weighted = measure_tie_reciprocity(graph), measure_weighted_reciprocity(graph)
    null, split = compute_spread_null(graph, unit=1), split_flow(graph)
    assert (graph.size, len(graph.giver), of_ties.census.mutual) == (30, ties, mutual)
    assert weighted is not None
    assert null is not None
    assert split is not None
    assert of_ties.reciprocity == pytest.approx(r, abs=EXACT)
    assert weighted.reciprocity == of_ties.reciprocity
    if rho is not None:
        assert of_ties.rho == pytest.approx(rho, abs=EXACT)
    assert null.expected == pytest.approx(spread, abs=EXACT)
    assert weighted.ceiling == pytest.approx(ceiling, abs=EXACT)
    assert split.circulating == pytest.approx(circulating, abs=EXACT)
    assert split.relayed == pytest.approx(relayed, abs=EXACT)


@pytest.mark.parametrize(
    ("giver", "receiver", "net", "amount"),
    [
        ("nxp.com", "intel.com", 348, 17),
        ("intel.com", "networkplumber.org", 303, 87),
        ("smartsharesystems.com", "networkplumber.org", 120, 28),
        ("xilinx.com", "oktetlabs.ru", 220, 5),
        ("intel.com", "mellanox.com", 184, 35),
    ],
)
def test_dpdk_paid_back(dpdk: list[Row], giver: str, receiver: str, net: int, amount: int) -> None:
    whole = make_named_graph(dpdk)
    paid = PaybackNetwork(whole.graph).find(whole.number(giver), whole.number(receiver))
    assert (paid.net, paid.amount) == (net, amount)


def test_dpdk_groups_of_top_level_domains(dpdk: list[Row]) -> None:
    whole = make_named_graph(dpdk)
    domains = [name.rpartition(".")[2] for name in whole.names]
    groups = np.array([sorted(set(domains)).index(domain) for domain in domains])
    lift = measure_lift(whole.graph, groups)
    assert lift.share == pytest.approx(0.6895, abs=EXACT)
    assert lift.lift == pytest.approx(1.0359, abs=EXACT)


def test_dpdk_induced_on_commercial_domains(dpdk: list[Row]) -> None:
    induced = make_named_graph(
        dpdk, lambda row: row["giver"].endswith(".com") and row["receiver"].endswith(".com")
    ).graph
    weighted = measure_weighted_reciprocity(induced)
    assert weighted is not None
    assert (len(induced.giver), induced.total) == (837, 14_342)
    assert weighted.reciprocity == pytest.approx(0.6430, abs=EXACT)


def test_dpdk_triads_of_2023(dpdk: list[Row]) -> None:
    census = count_triads(select_period(dpdk, "2023").graph)
    assert list(census.values()) == [
        *(36064, 5380, 2324, 250, 182, 281, 370, 464),
        *(24, 0, 101, 83, 24, 26, 86, 101),
    ]


@pytest.mark.parametrize(
    ("period", "receivers", "counts"),
    [("", 272, {"intel.com": 62}), ("2023", 50, {"intel.com": 9, "marvell.com": 2})],
)
def test_dpdk_sole_sources(
    dpdk: list[Row], period: str, receivers: int, counts: dict[str, int]
) -> None:
    named = select_period(dpdk, period)
    sole = find_sole_sources(named.graph)
    sources = Counter(named.names[source] for source in sole.source.tolist())
    assert len(set(named.graph.receiver.tolist())) == receivers
    assert {name: sources[name] for name in counts} == counts


def test_dpdk_fan_out(dpdk: list[Row]) -> None:
    whole = make_named_graph(dpdk)
    fan_out, sources = find_fan_out(whole.graph)
    intel = whole.number("intel.com")
    assert (fan_out[intel], sources[intel]) == (201, 102)


@pytest.mark.parametrize(
    ("n", "k", "p_value", "low", "high"),
    [
        (244, 232, 5.267e-54, 0.9182, 0.9728),
        (674, 511, 1.133e-42, 0.7248, 0.7893),
        (201, 188, 6.308e-41, 0.8950, 0.9633),
        (221, 161, 7.476e-12, None, None),
        (190, 141, 1.620e-11, None, None),
        (34, 34, 1.164e-10, None, 1.0),
    ],
)
def test_evidence_of_pairs(
    n: int, k: int, p_value: float, low: float | None, high: float | None
) -> None:
    evidence = weigh_evidence(np.array([k]), np.array([n]))
    assert evidence.p_value[0] == pytest.approx(p_value, rel=5e-4)
    if low is not None:
        assert evidence.interval_low[0] == pytest.approx(low, abs=EXACT)
    if high is not None:
        assert evidence.interval_high[0] == pytest.approx(high, abs=EXACT)


def test_dpdk_reciprocation_time(dpdk: list[Row]) -> None:
    names = sorted({name for row in dpdk for name in (row["giver"], row["receiver"])})
    number = {name: place for place, name in enumerate(names)}
    end = to_microseconds("2026-07-20T13:34:35Z")
    exchanges = []
    for place, row in enumerate(dpdk):
        giver, receiver = number[row["giver"]], number[row["receiver"]]
        pair = min(giver, receiver) * len(names) + max(giver, receiver)
        instant = to_microseconds(row["occurred_at"])
        exchanges.append((pair, instant, place, giver < receiver))
    pairs, instants, _, is_forth = (
        np.array(column) for column in zip(*sorted(exchanges), strict=True)
    )
    turns = find_turns(pairs, is_forth, instants, np.full(len(instants), end))
    measured = measure_reciprocation_time(turns)
    assert measured is not None
    counts = measured.turn_count, measured.answered_count, measured.censored_count
    assert counts == (4_687, 3_595, 1_092)
    assert measured.survival.median == pytest.approx(45.15, abs=0.005)
    assert measured.survival.unanswered == pytest.approx((0.5505, 0.4180, 0.2810), abs=EXACT)


def to_microseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp()) * 1_000_000
