"""One-sided pairs, what the network pays back to them, and one-sided topics."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from services.ledger.allocation import LENS_FIELDS, MILLION
from services.ledger.enums import Lens
from services.ledger.question import (
    MANY_UNKNOWN,
    MANY_UNKNOWN_DIVISOR,
    MIN_DIRECTED_EXCHANGES,
    NO_KNOWN_AMOUNT,
    TOO_FEW_EXCHANGES,
    TOPICS_OVERLAP,
    Answer,
    Pair,
    Question,
)
from services.measures.flow_graph import FlowGraph
from services.measures.paid_back import PaybackNetwork
from services.measures.pair_evidence import MIN_DAYS
from services.network.column_table import Flags, Ints
from services.network.directed_sums import sum_legs
from services.network.identity_view import IdentityView
from services.network.organization_index import OrganizationIndex
from services.network.pairs import find_pairs, make_pair_rows
from services.network.ties import LEADS_BITS

METRIC_VERSION: Final = 1
"""Increases with every change of a definition; numbers of one version can be compared."""
Checkpoint = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class AsymmetryAnswer(Answer[Pair]):
    """Pairs by giver and receiver id, and the flow between the organizations of every pair."""

    graph: FlowGraph
    index: OrganizationIndex
    """Has the organizations of the graph, by number."""


class PairPayback(NamedTuple):
    """What came back through others to the giver of a pair, in millionths."""

    amount: int
    path: tuple[str, ...]
    """Organizations of a shortest path from the receiver to the giver; () without one."""


class TopicAsymmetry(NamedTuple):
    """How one-sided the exchange on a topic is; "" are exchanges without one."""

    topic: str
    exchange_count: int
    unknown_count: int
    total: int
    """Exchanges, or known minutes, on every edge, in millionths."""
    net: int
    """The sum over pairs of what one gave more than the other, in millionths."""
    pair_count: int
    one_way_pair_count: int
    answer_is_vague: bool = False
    """Whether the answer of this row has the warning MANY_UNKNOWN."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why there is no share; () when there is one."""
        many = MANY_UNKNOWN_DIVISOR * self.unknown_count > self.exchange_count
        return (
            (NO_KNOWN_AMOUNT,) * (self.total == 0)
            + (TOO_FEW_EXCHANGES,) * (self.exchange_count < MIN_DIRECTED_EXCHANGES)
            + (MANY_UNKNOWN,) * (many or self.answer_is_vague)
        )

    @property
    def one_sided_share(self) -> float | None:
        """The part of the total that is not returned in its pair; None where `reasons` say why."""
        return None if self.reasons else self.net / self.total


def compute_family(view: IdentityView, question: Question) -> AsymmetryAnswer:
    """Returns the pairs with evidence.

    Raises ImpossibleQuestionError under another allocation than split.
    """
    return _compute(view, question, min_days=MIN_DAYS)


def compute_every_pair(view: IdentityView, question: Question) -> AsymmetryAnswer:
    """Returns the pairs with and without evidence; see `compute_family`."""
    return _compute(view, question, min_days=0)


def find_paybacks(
    answer: AsymmetryAnswer, pairs: Sequence[Pair], checkpoint: Checkpoint
) -> Iterator[PairPayback | None]:
    """Yields what the network pays back to the giver of each pair; None where net is 0."""
    numbers, ids = answer.index.numbers, answer.index.ids
    network = PaybackNetwork(answer.graph)
    for pair in pairs:
        checkpoint()
        if pair.given == pair.received:
            yield None
        else:
            back = network.find(numbers[pair.giver_id], numbers[pair.receiver_id])
            yield PairPayback(back.amount, tuple(ids[[*back.path]].tolist()))


def compute_topics(view: IdentityView, question: Question) -> Answer[TopicAsymmetry]:
    """Returns one row for each topic of a counted exchange, by topic.

    Raises ImpossibleQuestionError under another allocation than split.
    """
    question.require_split()
    mask = view.select_exchanges(question)
    coverage = view.compute_coverage(question, mask)
    warnings = view.find_warnings(question, coverage, mask)
    flows = _sum_by_topic_set(view, question, mask)
    topics_by_set = view.columns.topic_sets
    counted_sets = np.unique(flows.topic_set).tolist()
    sets_by_topic: dict[str, list[int]] = {}
    for number in counted_sets:
        for topic in topics_by_set.get(number) or ("",):
            if not question.topics or topic in question.topics:
                sets_by_topic.setdefault(topic, []).append(number)
    if any(len(topics_by_set.get(number, ())) > 1 for number in counted_sets):
        warnings = tuple(sorted({*warnings, TOPICS_OVERLAP}))
    rows = [
        flows.add_up(topic, numbers)._replace(answer_is_vague=MANY_UNKNOWN in warnings)
        for topic, numbers in sorted(sets_by_topic.items())
    ]
    return Answer(rows, coverage, warnings)


