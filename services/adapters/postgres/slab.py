"""One slab in one transaction of PostgreSQL.

The transaction moves the position first, which locks it. New rows go straight to their tables, so
the server writes them while we send; rows that change existing ones go through staging tables. A
process that stops in the middle locks the position until the next owner of the partition ends it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column

from services.adapters.failpoint import failpoint
from services.adapters.postgres.driver import make_dialect
from services.adapters.postgres.schema import Build
from services.adapters.sql_store.dictionary import ProgrammeDictionary
from services.adapters.sql_store.slab_rows import IS_EMPTY_MONTH, UPDATES, Row, make_slab_rows
from services.adapters.sql_store.tables import (
    OrganizationMonthRow,
    PositionRow,
    ProgrammeRow,
    ReadModelRow,
)
from services.ledger.changes import ProgrammeChanges
from services.ledger.records import Watermark

StagedRows = Mapping[str, list[Row]]
"""Rows by the name of the table that receives them."""

_DIALECT: Final = make_dialect()


@dataclass(frozen=True, slots=True)
class _Step:
    """A table that receives rows, and the statements that then process them.

    `columns` are those of a staging table, as in CREATE TABLE.
    """

    table: str
    columns: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()


def make_staged_rows(
    changes: Iterable[tuple[ProgrammeChanges, ProgrammeDictionary]], partition: int
) -> StagedRows:
    """Returns every row that a slab writes, in the order of the tables' columns."""
    rows_by_table: dict[str, list[Row]] = {step.table: [] for step in _STEPS}
    for programme, dictionary in changes:
        number = dictionary.programme
        rows_by_table["settled"] += [
            (number, event_id) for event_id in programme.journal.waiting_changes
        ]
        rows_by_table["cleared"] += [(number, exchange) for exchange in programme.cleared_exchanges]
        for model, rows in make_slab_rows(dictionary, programme).items():
            rows_by_table[_target_table(model)] += rows
        rows_by_table["fallen"] += [
            (number, *revision) for revision in programme.superseded_revisions
        ]
        row = (number, programme.programme_id, partition, programme.last_offset)
        rows_by_table[_target_table(ProgrammeRow)].append(row)
    return rows_by_table


def get_column(rows: StagedRows, model: type[ReadModelRow], name: str) -> list[Any]:
    """Returns one column of the rows that a slab adds to a table."""
    place = list(model.table().columns.keys()).index(name)
    return [row[place] for row in rows[_target_table(model)]]


async def create_staging_tables(raw: Any) -> None:
    """Creates the staging tables of a connection.

    Emptying a table at every commit takes 20 times as long when it has a TOAST table. PostgreSQL
    creates none when all columns have plain storage from the start, which only LIKE can declare;
    keys and names are short enough.
    """
    for step in _STEPS:
        if step.columns:
            plain = ", ".join(
                f"ALTER {column.split()[0]} SET STORAGE PLAIN" for column in step.columns
            )
            form = "(LIKE shape INCLUDING STORAGE) ON COMMIT DELETE ROWS"
            await raw.execute(
                f"CREATE TEMPORARY TABLE shape ({', '.join(step.columns)}); "
                f"ALTER TABLE shape {plain}; "
                f"CREATE TEMPORARY TABLE {step.table} {form}; DROP TABLE shape"
            )


# decision 0073: a slab moves the position first
async def begin_at(raw: Any, build: Build, start: int, end: Watermark, owner: str) -> bool:
    """Begins a transaction under the owner's name, and moves the position from `start` to `end`.

    Returns False, and moves nothing, when the position is not at `start` or the active schema
    changed.
    """
    await raw.execute(f"BEGIN; SET LOCAL application_name = '{owner}'")
    values = (
        *(build.schema, build.active_schema),
        *(end.partition, end.log_id, end.next_offset, end.record_time, end.digest),
    )
    moved = await raw.execute(_UPDATE_POSITION, *values, start)
    if moved == "UPDATE 0" and start == 0:
        moved = await raw.execute(_INSERT_POSITION, *values)
    return not moved.endswith(" 0")


