"""How long it takes until the other side gives: turns of pairs, out of columns."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.ledger.periods import Period, Span
from services.ledger.question import Question
from services.ledger.times import DAY, Instant
from services.measures.flow_graph import Flags
from services.measures.reciprocation_time import (
    MIN_PAIRS,
    ReciprocationTime,
    Turns,
    find_turns,
    measure_reciprocation_time,
)
from services.measures.reciprocity import Checkpoint
from services.network.column_table import Ints
from services.network.identity_view import IdentityView
from services.network.member_flows import Members, find_members
from services.network.series import SeriesAnswer, list_parts, place_exchanges
from services.network.ties import LEADS_BITS

MIN_TURNS: Final = 5
"""Minimum number of turns for any measure."""
TOO_FEW: Final = "TOO_FEW"
"""Fewer than MIN_TURNS turns."""
TOO_FEW_PAIRS: Final = "TOO_FEW_PAIRS"
"""Fewer than MIN_PAIRS pairs, so that there are no intervals."""
NOT_REACHED: Final = "NOT_REACHED"
"""Half of the turns are not answered in the time observed, so that there is no median."""
NOT_OBSERVED: Final = "NOT_OBSERVED"
"""No turn was observed for as long as a horizon, in the data or in a resample."""


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """The turns that opened in one window."""

    span: Span | None
    """The days of the part of a series; None is the whole window of the question."""
    end: Instant | None
    """Where observation ends; None without any exchange in the programme."""
    pair_count: int
    """Pairs with a turn."""
    turn_count: int
    answered_count: int
    time: ReciprocationTime | None
    """None with fewer than MIN_TURNS turns."""

    @property
    def censored_count(self) -> int:
        """Turns that were still open where their observation ends."""
        return self.turn_count - self.answered_count

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why measures are absent."""
        if self.time is None:
            return (TOO_FEW,)
        survival, has_pairs = self.time.survival, self.pair_count >= MIN_PAIRS
        measures = survival.unanswered + self.time.unanswered_intervals * has_pairs
        absent = {
            NOT_REACHED: survival.median is None,
            NOT_OBSERVED: None in measures,
            TOO_FEW_PAIRS: not has_pairs,
        }
        return tuple(reason for reason, is_so in absent.items() if is_so)


def compute_latency(
    view: IdentityView,
    question: Question,
    *,
    period: Period = Period.UNSPECIFIED,
    seed: int = 0,
    checkpoint: Checkpoint = lambda: None,
) -> SeriesAnswer[LatencyRow]:
    """One row for the window, or one for the turns that opened in each calendar period of it.

    Turns go on beyond the period in which they opened. Raises ImpossibleQuestionError under another
    allocation than split, and for a series of more than MAX_PERIODS parts.
    """
    mask = view.select_exchanges(question)
    coverage = view.compute_coverage(question, mask)
    placed, unplaced_count = place_exchanges(view, mask, period)
    end = find_observation_end(view, question)
    turns = find_member_turns(view, find_members(view, question, mask), placed, end)
    rows = []
    for _, span in list_parts(view, question, placed, period):
        checkpoint()
        part = turns if span is None else _select(turns, span)
        rows.append(
            LatencyRow(
                span,
                end,
                pair_count=len(np.unique(part.pair)),
                turn_count=len(part.pair),
                answered_count=int(np.count_nonzero(part.is_answered)),
                time=measure_reciprocation_time(part, seed=seed, checkpoint=checkpoint)
                if len(part.pair) >= MIN_TURNS
                else None,
            )
        )
    warnings = view.find_warnings(question, coverage, mask)
    return SeriesAnswer(rows, coverage, warnings, unplaced_count)


def find_observation_end(view: IdentityView, question: Question) -> Instant | None:
    """Where observation ends: with the window, or with the last exchange if that is earlier.

    The last exchange is that of the whole programme, whatever the filters. What may have happened
    after it has not been recorded yet, so a turn that is open then may have been answered since.
    """
    instants = view.columns.exchanges.occur_time[view.columns.is_standing]
    if not len(instants):
        return None
    last = int(instants.max())
    return last if question.to_day is None else min(last, question.to_day * DAY)


def find_member_turns(
    view: IdentityView, members: Members, mask: Flags, end: Instant | None
) -> Turns:
    """The turns of pairs of members in the exchanges of a mask.

    Pairs are numbered by the ids of their members, so that resamples do not depend on the order of
    the log.
    """
    columns, size = view.columns, len(members.numbers)
    giver, receiver = (members.place[each] for each in view.direction_ends)
    is_inside = (giver >= 0) & (receiver >= 0) & (giver != receiver)
    exchanges, directions = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for legs, places, rows in view.iterate_placed_legs(mask):
        direction = places[rows] >> LEADS_BITS
        inside = is_inside[direction]
        exchanges.append(legs.exchange[rows][inside])
        directions.append(direction[inside])
    exchange, direction = np.concatenate(exchanges), np.concatenate(directions)
    low, high = np.minimum(giver, receiver)[direction], np.maximum(giver, receiver)[direction]
    instant = columns.exchanges.occur_time[exchange]
    close = view.index.find_close_instants()[members.numbers]
    pair_end = np.minimum(close[low], close[high])
    order = np.lexsort((columns.list_numbers()[exchange], instant, low * size + high))
    order = order[instant[order] < pair_end[order]]  # a closed organization is not observed
    if end is not None:
        pair_end = np.minimum(pair_end, end)
    pair, is_forth = low * size + high, (giver < receiver)[direction]
    return find_turns(*(each[order] for each in (pair, is_forth, instant, pair_end)))


def _select(turns: Turns, span: Span) -> Turns:
    """The turns that opened in a span."""
    opened: Ints = turns.start // DAY
    rows = (opened >= span.first) & (opened < span.end)
    return Turns(turns.pair[rows], turns.start[rows], turns.days[rows], turns.is_answered[rows])
