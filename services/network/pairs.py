"""What each two organizations gave each other."""

from typing import Final

import numpy as np

from services.ledger.question import Answer, Pair, Question
from services.network.column_table import Flags, Ints
from services.network.columns import NO_DAY
from services.network.directed_sums import sum_legs
from services.network.identity_view import IdentityView
from services.network.lazy_rows import LazyRows
from services.network.ties import LEADS_BITS

_UNIMPLEMENTED_FIELDS: Final = ("p_value", "q_value", "interval_low", "interval_high", "informants")


def compute_pairs(frame: IdentityView, question: Question) -> Answer[Pair]:
    """One row for each two organizations with a directed exchange, by giver and receiver id.

    Contact days are distinct UTC days in one direction, of exact and day precision only. Raises
    ImpossibleQuestionError for allocation once, which has no edges.
    """
    question.require_edges()
    inside = frame.select_exchanges(question)
    sums = sum_legs(frame, question, inside)
    counts, unknown = sums.exchanges, sums.unknown_exchanges
    days, undated = _days(frame, inside)
    there, pair = _directions(
        frame, counts, sums.amounts, frame.find_requested_organizations(question)
    )
    back = there ^ 1
    giver, receiver = frame.direction_ends[0][there], frame.direction_ends[1][there]
    given, received = sums.amounts[there], sums.amounts[back]
    given_days, received_days = days[there], days[back]
    columns = {
        "giver_id": frame.index.ids[giver],
        "receiver_id": frame.index.ids[receiver],
        "given": given,
        "received": received,
        "given_count": counts[there],
        "received_count": counts[back],
        "given_days": given_days,
        "received_days": received_days,
        "undated_count": undated[pair],
        "given_unknown_count": unknown[there],
        "received_unknown_count": unknown[back],
    }
    absent = np.full(len(there), np.nan)
    rows = LazyRows(
        Pair._make,
        [columns[name] for name in Pair._fields],
        columns
        | {
            "giver_id": frame.index.rank[giver],
            "receiver_id": frame.index.rank[receiver],
            "net": given - received,
            "direction_differs": ((given_days < received_days) & (given > received)).astype(int),
        }
        | dict.fromkeys(_UNIMPLEMENTED_FIELDS, absent),
    )
    coverage = frame.compute_coverage(question, inside)
    return Answer(rows, coverage, frame.find_warnings(question, coverage, inside))


def _directions(
    frame: IdentityView, counts: Ints, amounts: Ints, chosen: Flags | None
) -> tuple[Ints, Ints]:
    """The direction in which each pair gave more, and the pair, by giver and receiver id.

    When both gave the same, from the smaller id.
    """
    low, high = frame.ties.pairs.low, frame.ties.pairs.high
    rank = frame.index.rank
    shown = counts[::2] + counts[1::2] > 0
    shown[0] = False  # what became internal
    if chosen is not None:
        shown &= chosen[low] | chosen[high]
    pair = np.flatnonzero(shown)
    forth, back = amounts[2 * pair], amounts[2 * pair + 1]
    reverse = (back > forth) | ((back == forth) & (rank[high[pair]] < rank[low[pair]]))
    there = 2 * pair + reverse
    giver, receiver = frame.direction_ends
    order = np.argsort(rank[giver[there]] * frame.size + rank[receiver[there]])
    return there[order], pair[order]


def _days(frame: IdentityView, inside: Flags) -> tuple[Ints, Ints]:
    """Contact days by direction, and exchanges without one by pair."""
    size = frame.ties.direction_count
    first, last = frame.columns.day_range
    bits = (last - first).bit_length()
    # A direction and a day in one number, half as wide where that is enough: sorting takes longest.
    kind = np.int32 if size << bits <= np.iinfo(np.int32).max else np.int64
    undated = np.zeros(size, dtype=np.int64)
    contacts = [np.empty(0, dtype=kind)]
    for legs, place, rows in frame.iterate_placed_legs(inside):
        direction: Ints = (place[rows] >> LEADS_BITS).astype(kind)
        days = legs.contact_day[rows]
        dated = days != NO_DAY
        without = np.flatnonzero(~dated)
        np.add.at(undated, direction[without].astype(np.intp), 1)
        contacts.append(np.compress(dated, (direction << bits) + (days - first).astype(kind)))
    found = np.sort(np.concatenate(contacts))
    is_first = np.ones(len(found), dtype=np.bool_)
    np.not_equal(found[1:], found[:-1], out=is_first[1:])
    contact_days = np.bincount(found[np.flatnonzero(is_first)] >> bits, minlength=size)
    return contact_days, undated[::2] + undated[1::2]
