"""What each organization gave and received."""

from typing import NamedTuple

import numpy as np

from services.ledger.allocation import MILLION
from services.ledger.question import (
    FEW_EXCHANGES,
    MANY_UNKNOWN,
    Answer,
    Balance,
    Question,
    many_unknown,
)
from services.ledger.words import Allocation, Lens
from services.network.frame import Frame
from services.network.rows import Column, Rows
from services.network.sums import Sums, add_up, of_leads
from services.network.table import Flags, Ints
from services.network.ties import GIVER_LEADS, RECEIVER_LEADS


def balances(frame: Frame, question: Question, including: str = "") -> Answer[Balance]:
    """One row for each organization of the population and each other party, by id.

    `including` names one more, whether or not it is in the population or the window. Raises
    QuestionImpossible for allocation full, which has no totals.
    """
    question.require_totals()
    inside = frame.inside(question)
    found = total(frame, question, inside, add_up(frame, question, inside))
    isolates = frame.isolates(question, found.party)
    shown = frame.shown(question, found.party)
    if including:
        shown[frame.known.numbers[including]] = True
    chosen = frame.choice(question)
    if chosen is not None:
        shown &= chosen
    coverage = frame.coverage(question, inside)
    warnings = frame.warnings(question, coverage, inside)
    numbers = by_name(frame, shown)
    rows = _rows(frame, question, found, isolates, numbers, is_vague=MANY_UNKNOWN in warnings)
    return Answer(rows, coverage, warnings)


class Totals(NamedTuple):
    """By number of the organization; exchanges count once each, amounts are millionths."""

    given: Ints
    received: Ints
    given_count: Ints
    received_count: Ints
    joint_count: Ints
    given_unknown_count: Ints
    received_unknown_count: Ints
    party: Flags
    """Party to any exchange, also to an internal one."""

    @property
    def directed_count(self) -> Ints:
        return self.given_count + self.received_count

    @property
    def exchange_count(self) -> Ints:
        return self.directed_count + self.joint_count


def total(frame: Frame, question: Question, inside: Flags, sums: Sums) -> Totals:
    """What the sums come to for each organization."""
    size, internal = frame.size, frame.ties.internal
    giver, receiver = frame.ends

    def of(end: Ints, values: Ints) -> Ints:
        amounts = np.zeros(size, dtype=np.int64)
        np.add.at(amounts, end, values)
        amounts[0] = 0
        return amounts

    giving = of(giver, of_leads(sums.legs, GIVER_LEADS))
    taking = of(receiver, of_leads(sums.legs, RECEIVER_LEADS))
    given, received = of(giver, sums.amounts), of(receiver, sums.amounts)
    if question.allocation is Allocation.ONCE and question.lens is Lens.COUNT:
        # Minutes lie on the same organizations as under split; counts give 1 to each party.
        given, received = giving * MILLION, taking * MILLION
    joint = np.bincount(
        frame.ties.joint.organization[inside[frame.columns.joint.exchange]], minlength=size
    )
    joint[0] = 0
    party = giving + taking + joint > 0
    party[internal.member[inside[internal.exchange]]] = True
    return Totals(
        given=given,
        received=received,
        given_count=giving,
        received_count=taking,
        joint_count=joint,
        given_unknown_count=of(giver, of_leads(sums.unknown_legs, GIVER_LEADS)),
        received_unknown_count=of(receiver, of_leads(sums.unknown_legs, RECEIVER_LEADS)),
        party=party,
    )


def by_name(frame: Frame, shown: Flags) -> Ints:
    """The numbers shown, ascending by name."""
    numbers = np.flatnonzero(shown)
    return numbers[np.argsort(frame.known.rank[numbers])]


def _rows(
    frame: Frame,
    question: Question,
    totals: Totals,
    isolates: Flags,
    numbers: Ints,
    *,
    is_vague: bool,
) -> Rows[Balance]:
    once = question.allocation is Allocation.ONCE
    no_giver = once and question.lens in (Lens.ATTENTION, Lens.BENEFIT)
    no_receiver = once and question.lens is Lens.BURDEN
    totals = Totals(*(each[numbers] for each in totals))
    given, received, isolate = totals.given, totals.received, isolates[numbers]
    absent = np.full(len(numbers), np.nan)
    nothing = np.full(len(numbers), None)
    columns: dict[str, Column] = {
        "organization_id": frame.known.names[numbers],
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
    return Rows(
        Balance._make,
        [columns[name] for name in Balance._fields],
        columns
        | {
            "organization_id": frame.known.rank[numbers],
            "given": absent if no_giver else given,
            "received": absent if no_receiver else received,
            "net": absent if once else given - received,
            "net_share": absent if once or is_vague else _net_share(totals),
            "exchange_count": totals.exchange_count,
            "isolate": isolate.astype(int),
        },
    )


def _net_share(totals: Totals) -> Column:
    """See `Balance.net_share`; NaN where it is absent."""
    both = totals.given + totals.received
    vague = many_unknown(
        (totals.given_count, totals.given_unknown_count),
        (totals.received_count, totals.received_unknown_count),
    )
    is_said = (both > 0) & (totals.directed_count >= FEW_EXCHANGES) & ~vague
    return np.where(is_said, (totals.given - totals.received) / np.maximum(both, 1), np.nan)
