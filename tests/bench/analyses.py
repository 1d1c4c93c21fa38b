"""Measures analyses: alone, next to other libraries, and through a server."""

import contextlib
import io
import os
import statistics
import tempfile
import warnings
from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from itertools import count, islice
from pathlib import Path
from threading import Event, Thread
from typing import Final

import networkx as nx
import numpy as np
from NEMtropy import DirectedGraph

from mutua import Client
from mutua.v1.analysis_service_pb2 import PERIOD_YEAR
from services.app.bootstrap import serve_embedded
from services.measures.families import BERNOULLI, GEOMETRIC
from services.measures.flow_graph import FlowGraph
from services.measures.lift import measure_lift
from services.measures.maximum_entropy import solve
from services.measures.reciprocity import measure_reciprocity
from services.measures.shuffle_null import Blocks
from services.measures.structure import count_components, find_sole_sources
from services.measures.tie_reciprocity import count_dyads
from services.measures.triad_census import count_triads
from services.measures.weighted_reciprocity import measure_weighted_reciprocity
from tests import dpdk
from tests.bench.figure import Figure, measure_median_seconds, measure_seconds
from tests.measures.graphs import make_random_graph, to_networkx

SMALL: Final = 300, 3_000
LARGE: Final = 1_000, 10_000
_MAX_EXCHANGES: Final = 4
_CALLS: Final = 300
_GROUPS: Final = 12


def measure() -> Iterator[Figure]:
    graph = make_random_graph(*SMALL, seed=1, max_weight=_MAX_EXCHANGES)
    yield _measure_nulls(graph)
    yield _measure_family(graph)
    small = measure_median_seconds(lambda: _measure_everything(graph))
    peer = measure_median_seconds(lambda: nx.triadic_census(to_networkx(graph)))
    yield Figure("all measures, 300 / 3,000", small, "s", peer, "networkx: triad census alone")
    large_graph = make_random_graph(*LARGE, seed=2, max_weight=_MAX_EXCHANGES)
    large = measure_median_seconds(lambda: _measure_everything(large_graph))
    peer = measure_median_seconds(lambda: nx.triadic_census(to_networkx(large_graph)))
    yield Figure("all measures, 1,000 / 10,000", large, "s", peer, "networkx: triad census alone")
    if os.environ.get("MUTUA_REAL_DATA"):
        yield from _measure_service()


def _measure_nulls(graph: FlowGraph) -> Figure:
    adjacency = nx.to_numpy_array(to_networkx(graph), weight=None)

    def solve_with_nemtropy() -> None:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            DirectedGraph(adjacency=adjacency).solve_tool(model="dcm_exp", method="newton")

    solve_with_nemtropy()  # compiles
    degrees = [
        np.bincount(end, minlength=graph.size).astype(np.float64)
        for end in (graph.giver, graph.receiver)
    ]

    def solve_both() -> None:
        solve(BERNOULLI, *degrees)
        solve(GEOMETRIC, graph.given.astype(np.float64), graph.received.astype(np.float64))

    return Figure(
        "both null models, 300 / 3,000",
        measure_median_seconds(solve_both),
        "s",
        measure_median_seconds(solve_with_nemtropy),
        "NEMtropy: the binary one alone",
    )


def _measure_family(graph: FlowGraph) -> Figure:
    other = to_networkx(graph)

    def measure_ours() -> None:
        cold = _copy(graph)
        measure_weighted_reciprocity(cold)
        count_dyads(cold)

    def measure_theirs() -> None:
        """r, r_w, two-way share, the ceiling, and r_w without each organization."""
        nx.overall_reciprocity(other)
        _sum_returned(other)
        mutual = (
            (giver, receiver) for giver, receiver in other.edges if other.has_edge(receiver, giver)
        )
        sum(other.edges[tie]["weight"] for tie in mutual)
        given, received = (
            dict(other.out_degree(weight="weight")),
            dict(other.in_degree(weight="weight")),
        )
        sum(min(given[node], received[node]) for node in other)
        for node in other:
            _sum_returned(nx.restricted_view(other, [node], []))

    return Figure(
        "reciprocity without yardsticks, 300 / 3,000",
        measure_median_seconds(measure_ours),
        "s",
        measure_seconds(measure_theirs),
        "networkx: the same measures",
    )


def _sum_returned(graph: nx.DiGraph) -> float:
    """r_w by a loop over ties."""
    returned = sum(
        min(weight, graph.edges[receiver, giver]["weight"])
        for giver, receiver, weight in graph.edges(data="weight")
        if graph.has_edge(receiver, giver)
    )
    return float(returned / graph.size(weight="weight"))


def _copy(graph: FlowGraph) -> FlowGraph:
    """The same graph without what it keeps of earlier measures."""
    return FlowGraph(graph.size, graph.giver, graph.receiver, graph.weight)


def _make_blocks(graph: FlowGraph) -> Blocks:
    """Every exchange is a block of its own."""
    return Blocks(
        np.repeat(graph.giver, graph.weight),
        np.repeat(graph.receiver, graph.weight),
        np.ones(graph.total, dtype=np.int64),
    )


def _measure_everything(graph: FlowGraph) -> None:
    cold = _copy(graph)
    blocks = _make_blocks(cold)
    measure_reciprocity(cold, blocks, unit=1, exchange_count=cold.total, seed=0)
    count_triads(cold)
    count_components(cold)
    find_sole_sources(cold)
    measure_lift(cold, np.arange(cold.size) % _GROUPS)


def _measure_service() -> Iterator[Figure]:
    """The reviews of DPDK on a server: a series, a cached answer, questions during analyses."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serve_embedded(Path(folder), purpose="bench", write=True) as server,
        Client(server.address, programme="dpdk", deadline_seconds=60) as client,
    ):
        for answered in client.record_in_batches(dpdk.read_events()):
            position = answered.position
        client.get_status(min_position=position)
        list(client.list_balances())
        seeds = count()
        series = measure_median_seconds(
            lambda: client.get_reciprocity(period=PERIOD_YEAR, seed=next(seeds))
        )
        whole = measure_median_seconds(lambda: client.get_reciprocity(seed=next(seeds)))
        yield Figure("yearly series, DPDK", series, "s", whole, "the whole window at once")
        client.get_reciprocity()
        cached = measure_median_seconds(client.get_reciprocity, runs=_CALLS)
        status = measure_median_seconds(client.get_status, runs=_CALLS)
        yield Figure("cached analysis through gRPC", cached, "s", status, "GetStatus")
        days = count()
        alone, stop = _measure_p99(client, days), Event()
        analysing = Thread(target=_analyse_until, args=(server.address, stop, seeds))
        analysing.start()
        together = _measure_p99(client, days)
        stop.set()
        analysing.join()
        yield Figure("p99 of ListBalances during analyses", together, "s", alone, "without")


def _measure_p99(client: Client, days: Iterator[int]) -> float:
    """The 99th percentile of balances, each of a window that nobody asked for before."""
    seconds = []
    for day in islice(days, _CALLS):
        to_date = date(2026, 1, 1) + timedelta(days=day)
        seconds.append(measure_seconds(partial(list, client.list_balances(to_date=to_date))))
    return statistics.quantiles(seconds, n=100)[-1]


def _analyse_until(address: str, stop: Event, seeds: Iterator[int]) -> None:
    with Client(address, programme="dpdk", deadline_seconds=60) as client:
        while not stop.is_set():
            client.get_reciprocity(seed=next(seeds))
