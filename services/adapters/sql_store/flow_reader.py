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

_DAY_EXCESS: Final = 1 << 20
"""Makes days of any year positive; _DAY_BITS hold the result."""
_DAY_BITS: Final = 22
_MINUTE_BITS: Final = 31
_WORD_BITS: Final = 8
"""Of a word of the contract, such as a kind."""
_PERIOD_BITS: Final = 8
"""A quarter has at most 92 days."""
_EMPTY_COLUMN: Final = np.empty(0, dtype=np.int64)
_PARTIES: Final = ("giver", "receiver", "party")
_REVISED: Final = "exchange WHERE programme = ? AND from_offset >= ? AND revision > 0"
"""Exchanges with a new revision that is not the first; served by the index on changes.

A condition that chose the older ones would make SQLite look through all of them instead.
"""


class _ChangedTables(NamedTuple):
    """Of what there is more than columns know."""

    parties: bool
    topics: bool
    revisions: bool
    """Of exchanges that they know, or of new ones."""
    versions: bool
    aliases: bool


class FlowReader:
    """What a programme's exchanges lack that columns at `from_offset` do not know yet."""

    def __init__(
        self,
        connection: Connection,
        programme: int,
        known: ColumnWatermark,
        next_offset: int,
        read_numbers: NumberReader,
    ) -> None:
        self._connection = connection
        self._read_numbers = read_numbers
        self._programme = programme
        self._known = known
        self._from_offset = known.next_offset
        self._exchange = {"exchange": PackedField("exchange", next_offset.bit_length())}

    def read(self, programme_id: str) -> FlowRows:
        news = self._find_changed_tables()
        parties = self._parties() if news.parties else []
        party_bits = (self._known.party_count + len(parties)).bit_length()
        topic_sets = self._topic_sets() if news.topics else {}
        topic_set_bits = (self._known.topic_set_count + len(topic_sets)).bit_length()
        replaced = self._replaced() if self._from_offset and news.revisions else _EMPTY_COLUMN
        exchanges = self._table(
            f"exchange WHERE to_offset IS NULL AND state <> {RevisionState.RETRACTED:d}",
            _fields_of_exchanges(party_bits, topic_set_bits),
            replaced,
        )
        exchanges["end_day"] += exchanges["first_day"]
        legs = self._table("leg WHERE true", _ends(party_bits, "giver", "receiver"), replaced)
        joint = self._table("joint_party WHERE true", _ends(party_bits, "party"), replaced)
        return FlowRows(
            parties=parties,
            topic_sets=topic_sets,
            organizations=self._organizations(programme_id) if news.versions else [],
            aliases=self._aliases() if news.aliases else [],
            exchanges=ExchangeColumns(*exchanges.values()),
            legs=LegColumns(*legs.values()),
            joint=JointColumns(*joint.values()),
            replaced=replaced,
        )

    def _find_changed_tables(self) -> "_ChangedTables":
        """One question, so that what seldom changes is not asked for in vain each time."""
        party, topic, exchange = PartyRow.table().c, TopicRow.table().c, ExchangeRow.table().c
        version, alias = OrganizationVersionRow.table().c, AliasRow.table().c
        known, start = self._known, self._from_offset
        bound = select(func.count()).where(alias.programme == self._programme)
        asked = select(
            self._any(party, party.party >= known.party_count),
            self._any(topic, topic.topic_set > known.topic_set_count),
            self._any(exchange, exchange.from_offset >= start, exchange.revision > 0),
            self._any(version, version.from_offset >= start),
            # All of them, as some take effect long after they were said.
            bound.scalar_subquery() != known.alias_count,
        )
        return _ChangedTables(*self._rows(asked)[0])

    def _any(self, columns: Any, *conditions: Any) -> Any:
        return exists().where(columns.programme == self._programme, *conditions)

    def _parties(self) -> list[str]:
        party = PartyRow.table().c
        found = select(party.organization_id).where(
            party.programme == self._programme, party.party >= self._known.party_count
        )
        return [row[0] for row in self._rows(found.order_by(party.party))]

    def _table(
        self, standing: str, fields: Mapping[str, PackedField], replaced: IntColumn
    ) -> dict[str, IntColumn]:
        """The number of the exchange and the fields, of exchanges that are new or were replaced."""
        parties = [name for name in fields if name in _PARTIES]
        fields = {**self._exchange, **fields}
        source = f"{standing} AND programme = ? AND exchange"
        values = [self._programme, self._from_offset]
        parts = [self._columns(fields, f"{source} >= ?", values)]
        if len(replaced):
            revised = f"{source} IN (SELECT exchange FROM {_REVISED})"
            found = self._columns(fields, revised, [self._programme, *values])
            older = found["exchange"] < self._from_offset
            parts.append({name: column[older] for name, column in found.items()})
        return merge_sorted(parts, ["exchange", *parties])

    def _replaced(self) -> IntColumn:
        values = (self._programme, self._from_offset)
        revised = self._columns(self._exchange, _REVISED, values)["exchange"]
        return np.unique(revised[revised < self._from_offset])

    def _columns(
        self, fields: Mapping[str, PackedField], source: str, values: Sequence[int]
    ) -> dict[str, IntColumn]:
        return read_columns(self._connection, fields, source, values, self._read_numbers)

    def _topic_sets(self) -> dict[int, tuple[str, ...]]:
        topic = TopicRow.table().c
        found = defaultdict[int, tuple[str, ...]](tuple)
        for number, name in self._rows(
            select(topic.topic_set, topic.topic)
            .where(
                topic.programme == self._programme, topic.topic_set > self._known.topic_set_count
            )
            .order_by(topic.topic_set, topic.topic)
        ):
            found[number] += (name,)
        return found

    def _organizations(self, programme_id: str) -> list[Organization]:
        """The newest versions of organizations that have a new one."""
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
            _organization(row[0], programme_id)
            for row in self._rows(contents.order_by(version.organization_id))
        ]

    def _aliases(self) -> list[tuple[str, str]]:
        alias = AliasRow.table().c
        bound = select(alias.alias, alias.organization_id).where(alias.programme == self._programme)
        return [(row[0], row[1]) for row in self._rows(bound.order_by(alias.alias))]

    def _rows(self, statement: Select[Any]) -> list[Any]:
        return list(self._connection.execute(statement))


