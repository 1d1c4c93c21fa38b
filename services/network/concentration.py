"""Concentration: how far giving, and receiving, lie with a few organizations."""

from services.ledger.concentration import Concentration, SideFlow, measure_concentration
from services.ledger.enums import Allocation
from services.ledger.question import Answer, Question
from services.network.balances import compute_totals
from services.network.column_table import Flags, Ints
from services.network.directed_sums import sum_legs
from services.network.identity_view import IdentityView


def compute_concentration(view: IdentityView, question: Question) -> Answer[Concentration]:
    """Returns what `ledger.concentration.compute_concentration` does, from columns."""
    question.require_totals()
    mask = view.select_exchanges(question)
    sums = sum_legs(view, question, mask)
    totals = compute_totals(view, question, mask, sums)
    members = view.find_population(question, totals.is_party)
    members[0] = False  # number 0 is nobody
    giver, receiver = (members[each] for each in view.direction_ends)

    def flow(amounts: Ints, crossing: Flags) -> SideFlow:
        once = question.allocation is Allocation.ONCE
        spill_over = None if once else int(sums.amounts[crossing].sum())
        return SideFlow(amounts[members].tolist(), spill_over)

    coverage = view.compute_coverage(question, mask)
    warnings = view.find_warnings(question, coverage, mask)
    rows = measure_concentration(
        question,
        coverage,
        warnings,
        giving=flow(totals.given, giver & ~receiver),
        receiving=flow(totals.received, receiver & ~giver),
    )
    return Answer(rows, coverage, warnings)
