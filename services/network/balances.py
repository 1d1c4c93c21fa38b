"""Balances: what each organization gave and received."""

from typing import NamedTuple

import numpy as np

from services.ledger.enums import Allocation, Lens
from services.ledger.question import (
    MANY_UNKNOWN,
    MIN_DIRECTED_EXCHANGES,
    Answer,
    Balance,
    Question,
    has_many_unknown,
)
from services.network.column_table import Flags, Ints
from services.network.directed_sums import DirectedSums, sum_leads, sum_legs
from services.network.identity_view import IdentityView
from services.network.lazy_rows import Column, LazyRows
from services.network.ties import GIVER_LEADS, RECEIVER_LEADS


def compute_balances(
    view: IdentityView, question: Question, additional_id: str = ""
) -> Answer[Balance]:
    """Returns one row for each organization of the population and each other party, by id.

    `additional_id` adds the row of one more organization. Raises ImpossibleQuestionError under
    allocation full, which has no totals.
    """
    question.require_totals()
    mask = view.select_exchanges(question)
    totals = compute_totals(view, question, mask, sum_legs(view, question, mask))
    isolates = view.find_isolates(question, totals.is_party)
    has_row = view.find_row_organizations(question, totals.is_party)
    if additional_id:
        has_row[view.index.numbers[additional_id]] = True
    requested = view.find_requested_organizations(question)
    if requested is not None:
        has_row &= requested
    coverage = view.compute_coverage(question, mask)
    warnings = view.find_warnings(question, coverage, mask)
    numbers = sort_by_id(view, has_row)
    rows = _rows(view, question, totals, isolates, numbers, is_vague=MANY_UNKNOWN in warnings)
    return Answer(rows, coverage, warnings)


class Totals(NamedTuple):
    """Sums by number of the organization; an exchange counts once, amounts are millionths."""

    given: Ints
    received: Ints
    given_count: Ints
    received_count: Ints
    joint_count: Ints
    given_unknown_count: Ints
    received_unknown_count: Ints
    is_party: Flags
    """Party to any exchange, also to an internal one."""

    @property
    def directed_count(self) -> Ints:
        return self.given_count + self.received_count

    @property
    def exchange_count(self) -> Ints:
        return self.directed_count + self.joint_count


def compute_totals(
    view: IdentityView, question: Question, mask: Flags, sums: DirectedSums
) -> Totals:
    """Returns the totals of every organization."""
    size, internal = view.size, view.ties.internal
    giver, receiver = view.direction_ends

    def of(end: Ints, values: Ints) -> Ints:
        amounts = np.zeros(size, dtype=np.int64)
        np.add.at(amounts, end, values)
        amounts[0] = 0
        return amounts

    giving = of(giver, sum_leads(sums.legs, GIVER_LEADS))
    taking = of(receiver, sum_leads(sums.legs, RECEIVER_LEADS))
    given, received = of(giver, sums.amounts), of(receiver, sums.amounts)
    if question.allocation is Allocation.ONCE and question.lens is Lens.COUNT:
        # Minutes lie on the same organizations as under split; counts give 1 to each party.
        given = of(giver, sum_leads(sums.place_amounts, GIVER_LEADS))
        received = of(receiver, sum_leads(sums.place_amounts, RECEIVER_LEADS))
    joint = np.bincount(
        view.ties.joint.organization[mask[view.columns.joint.exchange]], minlength=size
    )
    joint[0] = 0
    party = giving + taking + joint > 0
    party[internal.member[mask[internal.exchange]]] = True
    return Totals(
        given=given,
        received=received,
        given_count=giving,
        received_count=taking,
        joint_count=joint,
        given_unknown_count=of(giver, sum_leads(sums.unknown_legs, GIVER_LEADS)),
        received_unknown_count=of(receiver, sum_leads(sums.unknown_legs, RECEIVER_LEADS)),
        is_party=party,
    )


def sort_by_id(view: IdentityView, has_row: Flags) -> Ints:
    """Returns the numbers of the flagged organizations, ascending by id."""
    numbers = np.flatnonzero(has_row)
    return numbers[np.argsort(view.index.rank[numbers])]


def _rows(
    view: IdentityView,
    question: Question,
    totals: Totals,
    isolates: Flags,
    numbers: Ints,
    *,
    is_vague: bool,
) -> LazyRows[Balance]:
    once = question.allocation is Allocation.ONCE
    no_giver = once and question.lens in (Lens.ATTENTION, Lens.BENEFIT)
    no_receiver = once and question.lens is Lens.BURDEN
    totals = Totals(*(each[numbers] for each in totals))
    given, received, isolate = totals.given, totals.received, isolates[numbers]
    absent = np.full(len(numbers), np.nan)
    nothing = np.full(len(numbers), None)
    columns: dict[str, Column] = {
        "organization_id": view.index.ids[numbers],
        "given": nothing if no_giver else given,
        "received": nothing if no_receiver else received,
        "given_count": totals.given_count,
        "received_count": totals.received_count,
        "given_unknown_count": totals.given_unknown_count,
        "received_unknown_count": totals.received_unknown_count,
        "joint_count": totals.joint_count,
        "has_net": np.full(len(numbers), not once),
        "answer_is_vague": np.full(len(numbers), is_vague),
        "isolate": isolate,
    }
    return LazyRows(
        Balance._make,
        [columns[name] for name in Balance._fields],
        columns
        | {
            "organization_id": view.index.rank[numbers],
            "given": absent if no_giver else given,
            "received": absent if no_receiver else received,
            "net": absent if once else given - received,
            "net_share": absent if once or is_vague else _net_share(totals),
            "exchange_count": totals.exchange_count,
            "isolate": isolate.astype(int),
        },
    )


def _net_share(totals: Totals) -> Column:
    """Returns `Balance.net_share` of every row, NaN where it is absent."""
    both = totals.given + totals.received
    vague = has_many_unknown(
        (totals.given_count, totals.given_unknown_count),
        (totals.received_count, totals.received_unknown_count),
    )
    is_present = (both > 0) & (totals.directed_count >= MIN_DIRECTED_EXCHANGES) & ~vague
    return np.where(is_present, (totals.given - totals.received) / np.maximum(both, 1), np.nan)
