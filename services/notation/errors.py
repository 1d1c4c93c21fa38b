"""Errors for texts that cannot be read."""

from typing import Final

from services.ledger.errors import MutuaError

TIME_FORMS: Final = (
    "write 2024-05-31T14:30:00Z for an instant, 2024-05-31 for a day, "
    "2024-05 for a month, 2024-Q2 for a quarter"
)


class NotationError(MutuaError):
    """A text cannot be read. The message follows the text: why, and what to write instead.

    `field` names the field of the text, "" when it is the one that the caller reads.
    """

    def __init__(self, problem: str, *, field: str = "", remedy: str = "") -> None:
        super().__init__(problem, remedy=remedy)
        self.field = field


class WordError(NotationError):
    """A word is unknown. One remedy fixes it in every row that has it."""


class WorkingDayError(WordError):
    """A duration is in working days, and the programme does not define their length."""

    def __init__(self) -> None:
        super().__init__(
            "needs to know how long a working day is: mutua programme set --working-day-minutes 450"
        )


class DateOrderError(MutuaError):
    """A date can be read day first or month first, and no order is set."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} may be day/month or month/day: write 2024-05-31, or say --date-order"
        )
        self.text = text
