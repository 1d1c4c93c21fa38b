"""What each organization gave and received."""

import numpy as np

from services.ledger.allocation import MILLION
from services.ledger.question import Answer, Balance, Question, warnings_for
from services.ledger.words import Allocation, Lens
from services.network.columns import Flags, Ints
from services.network.frame import Frame, exact_sums, firsts


def balances(frame: Frame, question: Question, including: str = "") -> Answer[Balance]:
    """One row for each organization of the population and each other party, by id.

    `including` names one more, whether or not it is in the population or the window. Raises
    QuestionImpossible for allocation full, which has no totals.
    """
    question.require_totals()
    inside = frame.inside(question)
    size = frame.size
    once = question.allocation is Allocation.ONCE
    given = _totals(frame, question, inside, frame.giver, frame.recorded_giver)
    received = _totals(frame, question, inside, frame.receiver, frame.recorded_receiver)
    unknown = inside & frame.unknown(question.lens)
    if question.lens is Lens.COUNT:
        unknown = np.zeros_like(unknown)
    giving = frame.giving.count(unknown, size)
    taking = frame.taking.count(unknown, size)
    directed = frame.directed.count(inside, size)
    joint = frame.joint.count(inside, size)
    no_giver = once and question.lens in (Lens.ATTENTION, Lens.BENEFIT)
    no_receiver = once and question.lens is Lens.BURDEN
    rows = [
        Balance(
            organization_id=name,
            given=None if no_giver else int(given[index]),
            received=None if no_receiver else int(received[index]),
            directed_count=int(directed[index]),
            exchange_count=int(directed[index] + joint[index]),
            given_unknown_count=int(giving[index]),
            received_unknown_count=int(taking[index]),
            joint_count=int(joint[index]),
            has_net=not once,
        )
        for index, name in _rows(frame, question, inside, including)
    ]
    coverage = frame.coverage(question, inside)
    return Answer(rows, coverage, warnings_for(question, coverage))


def _rows(frame: Frame, question: Question, inside: Flags, including: str) -> list[tuple[int, str]]:
    population = frame.population(question) | {including}
    active = frame.parties.count(inside, frame.size) > 0
    chosen = frame.chosen(question)
    return [
        (index, name)
        for index, name in enumerate(frame.names)
        if (active[index] or name in population) and (not chosen or name in chosen)
    ]


def _totals(
    frame: Frame, question: Question, inside: Flags, organization: Ints, recorded: Ints
) -> Ints:
    """Millionths by organization on one side of the legs.

    Once differs from split only under count: a party counts 1 however many were on the other side.
    On the side that bears minutes, the shares of split add up to what once lays there.
    """
    kept = inside[frame.exchange]
    if question.lens is not Lens.COUNT:
        amounts = np.maximum(frame.shares[question.lens], 0)
        return exact_sums(organization[kept], amounts[kept], frame.size)
    if question.allocation is Allocation.ONCE:
        key = frame.exchange * (len(frame.columns.ids) + 1) + recorded
        kept = kept & firsts(key)
    return np.bincount(organization[kept], minlength=frame.size) * MILLION
