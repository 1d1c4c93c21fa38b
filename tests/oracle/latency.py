"""The oracle's turns: who gave first, and when the other side gave."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby, pairwise

from tests.oracle.selection import Selection, list_standing_exchanges

DAY = 86_400 * 1_000_000
NEVER = 10**18


@dataclass(frozen=True, slots=True, order=True)
class OracleTurn:
    """A turn of a pair; instants and lengths in microseconds."""

    pair: tuple[str, str]
    start: int
    length: int
    is_answered: bool


def list_turns(selection: Selection) -> list[OracleTurn]:
    """The turns of pairs of members, in no order. One exchange after the other is looked at."""
    members = selection.find_population()
    given: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for exchange in selection.directed:
        for giver in exchange.content.giver_ids:
            for receiver in exchange.content.receiver_ids:
                if {giver, receiver} <= members:
                    pair = min(giver, receiver), max(giver, receiver)
                    given.setdefault(pair, []).append((exchange.instant, giver))
    end = find_observation_end(selection)
    return [
        turn
        for pair, exchanges in given.items()
        for turn in _list_turns_of_pair(
            pair, exchanges, end, min(_find_close(selection, each) for each in pair)
        )
    ]


def find_observation_end(selection: Selection) -> int:
    last = max((each.instant for each in list_standing_exchanges(selection.ledger)), default=NEVER)
    return min(last, NEVER if selection.to_day == date.max else _to_instant(selection.to_day))


def survive(turns: list[OracleTurn], days: float) -> float:
    """The textbook's Kaplan-Meier estimate of the part of turns unanswered after some days."""
    chance = 1.0
    for length in sorted({each.length for each in turns if each.is_answered}):
        if length > days * DAY:
            break
        at_risk = sum(each.length >= length for each in turns)
        answered = sum(each.length == length and each.is_answered for each in turns)
        chance *= 1 - answered / at_risk
    return chance


def _list_turns_of_pair(
    pair: tuple[str, str], exchanges: list[tuple[int, str]], end: int, close: int
) -> list[OracleTurn]:
    observed = [each for each in exchanges if each[0] < close]
    observed.sort(key=lambda each: each[0])  # the log decides between equal instants
    runs = [next(run)[0] for _, run in groupby(observed, key=lambda each: each[1])]
    turns = [
        OracleTurn(pair, start, answer - start, is_answered=True)
        for start, answer in pairwise(runs)
    ]
    if runs:
        turns.append(OracleTurn(pair, runs[-1], min(end, close) - runs[-1], is_answered=False))
    return turns


def _find_close(selection: Selection, organization_id: str) -> int:
    closes = [
        _to_instant(date(each.close_date.year, each.close_date.month, each.close_date.day))
        if each.HasField("close_date")
        else NEVER
        for each in selection.ledger.roster.values()
        if each.role != "boundary" and selection.resolve_id(each.organization_id) == organization_id
    ]
    return max(closes, default=NEVER)


def _to_instant(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000
