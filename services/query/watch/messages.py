"""The messages of a watch: encoded once for all subscribers of a question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from propcache.api import cached_property

from mutua.v1.watch_service_pb2 import AnswerBasis, WatchEvent
from mutua.watched_rows import RowKey, WatchedRows
from services.query.watch.row_table import TableChange

BASIS: Final = "basis"
_LENGTH_DELIMITED: Final = 2


@dataclass(frozen=True)
class WatchMessage:
    """One message of a stream, in wire format.

    `resume_token` is "" unless the message is the last of a step.
    """

    event: WatchEvent.ValueType
    position: str
    resume_token: str
    content: bytes
    message_type: type[Message]

    @cached_property
    def message(self) -> Any:
        """The message, decoded for transports other than gRPC."""
        return self.message_type.FromString(self.content)


class MessageEncoder:
    """Encodes rows, and changes of rows as messages of one watch."""

    def __init__(self, message_type: type[Message], watched_rows: Iterable[WatchedRows]) -> None:
        fields: Any = message_type.DESCRIPTOR.fields_by_name
        self.message_type = message_type
        self.watched_rows = tuple(watched_rows)
        self._by_field = {rows.field: rows for rows in self.watched_rows}
        self._tags = {(BASIS, False): _make_tag(fields[BASIS])}
        for rows in self.watched_rows:
            self._tags[rows.field, False] = _make_tag(fields[rows.field])
            if rows.key_fields:
                self._tags[rows.field, True] = _make_tag(fields[rows.removed_field])

    def encode_rows(self, pages: Iterable[Any], basis: AnswerBasis) -> Mapping[RowKey, bytes]:
        """The rows of an answer by key, encoded; what it rests on is the row `basis`."""
        rows: dict[RowKey, bytes] = {(BASIS,): basis.SerializeToString()}
        for page in pages:
            for watched in self.watched_rows:
                field = watched.field
                page_rows = getattr(page, field) if watched.key_fields else [page]
                for row in page_rows:
                    rows[watched.key_of(row)] = row.SerializeToString()
        return rows

    def strip(self, key: RowKey, content: bytes) -> bytes:
        """The encoded row with only its key fields."""
        watched = self._by_field[str(key[0])]
        return watched.strip(watched.row_type.FromString(content)).SerializeToString()

    def encode(self, changes: Iterable[TableChange], **fields: Any) -> bytes:
        """A message with these changes and fields."""
        # A protobuf message is the concatenation of its fields, so rows need not be encoded again.
        parts = [self.message_type(**fields).SerializeToString()]
        for change in changes:
            parts.append(self._tags[str(change.key[0]), change.is_removed])
            parts.append(_varint(len(change.content)))
            parts.append(change.content)
        return b"".join(parts)


def _make_tag(field: FieldDescriptor) -> bytes:
    return _varint(field.number << 3 | _LENGTH_DELIMITED)


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
