"""Who gives to whom: directed ties as edges, organizations as nodes."""

import numpy as np

from services.ledger.enums import Allocation
from services.ledger.question import Edge, Network, Node, Question
from services.network.balances import Totals, compute_totals, sort_by_id
from services.network.column_table import Flags, Ints
from services.network.directed_sums import sum_legs
from services.network.identity_view import IdentityView
from services.network.lazy_rows import LazyRows


def compute_network(frame: IdentityView, question: Question) -> Network:
    """Edges by giver and receiver id; as nodes the organizations of `balances`, by id.

    Organizations that are asked for choose the edges they are on, and as nodes themselves and the
    other ends of those. Raises ImpossibleQuestionError for allocation once, which has no edges.
    """
    question.require_edges()
    inside = frame.select_exchanges(question)
    sums = sum_legs(frame, question, inside)
    found = compute_totals(frame, question, inside, sums)
    shown = frame.find_row_organizations(question, found.is_party)
    direction = _directions(frame, sums.exchanges, frame.find_requested_organizations(question))
    giver, receiver = frame.direction_ends[0][direction], frame.direction_ends[1][direction]
    chosen = frame.find_requested_organizations(question)
    if chosen is not None:
        shown &= chosen | frame.index.make_flags(giver) | frame.index.make_flags(receiver)
    columns = {
        "giver_id": frame.index.ids[giver],
        "receiver_id": frame.index.ids[receiver],
        "weight": sums.amounts[direction],
        "exchange_count": sums.exchanges[direction],
        "unknown_count": sums.unknown_exchanges[direction],
    }
    rank = frame.index.rank
    edges = LazyRows(
        Edge._make,
        [columns[name] for name in Edge._fields],
        columns | {"giver_id": rank[giver], "receiver_id": rank[receiver]},
    )
    coverage = frame.compute_coverage(question, inside)
    warnings = frame.find_warnings(question, coverage, inside)
    isolates = frame.find_isolates(question, found.is_party)
    nodes = _nodes(frame, question, found, isolates, sort_by_id(frame, shown))
    return Network(edges, coverage, warnings, nodes)


def _directions(frame: IdentityView, counts: Ints, chosen: Flags | None) -> Ints:
    """The directions in which something was given, by giver and receiver id."""
    giver, receiver = frame.direction_ends
    shown = (counts > 0) & (giver != receiver)
    if chosen is not None:
        shown &= chosen[giver] | chosen[receiver]
    direction = np.flatnonzero(shown)
    rank = frame.index.rank
    key = rank[giver[direction]] * frame.size + rank[receiver[direction]]
    return direction[np.argsort(key)]


def _nodes(
    frame: IdentityView, question: Question, found: Totals, isolates: Flags, numbers: Ints
) -> list[Node]:
    totals = question.allocation is not Allocation.FULL
    nothing = np.full(len(numbers), None)
    return [
        Node._make(values)
        for values in zip(
            frame.index.ids[numbers].tolist(),
            (found.given[numbers] if totals else nothing).tolist(),
            (found.received[numbers] if totals else nothing).tolist(),
            found.exchange_count[numbers].tolist(),
            isolates[numbers].tolist(),
            strict=True,
        )
    ]
