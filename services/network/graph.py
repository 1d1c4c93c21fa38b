"""The graph: the network, how organizations stand between others, and ties by kind and time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from services.ledger.enums import Allocation, Kind
from services.ledger.question import Answer, Edge, Node, Question
from services.ledger.times import Day
from services.measures.brokerage import (
    count_brokerage_roles,
    measure_betweenness,
    measure_constraint,
)
from services.measures.lift import UNKNOWN_GROUP
from services.network.column_table import Flags, Ints
from services.network.directed_sums import sum_legs
from services.network.identity_view import IdentityView
from services.network.lift import group_members
from services.network.member_flows import MemberFlows
from services.network.network import compute_network
from services.network.ties import LEADS_BITS

METRIC_VERSION: Final = 1
"""Version of these definitions; numbers of different versions are not comparable."""
NOT_A_MEMBER: Final = "NOT_A_MEMBER"
NO_CONTACT: Final = "NO_CONTACT"
UNLABELLED: Final = "UNLABELLED"
NOT_ADDITIVE: Final = "NOT_ADDITIVE"
"""The allocation lays amounts on edges that do not add up."""


class KindFlow(NamedTuple):
    """What an edge has of one kind; the weight in millionths."""

    kind: Kind
    exchange_count: int
    weight: int


class Spell(NamedTuple):
    """Days without a gap on which exchanges happened, or may have; both days included."""

    first_day: Day
    last_day: Day


class GraphEdge(NamedTuple):
    """What one organization gave another."""

    edge: Edge
    undated_count: int
    """Exchanges known only to their month or quarter."""
    kinds: tuple[KindFlow, ...]
    spells: tuple[Spell, ...]

    @property
    def giver_id(self) -> str:
        return self.edge.giver_id

    @property
    def receiver_id(self) -> str:
        return self.edge.receiver_id


class RoleCounts(NamedTuple):
    """The brokerage of one organization; see `measures.brokerage.BrokerageRoles`."""

    coordinator: int
    itinerant: int
    gatekeeper: int
    representative: int
    liaison: int


class Standing(NamedTuple):
    """How a member stands between others. None is absent, for one of the reasons."""

    constraint: float | None
    betweenness: float | None
    roles: RoleCounts | None
    reasons: tuple[str, ...]


class GraphNode(NamedTuple):
    """An organization of the graph; `standing` is None for organizations that are no members."""

    node: Node
    standing: Standing | None

    @property
    def organization_id(self) -> str:
        return self.node.organization_id

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why there is no exchange or no measure."""
        more = (NOT_A_MEMBER,) if self.standing is None else self.standing.reasons
        return self.node.reasons + more


@dataclass(frozen=True, slots=True)
class Graph(Answer[GraphEdge]):
    """Edges by giver and receiver id, and nodes by id."""

    nodes: Sequence[GraphNode] = ()


def compute_graph(
    view: IdentityView,
    question: Question,
    *,
    roles_by: str = "",
    checkpoint: Callable[[], None] = lambda: None,
) -> Graph:
    """The nodes and edges of `compute_network` that have the attributes of `where`.

    `roles_by` is the attribute that makes the groups of roles; "" is none. Raises
    ImpossibleQuestionError under allocation once, which has no edges.
    """
    network = compute_network(view, question)
    mask = view.select_exchanges(question)
    is_inside, numbers = view.find_subset(question), view.index.numbers
    edges = [
        edge
        for edge in network.rows
        if is_inside[numbers[edge.giver_id]] and is_inside[numbers[edge.receiver_id]]
    ]
    directions = _find_directions(view, edges)
    undated, spells = _find_spells(view, question, mask, directions)
    kinds = _sum_kinds(view, question, mask, directions)
    standings = _measure_standings(view, question, mask, roles_by, checkpoint)
    nodes = [
        GraphNode(node, standings.get(node.organization_id))
        for node in network.nodes
        if is_inside[numbers[node.organization_id]]
    ]
    rows = list(map(GraphEdge, edges, undated, kinds, spells))
    return Graph(rows, network.coverage, network.warnings, nodes)


