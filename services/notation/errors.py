"""Why a text cannot be read."""

from typing import Final

TIME_FORMS: Final = (
    "write 2024-05-31T14:30:00Z for an instant, 2024-05-31 for a day, "
    "2024-05 for a month, 2024-Q2 for a quarter"
)


class NotationError(Exception):
    """A text that cannot be read: why, and what to write instead; the message follows the text.

    `field` is the field of the text, if it is not the one being read.
    """

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class WordError(NotationError):
    """An unknown word, which one remedy mends in every row that has it."""


class WorkingDayError(WordError):
    """A duration in working days, whose length the programme does not define."""

    def __init__(self) -> None:
        super().__init__(
            "needs to know how long a working day is: mutua programme set --working-day-minutes 450"
        )


class DateOrderError(Exception):
    """A date that can be read day first or month first, without an order."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} may be day/month or month/day: write 2024-05-31, or say --date-order"
        )
        self.text = text
