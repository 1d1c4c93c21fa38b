"""Why a text cannot be read."""

from typing import Final

FORMS: Final = (
    "write 2024-05-31T14:30:00Z for an instant, 2024-05-31 for a day, "
    "2024-05 for a month, 2024-Q2 for a quarter"
)


class NotationError(Exception):
    """Why a text cannot be read, and what to write instead; the message follows the text.

    `field` is the field that the text stands in, where that differs from the one at hand.
    """

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class WordError(NotationError):
    """A word that is unknown wherever it stands, so that one remedy mends all its rows."""


class WorkingDayError(WordError):
    """A duration in working days, and nobody has said how long one is."""

    def __init__(self) -> None:
        super().__init__(
            "needs to know how long a working day is: mutua programme set --working-day-minutes 450"
        )


class DateOrderError(Exception):
    """A date can be read day first or month first, and nobody has said which."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} may be day/month or month/day: write 2024-05-31, or say --date-order"
        )
        self.text = text
