"""Pairs: what each two organizations gave each other, and the evidence that one gives more."""

import numpy as np

from services.ledger.question import Answer, Pair, Question
from services.measures.pair_evidence import weigh_evidence
from services.network.column_table import Flags, Ints
from services.network.columns import NO_DAY
from services.network.directed_sums import sum_legs
from services.network.identity_view import IdentityView
from services.network.lazy_rows import Column, LazyRows
from services.network.ties import LEADS_BITS


def compute_pairs(view: IdentityView, question: Question) -> Answer[Pair]:
    """Returns one row for each two organizations with a directed exchange.

    Rows ascend by giver and receiver id. Contact days are distinct UTC days in one direction, of
    exact and day precision only. Raises ImpossibleQuestionError under allocation once, which has no
    edges.
    """
    question.require_edges()
    mask = view.select_exchanges(question)
    coverage = view.compute_coverage(question, mask)
    rows = make_pair_rows(view, question, mask)
    return Answer(rows, coverage, view.find_warnings(question, coverage, mask))


def make_pair_rows(
    view: IdentityView, question: Question, mask: Flags, *, min_days: int = 0
) -> LazyRows[Pair]:
    """Returns the pairs of the exchanges in a mask that have `min_days` contact days or more.

    The family whose evidence is weighed together is every pair of the subset, whichever rows are
    requested.
    """
    sums = sum_legs(view, question, mask)
    counts, unknown = sums.exchanges, sums.unknown_exchanges
    days, undated = _count_days(view, mask)
    both_days = days[::2] + days[1::2]
    family = np.flatnonzero(find_pairs(view, question, counts))
    evidence = weigh_evidence(np.maximum(days[::2], days[1::2])[family], both_days[family])
    place = np.zeros(len(both_days), dtype=np.intp)
    place[family] = np.arange(len(family))
    rows = family[both_days[family] >= min_days]
    requested = view.find_requested_organizations(question)
    if requested is not None:
        low, high = view.ties.pairs.low, view.ties.pairs.high
        rows = rows[requested[low[rows]] | requested[high[rows]]]
    there, pair = _direct(view, sums.amounts, rows)
    back = there ^ 1
    giver, receiver = view.direction_ends[0][there], view.direction_ends[1][there]
    given, received = sums.amounts[there], sums.amounts[back]
    informants = np.where(
        (counts[there] > 0) & (counts[back] > 0), _count_informants(view, mask)[pair], 0
    )
    measures = {name: values[place[pair]] for name, values in evidence._asdict().items()}
    columns: dict[str, Column] = {
        "giver_id": view.index.ids[giver],
        "receiver_id": view.index.ids[receiver],
        "given": given,
        "received": received,
        "given_count": counts[there],
        "received_count": counts[back],
        "given_days": days[there],
        "received_days": days[back],
        "undated_count": undated[pair],
        "given_unknown_count": unknown[there],
        "received_unknown_count": unknown[back],
        "informants": _omit(informants, informants == 0),
        **{name: _omit(values, np.isnan(values)) for name, values in measures.items()},
    }
    order_by: dict[str, Column] = {
        "giver_id": view.index.rank[giver],
        "receiver_id": view.index.rank[receiver],
        "net": given - received,
        "contact_days": both_days[pair],
        "direction_differs": ((days[there] < days[back]) & (given > received)).astype(int),
        "informants": np.where(informants == 0, np.nan, informants),
        **measures,
    }
    return LazyRows(Pair._make, [columns[name] for name in Pair._fields], columns | order_by)


def _omit(values: Column, is_absent: Flags) -> Column:
    """Returns the values with None where they are absent."""
    optional = values.astype(object)
    optional[is_absent] = None
    return optional


def find_pairs(view: IdentityView, question: Question, counts: Ints) -> Flags:
    """Flags the pairs with an exchange, between organizations of the subset."""
    has_exchange: Flags = counts[::2] + counts[1::2] > 0
    return has_exchange & view.find_subset_pairs(question)


def _direct(view: IdentityView, amounts: Ints, pair: Ints) -> tuple[Ints, Ints]:
    """Returns the direction in which each pair gave more, and the pair, by giver and receiver id.

    The direction is from the smaller id when both gave the same.
    """
    low, high = view.ties.pairs.low, view.ties.pairs.high
    rank = view.index.rank
    forth, back = amounts[2 * pair], amounts[2 * pair + 1]
    reverse = (back > forth) | ((back == forth) & (rank[high[pair]] < rank[low[pair]]))
    there = 2 * pair + reverse
    giver, receiver = view.direction_ends
    order = np.argsort(rank[giver[there]] * view.size + rank[receiver[there]])
    return there[order], pair[order]


def _count_informants(view: IdentityView, mask: Flags) -> Ints:
    """Returns by pair how many of the two reported an exchange of theirs; 1 when neither did."""
    giver, receiver = view.direction_ends
    has_reported = np.zeros((2, len(giver)), dtype=np.bool_)
    for legs, places, rows in view.iterate_placed_legs(mask):
        direction = places[rows] >> LEADS_BITS
        reporters = view.reporters.find_leg_reporters(
            legs.exchange[rows], giver[direction], receiver[direction]
        )
        for side, is_reporter in enumerate(reporters):
            has_reported[side, direction[is_reporter]] = True
    by_giver, by_receiver = has_reported
    # In the direction 2p the lower number gives, in 2p + 1 it receives.
    lower_reported = by_giver[::2] | by_receiver[1::2]
    higher_reported = by_receiver[::2] | by_giver[1::2]
    return np.maximum(1, lower_reported.astype(np.int64) + higher_reported)


def _count_days(view: IdentityView, mask: Flags) -> tuple[Ints, Ints]:
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
