"""The rows that columns are made of; see `ports.Snapshot.flows`."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    func,
    literal_column,
    select,
    type_coerce,
)

from services.adapters.sql_store.integers import Ints, Packed, read_columns, together
from services.adapters.tables import (
    AliasRow,
    ExchangeRow,
    JointPartyRow,
    LegRow,
    OrganizationVersionRow,
    PartyRow,
    TopicRow,
)
from services.adapters.wire.event import read_record
from services.ledger.organization import (
    Organization,
    OrganizationRegistered,
    OrganizationUpdated,
)
from services.ledger.ports import ExchangeColumns, FlowRows, JointColumns, LegColumns
from services.ledger.words import State

_DAY_EXCESS: Final = 1 << 20
"""Makes days of any year positive; _DAY_BITS hold the result."""
_DAY_BITS: Final = 22
_MINUTE_BITS: Final = 31
_WORD_BITS: Final = 8
"""Of a word of the contract, such as a kind."""
_PERIOD_BITS: Final = 8
"""A quarter has at most 92 days."""


class Flows:
    """What a programme's exchanges lack that columns at `from_offset` do not know yet."""

    def __init__(
        self, connection: Connection, programme: int, *, from_offset: int, next_offset: int
    ) -> None:
        self._connection = connection
        self._programme = programme
        self._from_offset = from_offset
        self._number_bits = next_offset.bit_length()

    def read(self, programme_id: str, *, party_count: int, topic_set_count: int) -> FlowRows:
        party = PartyRow.table().c
        ids = self._rows(
            select(party.organization_id)
            .where(party.programme == self._programme, party.party >= party_count)
            .order_by(party.party)
        )
        parties = [row[0] for row in ids]
        party_bits = (party_count + len(parties)).bit_length()
        topic_sets = self._topic_sets(topic_set_count)
        replaced = self._replaced()
        exchanges = self._table(
            ExchangeRow,
            self._exchange_fields(party_bits, max([topic_set_count, *topic_sets]).bit_length()),
            ("number",),
            replaced,
        )
        exchanges["end_day"] += exchanges["first_day"]
        legs = self._table(
            LegRow,
            self._number(LegRow)
            | {side: Packed(LegRow.table().c[side], party_bits) for side in ("giver", "receiver")},
            ("number", "giver", "receiver"),
            replaced,
        )
        joint = self._table(
            JointPartyRow,
            self._number(JointPartyRow)
            | {"party": Packed(JointPartyRow.table().c.party, party_bits)},
            ("number", "party"),
            replaced,
        )
        return FlowRows(
            parties=parties,
            topic_sets=topic_sets,
            organizations=self._organizations(programme_id),
            aliases=self._aliases(),
            exchanges=ExchangeColumns(*(exchanges[name] for name in ExchangeColumns._fields)),
            legs=LegColumns(legs["number"], legs["giver"], legs["receiver"]),
            joint=JointColumns(joint["number"], joint["party"]),
            replaced=replaced,
        )

    def _table(
        self, model: Any, fields: Mapping[str, Packed], order: Sequence[str], replaced: Ints
    ) -> dict[str, Ints]:
        """Rows of standing exchanges that are new or were replaced."""
        table = model.table().c
        standing = [table.programme == self._programme]
        if model is ExchangeRow:
            standing += [table.to_offset.is_(None), table.state != State.RETRACTED]
        new = table.exchange >= self._from_offset
        parts = [read_columns(self._connection, fields, [*standing, new])]
        if len(replaced):
            older = table.exchange.in_(self._older())
            parts.append(read_columns(self._connection, fields, [*standing, older]))
        return together(parts, order)

    def _replaced(self) -> Ints:
        if not self._from_offset:
            return np.empty(0, dtype=np.int64)
        return np.array([row[0] for row in self._rows(self._older().distinct())], dtype=np.int64)

    def _older(self) -> Select[int]:
        """Numbers of exchanges that were there already and have a later revision now."""
        exchange = ExchangeRow.table().c
        return select(exchange.exchange).where(
            exchange.programme == self._programme,
            exchange.exchange < self._from_offset,
            exchange.from_offset >= self._from_offset,
            literal_column("revision > 0"),  # as the index says it, so that it is used
        )

    def _number(self, model: Any) -> dict[str, Packed]:
        return {"number": Packed(model.table().c.exchange, self._number_bits)}

    def _exchange_fields(self, party_bits: int, topic_set_bits: int) -> dict[str, Packed]:
        exchange = ExchangeRow.table().c

        def or_unknown(column: ColumnElement[Any], bits: int) -> Packed:
            return Packed(func.ifnull(column + 1, 0), bits, excess=1)

        return self._number(ExchangeRow) | {
            "first_day": Packed(exchange.first_day + _DAY_EXCESS, _DAY_BITS, excess=_DAY_EXCESS),
            "end_day": Packed(exchange.end_day - exchange.first_day, _PERIOD_BITS),
            "kind": Packed(exchange.kind, _WORD_BITS),
            "formality": Packed(exchange.formality, _WORD_BITS),
            "reported_by": Packed(exchange.reported_by, _WORD_BITS),
            "symmetric": Packed(type_coerce(exchange.symmetric, Integer), 1),
            "topic_set": Packed(exchange.topic_set, topic_set_bits),
            "recorder": or_unknown(exchange.recorder, party_bits),
            "giver_minutes": or_unknown(exchange.giver_minutes, _MINUTE_BITS),
            "receiver_minutes": or_unknown(exchange.receiver_minutes, _MINUTE_BITS),
            "benefit_minutes": or_unknown(exchange.benefit_minutes, _MINUTE_BITS),
        }

    def _topic_sets(self, known_count: int) -> dict[int, tuple[str, ...]]:
        topic = TopicRow.table().c
        found = defaultdict[int, tuple[str, ...]](tuple)
        for number, name in self._rows(
            select(topic.topic_set, topic.topic)
            .where(topic.programme == self._programme, topic.topic_set > known_count)
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
        bound = select(alias.alias, alias.organization_id).where(
            alias.programme == self._programme, alias.from_offset >= self._from_offset
        )
        return [(row[0], row[1]) for row in self._rows(bound.order_by(alias.alias))]

    def _rows(self, statement: Select[Any]) -> list[Any]:
        return list(self._connection.execute(statement))


def _organization(content: bytes, programme_id: str) -> Organization:
    event = read_record(0, 0, programme_id, content).event
    assert event is not None
    assert isinstance(event.fact, OrganizationRegistered | OrganizationUpdated)
    return event.fact.organization
