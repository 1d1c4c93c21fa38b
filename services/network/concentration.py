"""How far giving, and receiving, lie with a few."""

from services.ledger.concentration import Concentration, measure
from services.ledger.question import Answer, Question
from services.network.balances import total
from services.network.frame import Frame
from services.network.sums import add_up


def concentration(frame: Frame, question: Question) -> Answer[Concentration]:
    """See `ledger.concentration.concentration`."""
    question.require_totals()
    inside = frame.inside(question)
    found = total(frame, question, inside, add_up(frame, question, inside))
    members = frame.population(question, found.party)[1:]  # 0 is nobody
    given, received = found.given[1:][members], found.received[1:][members]
    coverage = frame.coverage(question, inside)
    rows = measure(question, coverage, given.tolist(), received.tolist())
    return Answer(rows, coverage, frame.warnings(question, coverage, inside))