async def insert_rows(raw: Any, rows: StagedRows, channel: str, end: Watermark) -> None:
    """Writes the rows, and notifies listeners once they are committed."""
    for step in _STEPS:
        if table_rows := rows[step.table]:
            await raw.copy_records_to_table(step.table, records=table_rows)
            failpoint("in_copy")
            if step.statements:
                await raw.execute("; ".join(step.statements))
    await raw.execute(f"SELECT pg_notify('{channel}', '{end.partition} {end.next_offset}')")


# decision 0090: only active read models are written and read
_MAY_MOVE: Final = (
    "NOT EXISTS (SELECT FROM mutua_control.answering WHERE schema_name NOT IN ($1::text, $2::text))"
)
_UPDATE_POSITION: Final = (
    "UPDATE position SET next_offset = $5, record_time = $6, digest = $7 "
    f"WHERE partition = $3 AND log_id = $4 AND next_offset = $8 AND {_MAY_MOVE}"
)
_INSERT_POSITION: Final = (
    "INSERT INTO position SELECT $3::integer, $4::text, $5::bigint, $6::bigint, $7::bytea "
    f"WHERE {_MAY_MOVE} ON CONFLICT DO NOTHING"
)


def _target_table(model: type[ReadModelRow]) -> str:
    return f"new_{model.__tablename__}" if model in UPDATES else str(model.__tablename__)


def _steps() -> Iterator[_Step]:
    """Yields the steps in the order of execution."""
    programme, exchange = "programme integer", "exchange bigint"
    yield _Step(
        "settled",
        (programme, "event_id text"),
        (
            "DELETE FROM waiting USING settled WHERE "
            + _match_keys("waiting", "settled", "event_id"),
        ),
    )
    yield _Step(
        "cleared",
        (programme, exchange),
        tuple(
            f"DELETE FROM {table} USING cleared WHERE " + _match_keys(table, "cleared", "exchange")
            for table in ("leg", "joint_party")
        ),
    )
    for model in ReadModelRow.__subclasses__():
        if model in UPDATES:
            yield _make_merge_step(model)
        elif model is not PositionRow:
            yield _Step(_target_table(model))
    yield _Step(
        "fallen",
        (programme, exchange, "revision integer", "to_offset bigint"),
        (
            "UPDATE exchange SET to_offset = fallen.to_offset FROM fallen "
            "WHERE " + _match_keys("exchange", "fallen", "exchange", "revision"),
        ),
    )


def _make_merge_step(model: type[ReadModelRow]) -> _Step:
    table, stage = model.table(), _target_table(model)
    columns = list(table.columns)
    keys = ", ".join(_quote_name(column) for column in table.primary_key.columns)
    values = ", ".join(map(_quote_name, columns))
    insertion = (
        f"INSERT INTO {table.name} SELECT {values} FROM {stage} ORDER BY {keys} "
        f"ON CONFLICT ({keys}) DO UPDATE SET {UPDATES[model]}"
    )
    types = (_DIALECT.type_compiler_instance.process(column.type) for column in columns)
    stage_columns = tuple(
        f"{_quote_name(column)} {type_}" for column, type_ in zip(columns, types, strict=True)
    )
    return _Step(stage, stage_columns, (insertion, *_AFTER.get(model, ())))


def _match_keys(table: str, stage: str, *names: str) -> str:
    return " AND ".join(f"{table}.{name} = {stage}.{name}" for name in ("programme", *names))


def _quote_name(column: Column[Any]) -> str:
    return str(_DIALECT.identifier_preparer.quote(column.name))


_MONTH_STAGE: Final = _target_table(OrganizationMonthRow)
_AFTER: Final[Mapping[type[ReadModelRow], Sequence[str]]] = {
    OrganizationMonthRow: [
        f"DELETE FROM organization_month USING {_MONTH_STAGE} WHERE {IS_EMPTY_MONTH} AND "
        + _match_keys("organization_month", _MONTH_STAGE, "party", "month")
    ],
}

_STEPS: Final = tuple(_steps())
