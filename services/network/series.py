"""The parts of a series: one for each calendar period of a window."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from services.ledger.errors import ImpossibleQuestionError
from services.ledger.periods import MAX_PERIODS, Period, Span, split_into_periods
from services.ledger.question import Answer, Question, Row
from services.measures.flow_graph import Flags
from services.network.identity_view import IdentityView


@dataclass(frozen=True, slots=True)
class SeriesAnswer(Answer[Row]):
    """Rows in order of time."""

    unplaced_count: int = 0
    """Exchanges known only to a period longer than those of the series, which leaves them out."""


def place_exchanges(view: IdentityView, mask: Flags, period: Period) -> tuple[Flags, int]:
    """The exchanges of a mask that belong to a period of the series, and the number of others."""
    placed = mask & view.fits_into(period)
    return placed, int(np.count_nonzero(mask & ~placed))


def list_parts(
    view: IdentityView, question: Question, mask: Flags, period: Period
) -> Iterator[tuple[Question, Span | None]]:
    """Yields the question of each part of a series, and its days; the whole without a period.

    An open end of the window is that of the exchanges in the mask. Raises ImpossibleQuestionError
    for more than MAX_PERIODS parts.
    """
    if period is Period.UNSPECIFIED:
        yield question, None
        return
    days = view.columns.exchanges.first_day[mask]
    if not len(days):
        return
    first = int(days.min()) if question.from_day is None else question.from_day
    end = int(days.max()) + 1 if question.to_day is None else question.to_day
    spans = list(split_into_periods(Span(first, end), period))
    if len(spans) > MAX_PERIODS:
        raise ImpossibleQuestionError(
            f"a series by {period.name.lower()} over this window has {len(spans):,} parts, more "
            f"than {MAX_PERIODS:,}",
            remedy="ask for longer periods or a shorter window",
        )
    for span in spans:
        yield replace(question, from_day=span.first, to_day=span.end), span
