"""Reciprocity of a programme, of a part of it, and as a series."""

from dataclasses import dataclass

from services.ledger.allocation import MILLION
from services.ledger.enums import Lens
from services.ledger.periods import Period, Span
from services.ledger.question import MANY_UNKNOWN, Question
from services.measures.flow_graph import Flags
from services.measures.reciprocity import Checkpoint, Reciprocity, measure_reciprocity
from services.network.identity_view import IdentityView
from services.network.member_flows import MemberFlows, find_blocks
from services.network.series import SeriesAnswer, list_parts, place_exchanges

NO_VERDICT = "NO_VERDICT"
"""The warning of an answer that says of no row whether reciprocity is above chance."""


@dataclass(frozen=True, slots=True)
class ReciprocityRow:
    """The reciprocity of one window; amounts in millionths."""

    span: Span | None
    """The days of the part of a series; None is the whole window of the question."""
    measures: Reciprocity
    flows: MemberFlows
    exchange_count: int
    """Directed exchanges between members."""


def compute_reciprocity(
    view: IdentityView,
    question: Question,
    *,
    period: Period = Period.UNSPECIFIED,
    seed: int = 0,
    checkpoint: Checkpoint = lambda: None,
) -> SeriesAnswer[ReciprocityRow]:
    """One row for the window, or one for each calendar period of it.

    Raises ImpossibleQuestionError under another allocation than split, and for a series of more
    than MAX_PERIODS parts.
    """
    mask = view.select_exchanges(question)
    coverage = view.compute_coverage(question, mask)
    warnings = view.find_warnings(question, coverage, mask)
    placed, unplaced_count = place_exchanges(view, mask, period)
    rows = [
        _compute_row(view, part, placed, span=span, seed=seed, checkpoint=checkpoint)
        for part, span in list_parts(view, question, placed, period)
    ]
    if all(row.measures.verdict is None for row in rows):
        warnings = tuple(sorted({*warnings, NO_VERDICT}))
    return SeriesAnswer(rows, coverage, warnings, unplaced_count)


def _compute_row(
    view: IdentityView,
    question: Question,
    placed: Flags,
    *,
    span: Span | None,
    seed: int,
    checkpoint: Checkpoint,
) -> ReciprocityRow:
    checkpoint()
    first_day = view.columns.exchanges.first_day
    mask = placed
    if span is not None:
        mask = placed & (first_day >= span.first) & (first_day < span.end)
    flows = MemberFlows.of(view, question, mask)
    coverage = view.compute_coverage(question, mask)
    is_vague = MANY_UNKNOWN in view.find_warnings(question, coverage, mask)
    blocks, exchange_count = find_blocks(view, question, mask, flows)
    measures = measure_reciprocity(
        flows.graph,
        blocks,
        unit=MILLION if question.lens is Lens.COUNT else 0,
        exchange_count=exchange_count,
        seed=seed,
        reasons=(MANY_UNKNOWN,) * is_vague,
        checkpoint=checkpoint,
    )
    return ReciprocityRow(span, measures, flows, exchange_count)
