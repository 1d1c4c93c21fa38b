"""Concentration of giving and of receiving: Gini, Lorenz curve and share of the top three."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from enum import IntEnum
from itertools import accumulate
from typing import Final, NamedTuple

from services.ledger.enums import Allocation, Lens
from services.ledger.question import (
    MANY_UNKNOWN,
    MIN_DIRECTED_EXCHANGES,
    NO_KNOWN_AMOUNT,
    NOT_BORNE,
    TOO_FEW_EXCHANGES,
    Answer,
    Coverage,
    Question,
)
from services.ledger.reference_answers import (
    ResolvedExchange,
    compute_balances,
    find_population,
    select_exchanges,
)
from services.ledger.state import Ledger

METRIC_VERSION: Final = 1
"""Version of these definitions; numbers of different versions are not comparable."""
_TOP: Final = 3


class Direction(IntEnum):
    """The side of the flow that is measured."""

    GIVING = 1
    RECEIVING = 2


class Concentration(NamedTuple):
    """How one side of the flow is distributed; `total` in millionths, None is absent."""

    direction: Direction
    organization_count: int
    total: int | None = None
    gini: float | None = None
    """0 when all amounts are equal, nearly 1 when one organization has everything."""
    top_three_share: float | None = None
    lorenz: tuple[float, ...] = ()
    """Cumulative shares, ascending by amount, from no organization to all of them."""
    reasons: tuple[str, ...] = ()
    """Why there are no measures; () when there are."""
    spill_over: int | None = None
    """The part of `total` that went to, or came from, parties outside the population; in
    millionths, None where the allocation has no edges."""


class SideFlow(NamedTuple):
    """One side of the flow over a population, in millionths."""

    amounts: Sequence[int]
    """Amounts of every organization of the population, 0 included, in any order."""
    spill_over: int | None


def compute_concentration(ledger: Ledger, question: Question) -> Answer[Concentration]:
    """Returns giving, then receiving. Raises ImpossibleQuestionError for allocation full.

    Requested organizations change nothing, because they only restrict rows of organizations.
    """
    exchanges = list(select_exchanges(ledger, question))
    members = find_population(ledger, question, exchanges)
    answer = compute_balances(ledger, replace(question, organization_ids=()))
    rows = [row for row in answer.rows if row.organization_id in members]
    given, received = [row.given or 0 for row in rows], [row.received or 0 for row in rows]
    gave_outside, received_outside = _spill_over(exchanges, members, question)
    measured = measure_concentration(
        question,
        answer.coverage,
        answer.warnings,
        giving=SideFlow(given, gave_outside),
        receiving=SideFlow(received, received_outside),
    )
    return Answer(measured, answer.coverage, answer.warnings)


def measure_concentration(
    question: Question,
    coverage: Coverage,
    warnings: Collection[str],
    *,
    giving: SideFlow,
    receiving: SideFlow,
) -> list[Concentration]:
    """Returns the measures of both sides.

    They are absent under 5 directed exchanges, without an amount, where many minutes are unknown,
    and for a side on which the allocation lays nothing.
    """
    few = (TOO_FEW_EXCHANGES,) * (coverage.directed_count < MIN_DIRECTED_EXCHANGES)
    vague = (MANY_UNKNOWN,) * (MANY_UNKNOWN in warnings)
    return [
        _measure(direction, flow, few + vague)
        if _is_borne(question, direction)
        else Concentration(direction, len(flow.amounts), reasons=(NOT_BORNE,))
        for direction, flow in ((Direction.GIVING, giving), (Direction.RECEIVING, receiving))
    ]


def _spill_over(
    exchanges: list[ResolvedExchange], members: set[str], question: Question
) -> tuple[int | None, int | None]:
    """Returns what members gave to others, and what they received from others."""
    if question.allocation is Allocation.ONCE:
        return None, None
    gave = received = 0
    for leg in (leg for exchange in exchanges for leg in exchange.legs):
        amount = leg.amount(question.lens) or 0
        gave += amount if leg.giver_id in members and leg.receiver_id not in members else 0
        received += amount if leg.receiver_id in members and leg.giver_id not in members else 0
    return gave, received


def _measure(
    direction: Direction, flow: SideFlow, shared_reasons: tuple[str, ...]
) -> Concentration:
    """`shared_reasons` are why both sides have no measures."""
    count, sums = len(flow.amounts), _accumulate(flow.amounts)
    total = sums[-1]
    reasons = (NO_KNOWN_AMOUNT,) * (not total) + shared_reasons
    if reasons:
        return Concentration(direction, count, total, reasons=reasons, spill_over=flow.spill_over)
    return Concentration(
        direction,
        count,
        total,
        gini=compute_gini(flow.amounts),
        top_three_share=(total - sums[max(0, count - _TOP)]) / total,
        lorenz=tuple(each / total for each in sums),
        spill_over=flow.spill_over,
    )


def compute_gini(amounts: Sequence[int]) -> float | None:
    """The Gini coefficient of amounts, in [0, 1 - 1 / n]; None when all are 0.

    It is 0 when all are equal, and 1 - 1 / n when one of n has everything.
    """
    count, sums = len(amounts), _accumulate(amounts)
    if not sums[-1]:
        return None
    # Whole numbers until the division: twice the area between the curve and the diagonal.
    return ((count + 1) * sums[-1] - 2 * sum(sums)) / (count * sums[-1])


def _accumulate(amounts: Sequence[int]) -> list[int]:
    """The sums of the smallest amounts, from none of them to all."""
    return list(accumulate(sorted(amounts), initial=0))


def _is_borne(question: Question, direction: Direction) -> bool:
    """Whether the allocation lays anything on a side."""
    if question.allocation is not Allocation.ONCE or question.lens is Lens.COUNT:
        return True
    return (question.lens is Lens.BURDEN) == (direction is Direction.GIVING)
