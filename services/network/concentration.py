"""How far giving, and receiving, lie with a few."""

from services.ledger.concentration import Concentration, SideFlow, measure_concentration
from services.ledger.enums import Allocation
from services.ledger.question import Answer, Question
from services.network.balances import compute_totals
from services.network.column_table import Flags, Ints
from services.network.directed_sums import sum_legs
from services.network.identity_view import IdentityView


def compute_concentration(frame: IdentityView, question: Question) -> Answer[Concentration]:
    """See `ledger.concentration.concentration`."""
    question.require_totals()
    inside = frame.select_exchanges(question)
    sums = sum_legs(frame, question, inside)
    totals = compute_totals(frame, question, inside, sums)
    members = frame.find_population(question, totals.is_party)
    members[0] = False  # nobody
    giver, receiver = (members[each] for each in frame.direction_ends)

    def flow(amounts: Ints, crossing: Flags) -> SideFlow:
        once = question.allocation is Allocation.ONCE
        spill_over = None if once else int(sums.amounts[crossing].sum())
        return SideFlow(amounts[members].tolist(), spill_over)

    coverage = frame.compute_coverage(question, inside)
    warnings = frame.find_warnings(question, coverage, inside)
    rows = measure_concentration(
        question,
        coverage,
        warnings,
        giving=flow(totals.given, giver & ~receiver),
        receiving=flow(totals.received, receiver & ~giver),
    )
    return Answer(rows, coverage, warnings)
