"""Pairs: what each two organizations gave each other."""

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


def compute_pairs(view: IdentityView, question: Question) -> Answer[Pair]:
    """Returns one row for each two organizations with a directed exchange.

    Rows ascend by giver and receiver id. Contact days are distinct UTC days in one direction, of
    exact and day precision only. Raises ImpossibleQuestionError under allocation once, which has no
    edges.
    """
    question.require_edges()
    mask = view.select_exchanges(question)
    sums = sum_legs(view, question, mask)
    counts, unknown = sums.exchanges, sums.unknown_exchanges
    days, undated = _days(view, mask)
    there, pair = _directions(
        view, counts, sums.amounts, view.find_requested_organizations(question)
    )
    back = there ^ 1
    giver, receiver = view.direction_ends[0][there], view.direction_ends[1][there]
    given, received = sums.amounts[there], sums.amounts[back]
    given_days, received_days = days[there], days[back]
    columns = {
        "giver_id": view.index.ids[giver],
        "receiver_id": view.index.ids[receiver],
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
            "giver_id": view.index.rank[giver],
            "receiver_id": view.index.rank[receiver],
            "net": given - received,
            "direction_differs": ((given_days < received_days) & (given > received)).astype(int),
        }
        | dict.fromkeys(_UNIMPLEMENTED_FIELDS, absent),
    )
    coverage = view.compute_coverage(question, mask)
    return Answer(rows, coverage, view.find_warnings(question, coverage, mask))


def _directions(
    view: IdentityView, counts: Ints, amounts: Ints, requested: Flags | None
) -> tuple[Ints, Ints]:
    """Returns the direction in which each pair gave more, and the pair, by giver and receiver id.

    The direction is from the smaller id when both gave the same.
    """
    low, high = view.ties.pairs.low, view.ties.pairs.high
    rank = view.index.rank
    has_row = counts[::2] + counts[1::2] > 0
    has_row[0] = False  # legs of internal exchanges
    if requested is not None:
        has_row &= requested[low] | requested[high]
    pair = np.flatnonzero(has_row)
    forth, back = amounts[2 * pair], amounts[2 * pair + 1]
    reverse = (back > forth) | ((back == forth) & (rank[high[pair]] < rank[low[pair]]))
    there = 2 * pair + reverse
    giver, receiver = view.direction_ends
    order = np.argsort(rank[giver[there]] * view.size + rank[receiver[there]])
    return there[order], pair[order]


def _days(view: IdentityView, mask: Flags) -> tuple[Ints, Ints]:
    """Returns contact days by direction, and exchanges without a contact day by pair."""
    size = view.ties.direction_count
    first, last = view.columns.day_range
    bits = (last - first).bit_length()
    # One number holds direction and day, in 32 bits where they fit, because sorting takes longest.
    kind = np.int32 if size << bits <= np.iinfo(np.int32).max else np.int64
    undated = np.zeros(size, dtype=np.int64)
    contacts = [np.empty(0, dtype=kind)]
    for legs, place, rows in view.iterate_placed_legs(mask):
        direction: Ints = (place[rows] >> LEADS_BITS).astype(kind)
        days = legs.contact_day[rows]
        dated = days != NO_DAY
        without = np.flatnonzero(~dated)
        np.add.at(undated, direction[without].astype(np.intp), 1)
        contacts.append(np.compress(dated, (direction << bits) + (days - first).astype(kind)))
    contacts_by_day = np.sort(np.concatenate(contacts))
    is_first = np.ones(len(contacts_by_day), dtype=np.bool_)
    np.not_equal(contacts_by_day[1:], contacts_by_day[:-1], out=is_first[1:])
    contact_days = np.bincount(contacts_by_day[np.flatnonzero(is_first)] >> bits, minlength=size)
    return contact_days, undated[::2] + undated[1::2]
