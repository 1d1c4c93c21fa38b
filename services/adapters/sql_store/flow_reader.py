"""The rows that columns are made of; see `ports.Snapshot.flows`."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from sqlalchemy import Connection, Select, exists, func, select

from services.adapters.sql_store.packed_columns import (
    IntColumn,
    NumberReader,
    PackedField,
    merge_sorted,
    read_columns,
)
from services.adapters.sql_store.tables import (
    AliasRow,
    ExchangeRow,
    OrganizationVersionRow,
    PartyRow,
    TopicRow,
)
from services.adapters.wire.event import read_record
from services.ledger.enums import RevisionState
from services.ledger.flow_rows import (
    ColumnWatermark,
    ExchangeColumns,
    FlowRows,
    JointColumns,
    LegColumns,
)
from services.ledger.organization import (
    Organization,
    OrganizationRegistered,
    OrganizationUpdated,
)
from services.ledger.times import DAY

_DAY_EXCESS: Final = 1 << 20
"""Makes the days of any year positive; the result fits _DAY_BITS."""
_DAY_BITS: Final = 22
_TIME_BITS: Final = 37
"""A day has fewer than 2 ** 37 microseconds."""
_MINUTE_BITS: Final = 31
_ENUM_BITS: Final = 8
"""Bits of an enumeration of the contract, such as a kind."""
_PERIOD_BITS: Final = 8
"""A quarter has at most 92 days."""
_EMPTY_COLUMN: Final = np.empty(0, dtype=np.int64)
_PARTIES: Final = ("giver", "receiver", "party")
_REVISED: Final = "exchange WHERE programme = ? AND from_offset >= ? AND revision > 0"
"""Exchanges with a new revision that is not the first; the index on changes serves it.