def _fields_of_exchanges(party_bits: int, topic_set_bits: int) -> dict[str, PackedField]:
    """Those of `ports.ExchangeColumns`, in its order; end_day as days after first_day."""
    return {
        "first_day": PackedField(f"first_day + {_DAY_EXCESS}", _DAY_BITS, excess=_DAY_EXCESS),
        "end_day": PackedField("end_day - first_day", _PERIOD_BITS),
        "kind": PackedField("kind", _WORD_BITS),
        "formality": PackedField("formality", _WORD_BITS),
        "reported_by": PackedField("reported_by", _WORD_BITS),
        "symmetric": PackedField('CAST("symmetric" AS integer)', 1),
        "topic_set": PackedField("topic_set", topic_set_bits),
        "recorder": _or_unknown("recorder", party_bits),
        "giver_minutes": _or_unknown("giver_minutes", _MINUTE_BITS),
        "receiver_minutes": _or_unknown("receiver_minutes", _MINUTE_BITS),
        "benefit_minutes": _or_unknown("benefit_minutes", _MINUTE_BITS),
    }


def _ends(bits: int, *names: str) -> dict[str, PackedField]:
    return {name: PackedField(name, bits) for name in names}


def _or_unknown(column: str, bits: int) -> PackedField:
    """-1 stands for NULL."""
    return PackedField(f"coalesce({column} + 1, 0)", bits, excess=1)


def _organization(content: bytes, programme_id: str) -> Organization:
    event = read_record(0, 0, programme_id, content).event
    assert event is not None
    assert isinstance(event.fact, OrganizationRegistered | OrganizationUpdated)
    return event.fact.organization
