"""What each two organizations gave each other."""

import numpy as np

from services.ledger.allocation import MILLION
from services.ledger.question import Answer, Pair, Question, warnings_for
from services.ledger.words import Allocation, Lens
from services.network.columns import Ints
from services.network.frame import Frame, exact_sums


def pairs(frame: Frame, question: Question) -> Answer[Pair]:
    """One row for each two organizations with a directed exchange, by giver and receiver id.

    Contact days are distinct UTC days in one direction, of exact and day precision only. Raises
    QuestionImpossible for allocation once, which has no edges.
    """
    question.require_edges()
    inside = frame.inside(question)
    kept = inside[frame.exchange]
    giver, receiver = frame.giver[kept], frame.receiver[kept]
    low, high = np.minimum(giver, receiver), np.maximum(giver, receiver)
    ties, tie = np.unique(low * max(frame.size, 1) + high, return_inverse=True)
    # The direction from the smaller id is 2 * tie, the other one 2 * tie + 1.
    direction = 2 * tie + (giver > receiver)
    size = 2 * len(ties)
    amounts = exact_sums(direction, _amounts(frame, question)[kept], size)
    first = frame.first_of_edge[kept]
    counts = np.bincount(direction[first], minlength=size)
    exchange = frame.exchange[kept]
    dated = frame.columns.exchanges.dated[exchange] == 1
    days = _distinct(direction[dated], frame.columns.exchanges.first_day[exchange[dated]], size)
    undated = _distinct(tie[~dated], exchange[~dated], len(ties))
    rows = []
    for index, key in enumerate(ties.tolist()):
        one, other = divmod(key, frame.size)
        there, back = 2 * index, 2 * index + 1
        if amounts[back] > amounts[there]:
            one, other, there, back = other, one, back, there
        rows.append(
            Pair(
                giver_id=frame.names[one],
                receiver_id=frame.names[other],
                given=int(amounts[there]),
                received=int(amounts[back]),
                given_count=int(counts[there]),
                received_count=int(counts[back]),
                given_days=int(days[there]),
                received_days=int(days[back]),
                undated_count=int(undated[index]),
            )
        )
    coverage = frame.coverage(question, inside)
    return Answer(_chosen(frame, question, rows), coverage, warnings_for(question, coverage))


def _amounts(frame: Frame, question: Question) -> Ints:
    """Millionths of each leg; under full the whole quantity, on the first leg of its edge."""
    full = question.allocation is Allocation.FULL
    amounts: Ints = np.full_like(frame.giver, MILLION)
    if question.lens is not Lens.COUNT:
        whole = frame.quantities(question.lens)[frame.exchange] * MILLION
        amounts = whole if full else np.maximum(frame.shares[question.lens], 0)
    if full:
        amounts[~frame.first_of_edge] = 0
    return amounts


def _distinct(index: Ints, values: Ints, size: int) -> Ints:
    """How many different values stand at each index."""
    if not len(values):
        return np.zeros(size, dtype=np.int64)
    span = int(values.max() - values.min()) + 1
    keys = np.unique(index * span + (values - values.min()))
    return np.bincount(keys // span, minlength=size)


def _chosen(frame: Frame, question: Question, rows: list[Pair]) -> list[Pair]:
    chosen = frame.chosen(question)
    if chosen:
        rows = [row for row in rows if row.giver_id in chosen or row.receiver_id in chosen]
    return sorted(rows, key=lambda row: (row.giver_id, row.receiver_id))