With a condition on older exchanges, SQLite would scan all of them instead.
"""


class _ChangedTables(NamedTuple):
    """The kinds of rows that are newer than the columns."""

    parties: bool
    topics: bool
    revisions: bool
    """Revisions of exchanges in the columns, or of new ones."""
    versions: bool
    aliases: bool


class FlowReader:
    """Reads the rows that the columns of a programme lack."""

    def __init__(
        self,
        connection: Connection,
        programme: int,
        watermark: ColumnWatermark,
        next_offset: int,
        read_numbers: NumberReader,
    ) -> None:
        self._connection = connection
        self._read_numbers = read_numbers
        self._programme = programme
        self._watermark = watermark
        self._from_offset = watermark.next_offset
        self._exchange = {"exchange": PackedField("exchange", next_offset.bit_length())}

    def read(self, programme_id: str) -> FlowRows:
        changed = self._find_changed_tables()
        parties = self._read_parties() if changed.parties else []
        party_bits = (self._watermark.party_count + len(parties)).bit_length()
        topic_sets = self._read_topic_sets() if changed.topics else {}
        topic_set_bits = (self._watermark.topic_set_count + len(topic_sets)).bit_length()
        replaced = (
            self._read_replaced() if self._from_offset and changed.revisions else _EMPTY_COLUMN
        )
        exchanges = self._read_table(
            f"exchange WHERE to_offset IS NULL AND state <> {RevisionState.RETRACTED:d}",
            _make_exchange_fields(party_bits, topic_set_bits),
            replaced,
        )
        exchanges["occur_time"] += exchanges["first_day"] * DAY
        exchanges["end_day"] += exchanges["first_day"]
        legs = self._read_table(
            "leg WHERE true", _make_end_fields(party_bits, "giver", "receiver"), replaced
        )
        joint = self._read_table(
            "joint_party WHERE true", _make_end_fields(party_bits, "party"), replaced
        )
        return FlowRows(
            parties=parties,
            topic_sets=topic_sets,
            organizations=self._read_organizations(programme_id) if changed.versions else [],
            aliases=self._read_aliases() if changed.aliases else [],
            exchanges=ExchangeColumns(*exchanges.values()),
            legs=LegColumns(*legs.values()),
            joint=JointColumns(*joint.values()),
            replaced=replaced,
        )

    def _find_changed_tables(self) -> "_ChangedTables":
        """Finds the kinds with new rows in one query, because most kinds seldom change."""
        party, topic, exchange = PartyRow.table().c, TopicRow.table().c, ExchangeRow.table().c
        version, alias = OrganizationVersionRow.table().c, AliasRow.table().c
        watermark, start = self._watermark, self._from_offset
        statement = select(
            self._exists(party, party.party >= watermark.party_count),
            self._exists(topic, topic.topic_set > watermark.topic_set_count),
            self._exists(exchange, exchange.from_offset >= start, exchange.revision > 0),
            self._exists(version, version.from_offset >= start),
            self._exists(alias, alias.from_offset >= start),
        )
        return _ChangedTables(*self._fetch(statement)[0])

    def _exists(self, columns: Any, *conditions: Any) -> Any:
        return exists().where(columns.programme == self._programme, *conditions)

    def _read_parties(self) -> list[str]:
        party = PartyRow.table().c
        statement = select(party.organization_id).where(
            party.programme == self._programme, party.party >= self._watermark.party_count
        )
        return [row[0] for row in self._fetch(statement.order_by(party.party))]

    def _read_table(
        self, standing: str, fields: Mapping[str, PackedField], replaced: IntColumn
    ) -> dict[str, IntColumn]:
        """Reads the exchange number and the fields of new and replaced exchanges."""
        parties = [name for name in fields if name in _PARTIES]
        fields = {**self._exchange, **fields}
        source = f"{standing} AND programme = ? AND exchange"
        values = [self._programme, self._from_offset]
        parts = [self._read_columns(fields, f"{source} >= ?", values)]
        if len(replaced):
            revised = f"{source} IN (SELECT exchange FROM {_REVISED})"
            columns = self._read_columns(fields, revised, [self._programme, *values])
            older = columns["exchange"] < self._from_offset
            parts.append({name: column[older] for name, column in columns.items()})
        return merge_sorted(parts, ["exchange", *parties])

    def _read_replaced(self) -> IntColumn:
        values = (self._programme, self._from_offset)
        revised = self._read_columns(self._exchange, _REVISED, values)["exchange"]
        return np.unique(revised[revised < self._from_offset])

    def _read_columns(
        self, fields: Mapping[str, PackedField], source: str, values: Sequence[int]
    ) -> dict[str, IntColumn]:
        return read_columns(self._connection, fields, source, values, self._read_numbers)

    def _read_topic_sets(self) -> dict[int, tuple[str, ...]]:
        topic = TopicRow.table().c
        topic_sets = defaultdict[int, tuple[str, ...]](tuple)
        for number, name in self._fetch(
            select(topic.topic_set, topic.topic)
            .where(
                topic.programme == self._programme,
                topic.topic_set > self._watermark.topic_set_count,
            )
            .order_by(topic.topic_set, topic.topic)
        ):
            topic_sets[number] += (name,)
        return topic_sets

    def _read_organizations(self, programme_id: str) -> list[Organization]:
        """Returns the newest version of every organization with a new version."""
        version = OrganizationVersionRow.table().c
        newest = (
            select(version.organization_id, func.max(version.version).label("version"))
            .where(version.programme == self._programme, version.from_offset >= self._from_offset)
            .group_by(version.organization_id)
            .subquery()
        )
        contents = select(version.content).where(
            version.programme == self._programme,
            version.organization_id == newest.c.organization_id,
            version.version == newest.c.version,
        )
        return [
            _parse_organization(row[0], programme_id)
            for row in self._fetch(contents.order_by(version.organization_id))
        ]

    def _read_aliases(self) -> list[tuple[str, str]]:
        alias = AliasRow.table().c
        statement = select(alias.alias, alias.organization_id).where(
            alias.programme == self._programme
        )
        return [(row[0], row[1]) for row in self._fetch(statement.order_by(alias.alias))]

    def _fetch(self, statement: Select[Any]) -> list[Any]:
        return list(self._connection.execute(statement))


def _make_exchange_fields(party_bits: int, topic_set_bits: int) -> dict[str, PackedField]:
    """Returns the fields of `ExchangeColumns`, in its order.

    occur_time and end_day are relative to first_day, so that more fields share a number.
    """
    return {
        "occur_time": PackedField(f"occur_time - first_day * {DAY}", _TIME_BITS),
        "first_day": PackedField(f"first_day + {_DAY_EXCESS}", _DAY_BITS, excess=_DAY_EXCESS),
        "end_day": PackedField("end_day - first_day", _PERIOD_BITS),
        "kind": PackedField("kind", _ENUM_BITS),
        "formality": PackedField("formality", _ENUM_BITS),
        "reported_by": PackedField("reported_by", _ENUM_BITS),
        "symmetric": PackedField('CAST("symmetric" AS integer)', 1),
        "topic_set": PackedField("topic_set", topic_set_bits),
        "recorder": _make_nullable_field("recorder", party_bits),
        "giver_minutes": _make_nullable_field("giver_minutes", _MINUTE_BITS),
        "receiver_minutes": _make_nullable_field("receiver_minutes", _MINUTE_BITS),
        "benefit_minutes": _make_nullable_field("benefit_minutes", _MINUTE_BITS),
    }


def _make_end_fields(bits: int, *names: str) -> dict[str, PackedField]:
    return {name: PackedField(name, bits) for name in names}


def _make_nullable_field(column: str, bits: int) -> PackedField:
    """Returns a field that reads NULL as -1."""
    return PackedField(f"coalesce({column} + 1, 0)", bits, excess=1)


def _parse_organization(content: bytes, programme_id: str) -> Organization:
    event = read_record(0, 0, programme_id, content).event
    assert event is not None
    assert isinstance(event.fact, OrganizationRegistered | OrganizationUpdated)
    return event.fact.organization
