"""Who gives to whom: directed ties as edges, organizations as nodes."""

import numpy as np

from services.ledger.question import Edge, Network, Node, Question
from services.ledger.words import Allocation
from services.network.balances import Totals, by_name, total
from services.network.frame import Frame
from services.network.rows import Rows
from services.network.sums import add_up
from services.network.table import Flags, Ints


def network(frame: Frame, question: Question) -> Network:
    """Edges by giver and receiver id; as nodes the organizations of `balances`, by id.

    Organizations that are asked for choose the edges they are on, and as nodes themselves and the
    other ends of those. Raises QuestionImpossible for allocation once, which has no edges.
    """
    question.require_edges()
    inside = frame.inside(question)
    sums = add_up(frame, question, inside)
    found = total(frame, question, inside, sums)
    shown = frame.shown(question, found.party)
    direction = _directions(frame, sums.exchanges, frame.choice(question))
    giver, receiver = frame.ends[0][direction], frame.ends[1][direction]
    chosen = frame.choice(question)
    if chosen is not None:
        shown &= chosen | frame.known.flags(giver) | frame.known.flags(receiver)
    columns = {
        "giver_id": frame.known.names[giver],
        "receiver_id": frame.known.names[receiver],
        "weight": sums.amounts[direction],
        "exchange_count": sums.exchanges[direction],
        "unknown_count": sums.unknown_exchanges[direction],
    }
    rank = frame.known.rank
    edges = Rows(
        Edge._make,
        [columns[name] for name in Edge._fields],
        columns | {"giver_id": rank[giver], "receiver_id": rank[receiver]},
    )
    coverage = frame.coverage(question, inside)
    warnings = frame.warnings(question, coverage, inside)
    isolates = frame.isolates(question, found.party)
    nodes = _nodes(frame, question, found, isolates, by_name(frame, shown))
    return Network(edges, coverage, warnings, nodes)


def _directions(frame: Frame, counts: Ints, chosen: Flags | None) -> Ints:
    """The directions in which something was given, by giver and receiver id."""
    giver, receiver = frame.ends
    shown = (counts > 0) & (giver != receiver)
    if chosen is not None:
        shown &= chosen[giver] | chosen[receiver]
    direction = np.flatnonzero(shown)
    rank = frame.known.rank
    key = rank[giver[direction]] * frame.size + rank[receiver[direction]]
    return direction[np.argsort(key)]


def _nodes(
    frame: Frame, question: Question, found: Totals, isolates: Flags, numbers: Ints
) -> list[Node]:
    totals = question.allocation is not Allocation.FULL
    nothing = np.full(len(numbers), None)
    return [
        Node._make(values)
        for values in zip(
            frame.known.names[numbers].tolist(),
            (found.given[numbers] if totals else nothing).tolist(),
            (found.received[numbers] if totals else nothing).tolist(),
            found.exchange_count[numbers].tolist(),
            isolates[numbers].tolist(),
            strict=True,
        )
    ]
