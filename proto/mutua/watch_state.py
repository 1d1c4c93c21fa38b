"""What a watch has received: its messages become changes of rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from mutua.v1.watch_service_pb2 import (
    WATCH_EVENT_RESET,
    WATCH_EVENT_SNAPSHOT,
    WATCH_EVENT_SNAPSHOT_COMPLETE,
    AnswerBasis,
    WatchEvent,
)
from mutua.watched_rows import LISTS, WATCHED_ROWS, RowKey

Row = TypeVar("Row")

_OF_SNAPSHOT = (WATCH_EVENT_RESET, WATCH_EVENT_SNAPSHOT, WATCH_EVENT_SNAPSHOT_COMPLETE)


class WatchResponse(Protocol):
    """The fields of every message of a watch except its rows."""

    event: WatchEvent.ValueType
    position: str
    resume_token: str

    @property
    def time(self) -> Timestamp: ...

    @property
    def basis(self) -> AnswerBasis: ...


@dataclass(frozen=True, slots=True)
class AnswerChange(Generic[Row]):
    """How an answer changed; the first change of a watch has every row.

    `rows` are new or have changed, and `replaced` has for each of them the row before, None for a
    new one. `removed` are gone, as they were.
    All may be empty, if only `basis` changed: question, day, coverage and warnings. After it, the
    rows are those of the answer at `position`. `time` is when the server sent it, UTC.
    """

    rows: Sequence[Row]
    replaced: Sequence[Row | None]
    removed: Sequence[Row]
    basis: AnswerBasis
    position: str
    time: datetime
    is_first: bool = False
    is_progress: bool = False
    """Whether nothing changed but the position or the time."""


@dataclass(slots=True)
class _Step(Generic[Row]):
    """The rows of a step so far; a removed one has only its key fields."""

    rows: dict[RowKey, Row] = field(default_factory=dict)
    removed: dict[RowKey, Row] = field(default_factory=dict)

    def put(self, key: RowKey, row: Row) -> None:
        self.removed.pop(key, None)
        self.rows[key] = row

    def remove(self, key: RowKey, row: Row) -> None:
        self.rows.pop(key, None)
        self.removed[key] = row


class WatchState(Generic[Row]):
    """The rows of a watched answer by key, kept up to date with the messages of its streams.

    A snapshot after a reset becomes the difference to the rows that are held. A list keeps no rows.
    """

    def __init__(self, rpc: str) -> None:
        self._watched_rows = WATCHED_ROWS[rpc]
        self._is_list = rpc in LISTS
        self._rows: dict[RowKey, Row] = {}
        self.rows = MappingProxyType(self._rows)
        self.basis = AnswerBasis()
        self.position = ""
        self.resume_token = ""
        self._is_first = not self._is_list
        self.begin_stream()

    def begin_stream(self) -> None:
        """Forgets a step that the stream before did not complete."""
        self._step = _Step[Row]()
        self._step_basis: AnswerBasis | None = None
        self._is_snapshot = False

    def drop_token(self, request: Any) -> None:
        """Lets a request go on without its token, of another log or of a server without its key.

        A list has no snapshot with what was missed, so it goes on from its position: a server with
        another log refuses that.
        """
        request.resume_token = ""
        if self._is_list:
            request.after_position = self.position

    def take(self, message: Any) -> AnswerChange[Row] | None:
        """The change that a message completes; None if it completes none.

        A message of progress completes one too.
        """
        self._is_snapshot |= message.event in _OF_SNAPSHOT
        for watched in self._watched_rows:
            if not watched.key_fields:
                if message.HasField(watched.field):
                    row = getattr(message, watched.field)
                    self._step.rows[watched.key_of(row)] = row
                continue
            for row in getattr(message, watched.field):
                self._step.put(watched.key_of(row), row)
            for row in getattr(message, watched.removed_field):
                self._step.remove(watched.key_of(row), row)
        if message.HasField("basis"):
            self._step_basis = message.basis
        return self._complete_step(message) if message.resume_token else None

    def _complete_step(self, message: WatchResponse) -> AnswerChange[Row]:
        changed, removed = self._take_list() if self._is_list else self._update_rows()
        basis = self._step_basis or self.basis
        change = AnswerChange(
            rows=[row for row, _ in changed],
            replaced=[before for _, before in changed],
            removed=removed,
            basis=basis,
            position=message.position,
            time=message.time.ToDatetime(UTC),
            is_first=self._is_first,
            is_progress=not (changed or removed or self._is_first or basis != self.basis),
        )
        self.basis, self.position = basis, message.position
        self.resume_token = message.resume_token
        self._is_first = False
        self.begin_stream()
        return change

    def _update_rows(self) -> tuple[list[tuple[Row, Row | None]], list[Row]]:
        """Applies the step; returns the rows that changed, with those before, and removed ones."""
        if self._is_snapshot:
            removed_keys = self._rows.keys() - self._step.rows.keys()
        else:
            removed_keys = self._rows.keys() & self._step.removed.keys()
        removed = [self._rows.pop(key) for key in removed_keys]
        changed = [
            (row, self._rows.get(key))
            for key, row in self._step.rows.items()
            if self._rows.get(key) != row
        ]
        self._rows.update(self._step.rows)
        return changed, removed

    def _take_list(self) -> tuple[list[tuple[Row, Row | None]], list[Row]]:
        changed: list[tuple[Row, Row | None]] = [(row, None) for row in self._step.rows.values()]
        return changed, list(self._step.removed.values())
