"""What each organization gave and received."""

from typing import NamedTuple

import numpy as np

from services.ledger.allocation import MILLION
from services.ledger.question import FEW_EXCHANGES, Answer, Balance, Question
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
    shown = frame.shown(question, found.party)
    if including:
        shown[frame.known.numbers[including]] = True
    chosen = frame.choice(question)
    if chosen is not None:
        shown &= chosen
    coverage = frame.coverage(question, inside)
    rows = _rows(frame, question, found, by_name(frame, shown))
    return Answer(rows, coverage, frame.warnings(question, coverage, inside))


class Totals(NamedTuple):
    """By number of the organization; exchanges count once each, amounts are millionths."""

    given: Ints
    received: Ints
    directed_count: Ints
    joint_count: Ints
    given_unknown_count: Ints
    received_unknown_count: Ints
    party: Flags
    """Party to any exchange, also to one with itself."""

    @property
    def exchange_count(self) -> Ints:
        return self.directed_count + self.joint_count


def total(frame: Frame, question: Question, inside: Flags, sums: Sums) -> Totals:
    """What the sums come to for each organization."""
    size, again = frame.size, frame.ties.again
    giver, receiver = frame.ends
    unknown = inside & frame.unknown(question.lens)

    def of(end: Ints, values: Ints) -> Ints:
        amounts = np.zeros(size, dtype=np.int64)
        np.add.at(amounts, end, values)
        amounts[0] = 0
        return amounts

    gave = of(giver, of_leads(sums.legs, GIVER_LEADS))
    took = of(receiver, of_leads(sums.legs, RECEIVER_LEADS))
    gave_unknown = of(giver, of_leads(sums.unknown_legs, GIVER_LEADS))
    took_unknown = of(receiver, of_leads(sums.unknown_legs, RECEIVER_LEADS))
    giving, taking = (
        gave - again.giving.count(inside, size),
        took - again.taking.count(inside, size),
    )
    if question.lens is not Lens.COUNT:
        gave_unknown -= again.giving.count(unknown, size)
        took_unknown -= again.taking.count(unknown, size)
    given, received = of(giver, sums.amounts), of(receiver, sums.amounts)
    if question.allocation is Allocation.ONCE and question.lens is Lens.COUNT:
        # Whoever bears minutes has of split what once lays there; 1 goes to each recorded party.
        given, received = gave * MILLION, took * MILLION
    joint = np.bincount(
        frame.ties.joint.organization[inside[frame.columns.joint.exchange]], minlength=size
    )
    joint[0] = 0
    directed = giving + taking - again.both.count(inside, size)
    internal = again.internal.count(inside, size)
    return Totals(
        given,
        received,
        directed,
        joint,
        gave_unknown,
        took_unknown,
        directed + joint + internal > 0,
    )


def by_name(frame: Frame, shown: Flags) -> Ints:
    """The numbers shown, ascending by name."""
    numbers = np.flatnonzero(shown)
    return numbers[np.argsort(frame.known.rank[numbers])]


def _rows(frame: Frame, question: Question, found: Totals, numbers: Ints) -> Rows[Balance]:
    once = question.allocation is Allocation.ONCE
    no_giver = once and question.lens in (Lens.ATTENTION, Lens.BENEFIT)
    no_receiver = once and question.lens is Lens.BURDEN
    given, received, directed, joint, gave_unknown, took_unknown, _ = (
        each[numbers] for each in found
    )
    absent = np.full(len(numbers), np.nan)
    nothing = np.full(len(numbers), None)
    net, both = given - received, given + received
    isolate = np.zeros(len(numbers), dtype=np.bool_)
    share = np.where((both > 0) & (directed >= FEW_EXCHANGES), net / np.maximum(both, 1), np.nan)
    columns: dict[str, Column] = {
        "organization_id": frame.known.names[numbers],
        "given": nothing if no_giver else given,
        "received": nothing if no_receiver else received,
        "directed_count": directed,
        "exchange_count": directed + joint,
        "given_unknown_count": gave_unknown,
        "received_unknown_count": took_unknown,
        "joint_count": joint,
        "has_net": np.full(len(numbers), not once),
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
            "net": absent if once else net,
            "net_share": absent if once else share,
            "isolate": isolate.astype(int),
        },
    )
