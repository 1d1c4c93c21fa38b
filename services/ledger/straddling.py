"""Exchanges known only to a month or quarter that lies partly inside a window and partly outside.

The first instant of a period decides where an exchange is counted: in the window when the period
begins in it, else in the month or quarter that the window's first day lies in.
"""

from typing import NamedTuple

from services.ledger.question import Question
from services.ledger.state import Ledger
from services.ledger.times import period_days
from services.ledger.words import Precision


class Straddling(NamedTuple):
    """Counts of such exchanges by where they are counted; fields of `Coverage`."""

    straddling_count: int = 0
    straddling_counted_count: int = 0
    straddling_month_count: int = 0
    straddling_quarter_count: int = 0


def straddling(ledger: Ledger, question: Question) -> Straddling:
    """Counts the exchanges that pass every filter but the window."""
    counted_here, elsewhere = 0, dict.fromkeys(Precision, 0)
    for history in ledger.histories.values():
        said, exchange = history.current.said, history.current.exchange
        assert said.occur_time is not None
        first, end = period_days(said.occur_time, said.occur_precision)
        is_wanted = question.wants(exchange.kind, exchange.formality, exchange.topics)
        if history.retracted or not is_wanted or not question.cuts(first, end):
            continue
        if question.places(first):
            counted_here += 1
        else:
            elsewhere[said.occur_precision] += 1
    months, quarters = elsewhere[Precision.MONTH], elsewhere[Precision.QUARTER]
    return Straddling(counted_here + months + quarters, counted_here, months, quarters)
