"""One slab in one transaction of PostgreSQL.

The position is moved first, which locks it. New rows go to their tables as they come, so that the
server writes them while we send; what changes rows that are there goes by temporary tables. A
process that stops in the middle holds the position until whoever takes its partition over ends it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column

from services.adapters.failpoint import failpoint
from services.adapters.postgres.driver import make_dialect
from services.adapters.postgres.schema import Build
from services.adapters.sql_store.dictionary import ProgrammeDictionary
from services.adapters.sql_store.slab_rows import Row, make_slab_rows
from services.adapters.sql_store.tables import (
    BatchRow,
    OrganizationMonthRow,
    PositionRow,
    ProgrammeRow,
    ReadModelRow,
)
from services.ledger.changes import ProgrammeChanges
from services.ledger.monthly_sums import SUM_FIELDS as MONTH_FIELDS
from services.ledger.records import Watermark

StagedRows = Mapping[str, list[Row]]
"""By the name of the table they are sent to."""

_DIALECT: Final = make_dialect()


@dataclass(frozen=True, slots=True)
class _Step:
    """Rows of one form: where they are sent, and what is done with them there.

    `columns` are those of a temporary table, as in CREATE TABLE.
    """

    table: str
    columns: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()


def make_staged_rows(
    changes: Iterable[tuple[ProgrammeChanges, ProgrammeDictionary]], partition: int
) -> StagedRows:
    """Everything that a slab writes, in the order of the tables' columns."""
    found: dict[str, list[Row]] = {step.table: [] for step in _STEPS}
    for each, dictionary in changes:
        number = dictionary.programme
        found["settled"] += [(number, event_id) for event_id in each.journal.waiting_changes]
        found["cleared"] += [(number, exchange) for exchange in each.cleared_exchanges]
        for model, rows in make_slab_rows(dictionary, each).items():
            found[_sent_to(model)] += rows
        found["fallen"] += [(number, *fallen) for fallen in each.superseded_revisions]
        programme = (number, each.programme_id, partition, each.last_offset)
        found[_sent_to(ProgrammeRow)].append(programme)
    return found


def get_column(rows: StagedRows, model: type[ReadModelRow], name: str) -> list[Any]:
    """A column of what a slab adds to a table."""
    place = list(model.table().columns.keys()).index(name)
    return [row[place] for row in rows[_sent_to(model)]]


async def create_staging_tables(raw: Any) -> None:
    """Makes the temporary tables of a connection.

    To empty a table at each commit takes 20 times as long when it has a place for long values
    beside it. PostgreSQL makes none where columns are stored plainly from the start, which only
    LIKE can say; keys and names are short.
    """
    for step in _STEPS:
        if step.columns:
            plain = ", ".join(f"ALTER {each.split()[0]} SET STORAGE PLAIN" for each in step.columns)
            form = "(LIKE shape INCLUDING STORAGE) ON COMMIT DELETE ROWS"
            await raw.execute(
                f"CREATE TEMPORARY TABLE shape ({', '.join(step.columns)}); "
                f"ALTER TABLE shape {plain}; "
                f"CREATE TEMPORARY TABLE {step.table} {form}; DROP TABLE shape"
            )


# decision 0073: a slab moves the position first
async def begin_at(raw: Any, build: Build, start: int, end: Watermark, owner: str) -> bool:
    """Begins a transaction under the name of who owns the partition, and moves the position.

    Returns False, and does not move it, when it is not at `start`, or others came to answer.
    """
    await raw.execute(f"BEGIN; SET LOCAL application_name = '{owner}'")
    values = (
        *(build.schema, build.active_schema),
        *(end.partition, end.log_id, end.next_offset, end.record_time, end.digest),
    )
    moved = await raw.execute(_MOVE, *values, start)
    if moved == "UPDATE 0" and start == 0:
        moved = await raw.execute(_PLACE, *values)
    return not moved.endswith(" 0")


async def insert_rows(raw: Any, rows: StagedRows, channel: str, end: Watermark) -> None:
    """Brings the rows to their tables, and tells who listens once they are committed."""
    for step in _STEPS:
        if found := rows[step.table]:
            await raw.copy_records_to_table(step.table, records=found)
            failpoint("in_copy")
            if step.statements:
                await raw.execute("; ".join(step.statements))
    await raw.execute(f"SELECT pg_notify('{channel}', '{end.partition} {end.next_offset}')")