def _measure_standings(
    view: IdentityView,
    question: Question,
    mask: Flags,
    roles_by: str,
    checkpoint: Callable[[], None],
) -> dict[str, Standing]:
    """How every member stands, by id."""
    flows = MemberFlows.of(view, replace(question, allocation=Allocation.SPLIT), mask)
    graph, nothing = flows.graph, [None] * flows.graph.size
    is_additive = question.allocation is not Allocation.FULL
    constraints: Sequence[float | None] = measure_constraint(graph) if is_additive else nothing
    betweenness: Sequence[float | None] = (
        measure_betweenness(graph, checkpoint).tolist() if is_additive else nothing
    )
    roles = _count_roles(view, flows, roles_by) if roles_by else nothing
    standings = {}
    for name, constraint, between, role in zip(
        flows.ids, constraints, betweenness, roles, strict=True
    ):
        reasons = (
            (NOT_ADDITIVE,) * (not is_additive)
            + (NO_CONTACT,) * (is_additive and constraint is None)
            + (UNLABELLED,) * (bool(roles_by) and role is None)
        )
        standings[name] = Standing(constraint, between, role, reasons)
    return standings


def _count_roles(view: IdentityView, flows: MemberFlows, attribute: str) -> list[RoleCounts | None]:
    """The roles of each member; None where its group is unknown."""
    _, groups = group_members(view, flows, attribute)
    roles = count_brokerage_roles(flows.graph, groups)
    counts = zip(*(each.tolist() for each in roles), strict=True)
    return [
        None if group == UNKNOWN_GROUP else RoleCounts._make(each)
        for group, each in zip(groups.tolist(), counts, strict=True)
    ]


def _find_directions(view: IdentityView, edges: Sequence[Edge]) -> Ints:
    """The direction of each edge; see `ties`."""
    numbers, (giver, receiver) = view.index.numbers, view.direction_ends
    keys = giver * view.size + receiver
    order = np.argsort(keys)
    wanted = np.array(
        [numbers[edge.giver_id] * view.size + numbers[edge.receiver_id] for edge in edges],
        dtype=np.int64,
    )
    directions: Ints = order[np.searchsorted(keys, wanted, sorter=order)]
    return directions


def _sum_kinds(
    view: IdentityView, question: Question, mask: Flags, directions: Ints
) -> list[tuple[KindFlow, ...]]:
    """What each of these directions has of every kind that occurs in it."""
    kind = view.columns.exchanges.kind
    flows: list[list[KindFlow]] = [[] for _ in directions]
    for number in np.unique(kind[mask]).tolist():
        sums = sum_legs(view, question, mask & (kind == number))
        counts, amounts = sums.exchanges[directions], sums.amounts[directions]
        for row in np.flatnonzero(counts).tolist():
            flows[row].append(KindFlow(Kind(number), int(counts[row]), int(amounts[row])))
    return list(map(tuple, flows))


def _find_spells(
    view: IdentityView, question: Question, mask: Flags, directions: Ints
) -> tuple[list[int], list[tuple[Spell, ...]]]:
    """The number of undated exchanges and the spells of each of these directions."""
    exchanges, is_dated = view.columns.exchanges, view.columns.is_dated
    undated = np.zeros(view.ties.direction_count, dtype=np.int64)
    parts = [np.zeros((3, 0), dtype=np.int64)]
    for legs, places, rows in view.iterate_placed_legs(mask):
        direction, exchange = places[rows] >> LEADS_BITS, legs.exchange[rows]
        np.add.at(undated, direction[~is_dated[exchange]], 1)
        parts.append(
            np.stack([direction, exchanges.first_day[exchange], exchanges.end_day[exchange]])
        )
    direction, first, end = np.concatenate(parts, axis=1)
    if question.to_day is not None:
        end = np.minimum(end, question.to_day)
    direction, first, end = merge_spells(direction, first, end)
    starts = np.searchsorted(direction, directions).tolist()
    ends = np.searchsorted(direction, directions, side="right").tolist()
    spells = list(map(Spell, first.tolist(), (end - 1).tolist()))
    return undated[directions].tolist(), [
        tuple(spells[start:stop]) for start, stop in zip(starts, ends, strict=True)
    ]


def merge_spells(tie: Ints, first: Ints, end: Ints) -> tuple[Ints, Ints, Ints]:
    """The union of the periods [first, end) of each tie, by tie and first day.

    Periods that overlap or touch are one.
    """
    start = int(first.min(initial=0))
    span = int(end.max(initial=0)) - start + 1  # periods of two ties never touch
    begins = tie * span + first - start
    order = np.argsort(begins, kind="stable")
    begins = begins[order]
    reached = np.maximum.accumulate((tie * span + end - start)[order])
    is_new = np.ones(len(order), dtype=np.bool_)
    is_new[1:] = begins[1:] > reached[:-1]
    is_last = np.append(is_new[1:], True)[: len(order)]
    merged_tie, merged_first = np.divmod(begins[is_new], span)
    return merged_tie, merged_first + start, reached[is_last] - merged_tie * span + start
