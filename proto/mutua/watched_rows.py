"""The rows of every watch, and the key that identifies a row: what servers and clients share."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from google.protobuf.message import Message

from mutua.v1.analysis_service_pb2 import Reciprocity
from mutua.v1.query_service_pb2 import Balance, Edge, Exchange, GetStatusResponse, Node, Pair

Row = TypeVar("Row", bound=Message)
RowKey = tuple[Hashable, ...]


@dataclass(frozen=True, slots=True)
class WatchedRows:
    """The rows in one field of a watch's messages; none are `key_fields` of a watch of one row.

    Rows that are gone come in the field `removed_...`, with only their key fields.
    """

    field: str
    row_type: type[Message]
    key_fields: tuple[str, ...] = ()
    either_order: bool = False
    """Whether the values of the key fields identify a row in any order."""

    @property
    def removed_field(self) -> str:
        """The field of the rows that are gone."""
        return f"removed_{self.field}"

    def key_of(self, row: Message) -> RowKey:
        """The key, which starts with the field, so that it is unique in the whole answer."""
        values = [_to_hashable(getattr(row, name)) for name in self.key_fields]
        return (self.field, *(sorted(values) if self.either_order else values))

    def strip(self, row: Row) -> Row:
        """The row with only its key fields."""
        stripped = type(row)()
        for name in self.key_fields:
            value = getattr(row, name)
            if isinstance(value, Message):
                getattr(stripped, name).CopyFrom(value)
            else:
                setattr(stripped, name, value)
        return stripped


WATCHED_ROWS: Final[Mapping[str, tuple[WatchedRows, ...]]] = {
    "WatchBalances": (WatchedRows("balances", Balance, ("organization_id",)),),
    "WatchPairs": (WatchedRows("pairs", Pair, ("giver_id", "receiver_id"), either_order=True),),
    "WatchNetwork": (
        WatchedRows("nodes", Node, ("organization_id",)),
        WatchedRows("edges", Edge, ("giver_id", "receiver_id")),
    ),
    "WatchExchanges": (WatchedRows("exchanges", Exchange, ("exchange_id",)),),
    "WatchReciprocity": (WatchedRows("reciprocities", Reciprocity, ("report_view", "from_date")),),
    "WatchStatus": (WatchedRows("status", GetStatusResponse),),
}
"""The rows of every watch, by the name of its rpc."""
LISTS: Final = frozenset({"WatchExchanges"})
"""Watches of a list, which have no snapshot and whose rows nobody needs to keep."""


def _to_hashable(value: Any) -> Any:
    return value.SerializeToString() if isinstance(value, Message) else value
