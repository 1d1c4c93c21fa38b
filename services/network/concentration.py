"""How far giving, and receiving, lie with a few."""

from services.ledger.concentration import Concentration, Flow, measure
from services.ledger.question import Answer, Question
from services.ledger.words import Allocation
from services.network.balances import total
from services.network.frame import Frame
from services.network.sums import add_up
from services.network.table import Flags, Ints


def concentration(frame: Frame, question: Question) -> Answer[Concentration]:
    """See `ledger.concentration.concentration`."""
    question.require_totals()
    inside = frame.inside(question)
    sums = add_up(frame, question, inside)
    totals = total(frame, question, inside, sums)
    members = frame.population(question, totals.party)
    members[0] = False  # nobody
    giver, receiver = (members[each] for each in frame.ends)

    def flow(amounts: Ints, crossing: Flags) -> Flow:
        once = question.allocation is Allocation.ONCE
        spill_over = None if once else int(sums.amounts[crossing].sum())
        return Flow(amounts[members].tolist(), spill_over)

    coverage = frame.coverage(question, inside)
    warnings = frame.warnings(question, coverage, inside)
    rows = measure(
        question,
        coverage,
        warnings,
        giving=flow(totals.given, giver & ~receiver),
        receiving=flow(totals.received, receiver & ~giver),
    )
    return Answer(rows, coverage, warnings)