class _TopicSetFlows(NamedTuple):
    """Sums by topic set and direction, ascending by set; exchanges by topic set."""

    topic_set: Ints
    direction: Ints
    amount: Ints
    exchange_counts: Ints
    unknown_counts: Ints

    def add_up(self, topic: str, topic_sets: list[int]) -> TopicAsymmetry:
        """The row of a topic that is in these sets."""
        begins = np.searchsorted(self.topic_set, topic_sets)
        ends = np.searchsorted(self.topic_set, topic_sets, "right")
        rows = np.concatenate([np.arange(*each) for each in zip(begins, ends, strict=True)])
        directions, place = np.unique(self.direction[rows], return_inverse=True)
        amounts = np.zeros(len(directions), dtype=np.int64)
        np.add.at(amounts, place, self.amount[rows])
        pairs, pair_place, tie_counts = np.unique(
            directions >> 1, return_inverse=True, return_counts=True
        )
        net = np.zeros(len(pairs), dtype=np.int64)
        np.add.at(net, pair_place, np.where(directions & 1, -amounts, amounts))
        return TopicAsymmetry(
            topic=topic,
            exchange_count=int(self.exchange_counts[topic_sets].sum()),
            unknown_count=int(self.unknown_counts[topic_sets].sum()),
            total=int(amounts.sum()),
            net=int(abs(net).sum()),
            pair_count=len(pairs),
            one_way_pair_count=int(np.count_nonzero(tie_counts == 1)),
        )


def _sum_by_topic_set(view: IdentityView, question: Question, mask: Flags) -> _TopicSetFlows:
    lens, set_of = question.lens, view.columns.exchanges.topic_set
    size = view.ties.direction_count
    is_counted = np.zeros(len(mask), dtype=np.bool_)
    is_inside = np.repeat(view.find_subset_pairs(question), 2)
    keys, amounts = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for legs, places, rows in view.iterate_placed_legs(mask):
        direction = places[rows] >> LEADS_BITS
        inside = is_inside[direction]
        exchange, direction = legs.exchange[rows][inside], direction[inside].astype(np.int64)
        is_counted[exchange] = True
        keys.append(set_of[exchange] * np.int64(size) + direction)
        amounts.append(
            np.full(len(exchange), MILLION)
            if lens is Lens.COUNT
            else getattr(legs, LENS_FIELDS[lens].share)[rows][inside]
        )
    unique, place = np.unique(np.concatenate(keys), return_inverse=True)
    amount = np.zeros(len(unique), dtype=np.int64)
    np.add.at(amount, place, np.concatenate(amounts))
    set_count = int(set_of.max(initial=0)) + 1
    is_unknown = is_counted.copy()
    is_unknown &= False if lens is Lens.COUNT else view.get_minutes(lens) < 0
    return _TopicSetFlows(
        unique // size,
        unique % size,
        amount,
        np.bincount(set_of[is_counted], minlength=set_count),
        np.bincount(set_of[is_unknown], minlength=set_count),
    )


def _compute(view: IdentityView, question: Question, *, min_days: int) -> AsymmetryAnswer:
    question.require_split()
    mask = view.select_exchanges(question)
    coverage = view.compute_coverage(question, mask)
    return AsymmetryAnswer(
        make_pair_rows(view, question, mask, min_days=min_days),
        coverage,
        view.find_warnings(question, coverage, mask),
        graph=_make_graph(view, question, mask),
        index=view.index,
    )


def _make_graph(view: IdentityView, question: Question, mask: Flags) -> FlowGraph:
    sums = sum_legs(view, question, mask)
    is_tie = np.repeat(find_pairs(view, question, sums.exchanges), 2) & (sums.exchanges > 0)
    giver, receiver = (end[is_tie] for end in view.direction_ends)
    # Ordered by id, so that an example path does not depend on the order of the log.
    order = np.lexsort((view.index.rank[receiver], view.index.rank[giver]))
    return FlowGraph(view.size, giver[order], receiver[order], sums.amounts[is_tie][order])
