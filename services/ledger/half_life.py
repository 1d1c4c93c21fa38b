"""Half-life: amounts of earlier exchanges count less, by halves."""

from typing import Final

from services.ledger.question import Question
from services.ledger.times import DAY, Instant

MAX_HALF_LIFE_DAYS: Final = 36_500


def find_end(question: Question) -> Instant:
    """Returns the instant at which amounts count whole: the end of the window, else of as_of."""
    day = question.as_of_day + 1 if question.to_day is None else question.to_day
    return day * DAY


def compute_weight(question: Question, occur_time: Instant) -> float:
    """Returns the part of its amount with which an exchange counts; 1 without a half-life."""
    if question.half_life_days is None:
        return 1.0
    age = max(0, find_end(question) - occur_time)
    return float(2.0 ** (-age / (question.half_life_days * DAY)))


def decay(amount: int, weight: float) -> int:
    """Returns that part of an amount, in whole millionths."""
    return round(amount * weight)