# decision 0090: only active read models are written and read
_MAY_MOVE: Final = (
    "NOT EXISTS (SELECT FROM mutua_control.answering WHERE schema_name NOT IN ($1::text, $2::text))"
)
_MOVE: Final = (
    "UPDATE position SET next_offset = $5, record_time = $6, digest = $7 "
    f"WHERE partition = $3 AND log_id = $4 AND next_offset = $8 AND {_MAY_MOVE}"
)
_PLACE: Final = (
    "INSERT INTO position SELECT $3::integer, $4::text, $5::bigint, $6::bigint, $7::bytea "
    f"WHERE {_MAY_MOVE} ON CONFLICT DO NOTHING"
)


def _sent_to(model: type[ReadModelRow]) -> str:
    return f"new_{model.__tablename__}" if model in _UPDATES else str(model.__tablename__)


def _steps() -> Iterator[_Step]:
    """In the order in which they have to be done."""
    programme, exchange = "programme integer", "exchange bigint"
    yield _Step(
        "settled",
        (programme, "event_id text"),
        ("DELETE FROM waiting USING settled WHERE " + _same("waiting", "settled", "event_id"),),
    )
    yield _Step(
        "cleared",
        (programme, exchange),
        tuple(
            f"DELETE FROM {table} USING cleared WHERE " + _same(table, "cleared", "exchange")
            for table in ("leg", "joint_party")
        ),
    )
    for model in ReadModelRow.__subclasses__():
        if model in _UPDATES:
            yield _merging(model)
        elif model is not PositionRow:
            yield _Step(_sent_to(model))
    yield _Step(
        "fallen",
        (programme, exchange, "revision integer", "to_offset bigint"),
        (
            "UPDATE exchange SET to_offset = fallen.to_offset FROM fallen "
            "WHERE " + _same("exchange", "fallen", "exchange", "revision"),
        ),
    )


def _merging(model: type[ReadModelRow]) -> _Step:
    table, sent = model.table(), _sent_to(model)
    columns = list(table.columns)
    keys = ", ".join(_name(column) for column in table.primary_key.columns)
    values = ", ".join(map(_name, columns))
    insertion = (
        f"INSERT INTO {table.name} SELECT {values} FROM {sent} ORDER BY {keys} "
        f"ON CONFLICT ({keys}) DO UPDATE SET " + ", ".join(_UPDATES[model])
    )
    types = (_DIALECT.type_compiler_instance.process(column.type) for column in columns)
    placed = tuple(f"{_name(column)} {type_}" for column, type_ in zip(columns, types, strict=True))
    return _Step(sent, placed, (insertion, *_AFTER.get(model, ())))


def _same(table: str, stage: str, *names: str) -> str:
    return " AND ".join(f"{table}.{name} = {stage}.{name}" for name in ("programme", *names))


def _name(column: Column[Any]) -> str:
    return str(_DIALECT.identifier_preparer.quote(column.name))


def _added(table: str, names: Iterable[str]) -> Sequence[str]:
    return [f"{name} = {table}.{name} + excluded.{name}" for name in names]


_UPDATES: Final[Mapping[type[ReadModelRow], Sequence[str]]] = {
    ProgrammeRow: ["last_offset = excluded.last_offset"],
    OrganizationMonthRow: _added("organization_month", MONTH_FIELDS),
    BatchRow: [
        *_added("batch", [name for name in BatchRow.model_fields if name.endswith("_count")]),
        "first_record_time = least(batch.first_record_time, excluded.first_record_time)",
        "last_record_time = greatest(batch.last_record_time, excluded.last_record_time)",
    ],
}
"""Tables in which a row may be there already, and what it becomes then."""

_MONTH_STAGE: Final = _sent_to(OrganizationMonthRow)
_AFTER: Final[Mapping[type[ReadModelRow], Sequence[str]]] = {
    OrganizationMonthRow: [
        f"DELETE FROM organization_month USING {_MONTH_STAGE} WHERE "
        + _same("organization_month", _MONTH_STAGE, "party", "month")
        + "".join(
            f" AND organization_month.{name} = 0"
            for name in ("given_exchange_count", "received_exchange_count", "joint_count")
        )
    ],
}

_STEPS: Final = tuple(_steps())
