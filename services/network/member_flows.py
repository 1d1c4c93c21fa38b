"""The flow among the members of a population, as a graph that measures read."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from services.ledger.allocation import LENS_FIELDS, MILLION
from services.ledger.enums import Lens
from services.ledger.question import Question
from services.measures.flow_graph import Flags, FlowGraph, Ints
from services.measures.shuffle_null import Blocks
from services.network.directed_sums import sum_legs
from services.network.identity_view import IdentityView
from services.network.ties import LEADS_BITS


@dataclass(frozen=True, slots=True)
class MemberFlows:
    """What the members of a population gave each other, in millionths.

    Members are numbered by ascending id, so that a graph does not depend on the order of the log.
    """

    graph: FlowGraph
    ids: tuple[str, ...]
    """The id of each member."""
    numbers: Ints
    """The number of each member in the view."""
    place: Ints
    """The member of each number of the view, -1 where it is none."""
    spill_given: int
    """What members gave to others, which is not in the graph."""
    spill_received: int
    """What members received from others, which is not in the graph."""

    @classmethod
    def of(
        cls, view: IdentityView, question: Question, mask: Flags, *, additional_number: int = 0
    ) -> "MemberFlows":
        """The flow of the exchanges in a mask. Raises ImpossibleQuestionError as `find_members`."""
        numbers, place = find_members(view, question, mask, additional_number=additional_number)
        sums = sum_legs(view, question, mask)
        giver, receiver = (place[end] for end in view.direction_ends)
        is_tie = (sums.exchanges > 0) & (giver != receiver)
        inside = np.flatnonzero(is_tie & (giver >= 0) & (receiver >= 0))
        order = inside[np.lexsort((receiver[inside], giver[inside]))]
        return cls(
            FlowGraph(len(numbers), giver[order], receiver[order], sums.amounts[order]),
            tuple(view.index.ids[numbers].tolist()),
            numbers,
            place,
            int(sums.amounts[(giver >= 0) & (receiver < 0)].sum()),
            int(sums.amounts[(giver < 0) & (receiver >= 0)].sum()),
        )


class Members(NamedTuple):
    """The members of a population, by ascending id."""

    numbers: Ints
    """The number of each member in the view."""
    place: Ints
    """The member of each number of the view, -1 where it is none."""


def find_members(
    view: IdentityView, question: Question, mask: Flags, *, additional_number: int = 0
) -> Members:
    """The population of a question that has the attributes of its subset.

    The organization `additional_number` is a member in any case; 0 is none.
    Raises ImpossibleQuestionError under the allocations full and once, whose edges do not add up
    to totals of organizations.
    """
    question.require_split()
    members = view.find_population(question, view.find_parties(mask))
    members &= view.find_subset(question)
    members[additional_number] = True
    members[0] = False
    numbers = np.flatnonzero(members)
    numbers = numbers[np.argsort(view.index.rank[numbers])]
    place = np.full(view.size, -1, dtype=np.int64)
    place[numbers] = np.arange(len(numbers))
    return Members(numbers, place)


class MemberBlocks(NamedTuple):
    """The blocks of members, and the number of directed exchanges among them."""

    blocks: Blocks
    exchange_count: int


def find_blocks(
    view: IdentityView, question: Question, mask: Flags, flows: MemberFlows
) -> MemberBlocks:
    """What a member gave another one on one day; a month or quarter counts as its first day.

    Blocks ascend by giver, receiver and day, so that draws do not depend on the order of the log.
    """
    size = flows.graph.size
    giver, receiver = (flows.place[end] for end in view.direction_ends)
    is_inside = (giver >= 0) & (receiver >= 0) & (giver != receiver)
    first_day = view.columns.exchanges.first_day
    start = int(first_day.min(initial=0))
    span = int(first_day.max(initial=0)) - start + 1
    keys, amounts = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    is_counted = np.zeros(len(mask), dtype=np.bool_)
    for legs, places, rows in view.iterate_placed_legs(mask):
        direction = places[rows] >> LEADS_BITS
        inside = is_inside[direction]
        exchange, direction = legs.exchange[rows][inside], direction[inside]
        is_counted[exchange] = True
        tie = giver[direction] * size + receiver[direction]
        keys.append(tie * span + first_day[exchange] - start)
        amounts.append(
            np.full(len(exchange), MILLION)
            if question.lens is Lens.COUNT
            else getattr(legs, LENS_FIELDS[question.lens].share)[rows][inside]
        )
    unique, block = np.unique(np.concatenate(keys), return_inverse=True)
    weight = np.zeros(len(unique), dtype=np.int64)
    np.add.at(weight, block, np.concatenate(amounts))
    block_giver, block_receiver = np.divmod(unique // span, max(1, size))
    blocks = Blocks(block_giver, block_receiver, weight)
    return MemberBlocks(blocks, int(np.count_nonzero(is_counted)))
