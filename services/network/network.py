"""The network: directed ties as edges, organizations as nodes."""

import numpy as np

from services.ledger.enums import Allocation
from services.ledger.question import Edge, Network, Node, Question
from services.network.balances import Totals, compute_totals, sort_by_id
from services.network.column_table import Flags, Ints
from services.network.directed_sums import sum_legs
from services.network.identity_view import IdentityView
from services.network.lazy_rows import LazyRows


def compute_network(view: IdentityView, question: Question) -> Network:
    """Returns edges by giver and receiver id, and the organizations of `balances` as nodes by id.

    Requested organizations restrict the edges to theirs, and the nodes to the ends of those and
    themselves. Raises ImpossibleQuestionError under allocation once, which has no edges.
    """
    question.require_edges()
    mask = view.select_exchanges(question)
    sums = sum_legs(view, question, mask)
    totals = compute_totals(view, question, mask, sums)
    has_row = view.find_row_organizations(question, totals.is_party)
    requested = view.find_requested_organizations(question)
    direction = _directions(view, sums.exchanges, requested)
    giver, receiver = view.direction_ends[0][direction], view.direction_ends[1][direction]
    if requested is not None:
        has_row &= requested | view.index.make_flags(giver) | view.index.make_flags(receiver)
    columns = {
        "giver_id": view.index.ids[giver],
        "receiver_id": view.index.ids[receiver],
        "weight": sums.amounts[direction],
        "exchange_count": sums.exchanges[direction],
        "unknown_count": sums.unknown_exchanges[direction],
    }
    rank = view.index.rank
    edges = LazyRows(
        Edge._make,
        [columns[name] for name in Edge._fields],
        columns | {"giver_id": rank[giver], "receiver_id": rank[receiver]},
    )
    coverage = view.compute_coverage(question, mask)
    warnings = view.find_warnings(question, coverage, mask)
    isolates = view.find_isolates(question, totals.is_party)
    nodes = _nodes(view, question, totals, isolates, sort_by_id(view, has_row))
    return Network(edges, coverage, warnings, nodes)


def _directions(view: IdentityView, counts: Ints, requested: Flags | None) -> Ints:
    """Returns the directions with an exchange, by giver and receiver id."""
    giver, receiver = view.direction_ends
    has_row = (counts > 0) & (giver != receiver)
    if requested is not None:
        has_row &= requested[giver] | requested[receiver]
    direction = np.flatnonzero(has_row)
    rank = view.index.rank
    key = rank[giver[direction]] * view.size + rank[receiver[direction]]
    return direction[np.argsort(key)]


def _nodes(
    view: IdentityView, question: Question, totals: Totals, isolates: Flags, numbers: Ints
) -> list[Node]:
    has_totals = question.allocation is not Allocation.FULL
    nothing = np.full(len(numbers), None)
    return [
        Node._make(values)
        for values in zip(
            view.index.ids[numbers].tolist(),
            (totals.given[numbers] if has_totals else nothing).tolist(),
            (totals.received[numbers] if has_totals else nothing).tolist(),
            totals.exchange_count[numbers].tolist(),
            isolates[numbers].tolist(),
            strict=True,
        )
    ]
