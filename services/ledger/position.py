"""Positions: how far along which log an answer was read. Opaque to callers."""

import re
from dataclasses import dataclass
from typing import Final

from services.ledger.errors import PositionInvalid, PositionOfAnotherLog

_FORM: Final = re.compile(r"([0-9a-f]{32})\.([0-9]{1,6})\.([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Position:
    """Everything before `next_offset` in one partition of one log."""

    log_id: str
    partition: int
    next_offset: int

    def __str__(self) -> str:
        return f"{self.log_id}.{self.partition}.{self.next_offset}"


def parse_position(text: str, *, log_id: str) -> Position:
    """The position in `text`. Raises PositionInvalid or PositionOfAnotherLog."""
    form = _FORM.fullmatch(text)
    if form is None:
        raise PositionInvalid("the position is not one that mutua gave; leave it out or ask again")
    position = Position(form[1], int(form[2]), int(form[3]))
    if position.log_id != log_id:
        raise PositionOfAnotherLog(
            "the position is of another log; this server reads a different or a restored one"
        )
    return position
