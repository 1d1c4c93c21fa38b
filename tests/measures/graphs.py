"""Graphs for the tests of measures: real and random ones, and corner cases."""

from __future__ import annotations

import csv
import gzip
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import networkx as nx
from hypothesis import strategies as st

from services.measures.flow_graph import FlowGraph


class NamedGraph(NamedTuple):
    """A graph and the names of its organizations, by number."""

    graph: FlowGraph
    names: list[str]

    def number(self, name: str) -> int:
        return self.names.index(name)


Row = dict[str, str]


def read_dpdk(folder: Path) -> list[Row]:
    with gzip.open(folder / "dpdk-reviews.csv.gz", "rt", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def read_chemnet(folder: Path) -> list[Row]:
    with (folder / "chemnet-reports.csv").open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def make_named_graph(
    rows: list[Row], has_row: Callable[[Row], bool] = lambda _: True
) -> NamedGraph:
    """The graph of rows with a giver and a receiver, each of which counts 1."""
    counts = Counter((row["giver"], row["receiver"]) for row in rows if has_row(row))
    names = sorted({name for pair in counts for name in pair})
    number = {name: place for place, name in enumerate(names)}
    ties = {(number[giver], number[receiver]): n for (giver, receiver), n in counts.items()}
    return NamedGraph(FlowGraph.of(len(names), ties), names)


def make_random_graph(size: int, tie_count: int, seed: int, max_weight: int = 40) -> FlowGraph:
    """A graph of random ties, of which a part is returned."""
    chance = random.Random(seed)
    ties: dict[tuple[int, int], int] = {}
    while len(ties) < tie_count:
        giver, receiver = chance.sample(range(size), 2)
        ties[giver, receiver] = chance.randint(1, max_weight)
        if len(ties) < tie_count and chance.random() < 0.3:
            ties[receiver, giver] = chance.randint(1, max_weight)
    return FlowGraph.of(size, ties)


def to_networkx(graph: FlowGraph) -> nx.DiGraph:
    other = nx.DiGraph()
    other.add_nodes_from(range(graph.size))
    other.add_weighted_edges_from(
        zip(graph.giver.tolist(), graph.receiver.tolist(), graph.weight.tolist(), strict=True)
    )
    return other


CORNER_CASES: Final = {
    "empty": FlowGraph.of(0, {}),
    "one organization": FlowGraph.of(1, {}),
    "no ties": FlowGraph.of(4, {}),
    "one tie": FlowGraph.of(2, {(0, 1): 3}),
    "one-way only": FlowGraph.of(4, {(0, 1): 3, (0, 2): 1, (1, 2): 5}),
    "fully mutual": FlowGraph.of(3, {(i, j): 7 for i in range(3) for j in range(3) if i != j}),
    "zero strengths": FlowGraph.of(4, {(0, 1): 0, (1, 0): 0, (2, 1): 0}),
    "some zero weights": FlowGraph.of(4, {(0, 1): 0, (1, 0): 4, (2, 1): 6, (1, 2): 2}),
    "huge weights": FlowGraph.of(
        4, {(0, 1): 10**15 + 37, (1, 0): 10**15, (1, 2): 10**14 + 1, (2, 0): 10**13 + 7, (3, 2): 1}
    ),
    "two components": FlowGraph.of(5, {(0, 1): 2, (1, 0): 3, (2, 3): 4, (3, 4): 1, (4, 2): 2}),
    "one only gives": FlowGraph.of(4, {(0, 1): 9, (0, 2): 9, (0, 3): 9, (1, 2): 4, (2, 1): 1}),
    "star": FlowGraph.of(4, {(0, 1): 2, (1, 0): 5, (0, 2): 3, (3, 0): 4}),
}


@st.composite
def graphs(draw: st.DrawFn, max_size: int = 8, min_weight: int = 0) -> FlowGraph:
    size = draw(st.integers(2, max_size))
    ends = st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)).filter(
        lambda pair: pair[0] != pair[1]
    )
    return FlowGraph.of(size, draw(st.dictionaries(ends, st.integers(min_weight, 60), max_size=30)))
