"""Positions: how far an answer has read which log. Opaque to callers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.ledger.errors import ForeignPositionError, InvalidPositionError

_FORM: Final = re.compile(r"([0-9a-f]{32})\.([0-9]{1,6})\.([0-9]{1,18})")


# decision 0045: a programme lies in one partition
@dataclass(frozen=True, slots=True)
class Position:
    """Everything before `next_offset` in one partition of one log."""

    log_id: str
    partition: int
    next_offset: int

    def __str__(self) -> str:
        return f"{self.log_id}.{self.partition}.{self.next_offset}"


# decision 0083: a restored log is a new log
def parse_position(text: str, *, log_id: str, origins: Mapping[str, int]) -> Position:
    """Parses a position of this log.

    A position of a log that this one was restored from is valid up to the backup; see
    `ports.ReadableLog.origins`. Raises InvalidPositionError, or ForeignPositionError for others.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise InvalidPositionError(
            "the position is not one that mutua gave", remedy="leave it out or ask again"
        )
    position = Position(log_id, int(match[2]), int(match[3]))
    if match[1] == log_id:
        return position
    if match[1] not in origins:
        raise ForeignPositionError(
            "the position is of another log: this server reads a different one",
            remedy="leave it out, or ask again and use the position of that answer",
        )
    if position.next_offset > origins[match[1]]:
        raise ForeignPositionError(
            "the position is of a fact that was recorded after the backup from which this log was "
            "restored, and is lost",
            remedy="record it again, and go on from the position of that",
        )
    return position
