"""One slab in one transaction of PostgreSQL.

Its rows go into temporary tables first, where they are in nobody's way. Only then is the position
moved, which locks it, and from there on the server needs nothing more from us than short commands:
a process that is stopped in the middle of sending rows holds nothing that others wait for.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column

from services.adapters.crash_point import crash_point
from services.adapters.postgres_driver import dialect
from services.adapters.postgres_schema import Build
from services.adapters.sql_store.numbers import Dictionary
from services.adapters.sql_store.rows import Row, insertions
from services.adapters.tables import (
    BatchRow,
    ExchangeRow,
    OrganizationMonthRow,
    OrganizationVersionRow,
    ProgrammeRow,
    QuarantineRow,
    ReadModel,
    WaitingRow,
)
from services.ledger.changes import Changes
from services.ledger.months import FIELDS as MONTH_FIELDS
from services.ledger.ports import Watermark

Rows = Mapping[str, list[Row]]
"""By the name of the temporary table they go into."""

_DIALECT: Final = dialect()


@dataclass(frozen=True, slots=True)
class _Step:
    """Rows of one form, and what is done with them; `columns` as in CREATE TABLE.

    `table` is where they belong as they are; "" where there may be rows that they change.
    """

    name: str
    columns: tuple[str, ...]
    statements: tuple[str, ...]
    table: str = ""


def rows_of(changes: Iterable[tuple[Changes, Dictionary]], partition: int) -> Rows:
    """Everything that a slab writes, in the order of the columns of `create_stage`."""
    found: dict[str, list[Row]] = {step.name: [] for step in _STEPS}
    for each, dictionary in changes:
        number = dictionary.programme
        found["settled"] += [(number, event_id) for event_id in each.journal.waiting]
        found["cleared"] += [(number, exchange) for exchange in each.cleared]
        for model, rows in insertions(dictionary, each).items():
            found[_stage(model)] += rows
        found["fallen"] += [(number, *fallen) for fallen in each.fallen]
        programme = (number, each.programme_id, partition, each.last_offset)
        found[_stage(ProgrammeRow)].append(programme)
    return found


def values(rows: Rows, model: type[ReadModel], name: str) -> list[Any]:
    """A column of what a slab adds to a table."""
    place = list(model.table().columns.keys()).index(name)
    return [row[place] for row in rows[_stage(model)]]


async def create_stage(raw: Any) -> None:
    """Makes the temporary tables of a connection.

    To empty a table at each commit takes 20 times as long when it has a place for long values
    beside it. PostgreSQL makes none where columns are stored plainly from the start, which only
    LIKE can say.
    """
    for step in _STEPS:
        statements = [f"CREATE TEMPORARY TABLE shape ({', '.join(step.columns)})"]
        if step.name not in _WIDE:
            names = (column.split()[0] for column in step.columns)
            plain = ", ".join(f"ALTER {name} SET STORAGE PLAIN" for name in names)
            statements.append(f"ALTER TABLE shape {plain}")
        form = "(LIKE shape INCLUDING STORAGE) ON COMMIT DELETE ROWS"
        statements += [f"CREATE TEMPORARY TABLE {step.name} {form}", "DROP TABLE shape"]
        await raw.execute("; ".join(statements))


async def begin(raw: Any, rows: Rows, owner: str) -> None:
    """Begins a transaction under the name of who owns the partition, and sends the rows."""
    await raw.execute(f"BEGIN; SET LOCAL application_name = '{owner}'")
    for name, found in rows.items():
        if found:
            await raw.copy_records_to_table(name, records=found)
            crash_point("in_copy")


async def advance(raw: Any, build: Build, start: int, end: Watermark) -> bool:
    """Moves the position, if it is at `start` and no others came to answer; otherwise False."""
    values = (
        *(build.schema, build.answering),
        *(end.partition, end.log_id, end.next_offset, end.record_time, end.digest),
    )
    moved = await raw.execute(_MOVE, *values, start)
    if moved == "UPDATE 0" and start == 0:
        moved = await raw.execute(_PLACE, *values)
    return not moved.endswith(" 0")


async def merge(raw: Any, rows: Rows, channel: str, end: Watermark) -> None:
    """Brings the rows to their tables, and tells who listens once they are committed."""
    statements = [statement for step in _STEPS if rows[step.name] for statement in step.statements]
    notice = f"SELECT pg_notify('{channel}', '{end.partition} {end.next_offset}')"
    await raw.execute("; ".join([*statements, notice]))


async def fill(raw: Any, rows: Rows, build: Build, start: int, end: Watermark) -> bool:
    """All of the above but the end of the transaction, in tables that nobody else uses."""
    await raw.execute("BEGIN")
    for step in _STEPS:
        if found := rows[step.name]:
            await raw.copy_records_to_table(step.table or step.name, records=found)
            if not step.table:
                await raw.execute("; ".join(step.statements))
    return await advance(raw, build, start, end)


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


def _stage(model: type[ReadModel]) -> str:
    return f"new_{model.__tablename__}"


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
    for model in ReadModel.__subclasses__():
        if model.__tablename__ != "position":
            yield _merging(model)
    yield _Step(
        "fallen",
        (programme, exchange, "revision integer", "to_offset bigint"),
        (
            "UPDATE exchange SET to_offset = fallen.to_offset FROM fallen "
            "WHERE " + _same("exchange", "fallen", "exchange", "revision"),
        ),
    )


def _merging(model: type[ReadModel]) -> _Step:
    table, stage = model.table(), _stage(model)
    columns = list(table.columns)
    keys = ", ".join(_name(column) for column in table.primary_key.columns)
    values = ", ".join(map(_name, columns))
    insertion = f"INSERT INTO {table.name} SELECT {values} FROM {stage} ORDER BY {keys}"
    if model in _UPDATES:
        insertion += f" ON CONFLICT ({keys}) DO UPDATE SET " + ", ".join(_UPDATES[model])
    types = (_DIALECT.type_compiler_instance.process(column.type) for column in columns)
    placed = tuple(f"{_name(column)} {type_}" for column, type_ in zip(columns, types, strict=True))
    statements = (insertion, *_AFTER.get(model, ()))
    return _Step(stage, placed, statements, "" if model in _UPDATES else str(table.name))


def _same(table: str, stage: str, *names: str) -> str:
    return " AND ".join(f"{table}.{name} = {stage}.{name}" for name in ("programme", *names))


def _name(column: Column[Any]) -> str:
    return str(_DIALECT.identifier_preparer.quote(column.name))


def _added(table: str, names: Iterable[str]) -> Sequence[str]:
    return [f"{name} = {table}.{name} + excluded.{name}" for name in names]


_UPDATES: Final[Mapping[type[ReadModel], Sequence[str]]] = {
    ProgrammeRow: ["last_offset = excluded.last_offset"],
    OrganizationMonthRow: _added("organization_month", MONTH_FIELDS),
    BatchRow: [
        *_added("batch", [name for name in BatchRow.model_fields if name.endswith("_count")]),
        "first_record_time = least(batch.first_record_time, excluded.first_record_time)",
        "last_record_time = greatest(batch.last_record_time, excluded.last_record_time)",
    ],
}
"""Tables in which a row may be there already, and what it becomes then."""

_MONTH_STAGE: Final = _stage(OrganizationMonthRow)
_AFTER: Final[Mapping[type[ReadModel], Sequence[str]]] = {
    OrganizationMonthRow: [
        f"DELETE FROM organization_month USING {_MONTH_STAGE} WHERE "
        + _same("organization_month", _MONTH_STAGE, "party", "month")
        + "".join(
            f" AND organization_month.{name} = 0"
            for name in ("given_exchange_count", "received_exchange_count", "joint_count")
        )
    ],
}

_WIDE: Final = {
    _stage(model) for model in (ExchangeRow, OrganizationVersionRow, WaitingRow, QuarantineRow)
}
"""Tables whose rows may be too long for a page; the others have keys and short names only."""

_STEPS: Final = tuple(_steps())
