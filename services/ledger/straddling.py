"""Straddling exchanges: their month or quarter is partly inside a window and partly outside.

The first instant of a period decides where an exchange is counted: in the window when the period
begins in it, else in the month or quarter that the window's first day lies in.
"""

from typing import NamedTuple

from services.ledger.enums import Precision
from services.ledger.question import Question
from services.ledger.state import Ledger
from services.ledger.times import find_period


class StraddlingCounts(NamedTuple):
    """Counts of straddling exchanges by where they count; fields of `Coverage`."""

    straddling_count: int = 0
    straddling_counted_count: int = 0
    straddling_month_count: int = 0
    straddling_quarter_count: int = 0


def count_straddling(ledger: Ledger, question: Question) -> StraddlingCounts:
    """Counts the straddling exchanges that match every filter but the window."""
    counted_here, elsewhere = 0, dict.fromkeys(Precision, 0)
    for history in ledger.histories.values():
        content_event, exchange = history.current.content_event, history.current.exchange
        assert content_event.occur_time is not None
        first, end = find_period(content_event.occur_time, content_event.occur_precision)
        is_wanted = question.matches(exchange.kind, exchange.formality, exchange.topics)
        if history.is_retracted or not is_wanted or not question.is_straddled_by(first, end):
            continue
        if question.is_in_window(first):
            counted_here += 1
        else:
            elsewhere[content_event.occur_precision] += 1
    months, quarters = elsewhere[Precision.MONTH], elsewhere[Precision.QUARTER]
    return StraddlingCounts(counted_here + months + quarters, counted_here, months, quarters)
