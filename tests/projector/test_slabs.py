"""Tables do not depend on how the log is divided into slabs, and verify reports any change."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Boolean, Column

from mutua.v1.event_pb2 import Event
from services.adapters.postgres.store import PostgresStore
from services.adapters.sql_store.tables import ProgrammeRow, ReadModelRow
from services.adapters.sqlite.log import SqliteLog
from services.adapters.sqlite.store import SqliteStore
from services.ledger.errors import FencedWriterError
from services.projector.slab import project_slab
from services.projector.verification import verify
from tests.databases import drop_read_models
from tests.ledger.folded_ledger import START_TIME
from tests.projector.slab_projection import project, read_tables, split_into_slabs
from tests.strategies import PROGRAMME, as_date, event_id, histories, mixed_histories, slab_cuts

SETTINGS = settings(max_examples=60, deadline=None)
UNREADABLE = (b"\xff", b"", Event(event_id=event_id(0), programme_id=PROGRAMME).SerializeToString())
_OPENED = date(2020, 1, 1)
garbage = st.lists(st.sampled_from(UNREADABLE), max_size=2)
MODELS = ReadModelRow.__subclasses__()
COLUMNS = [
    pytest.param(model, column, id=f"{model.__tablename__}.{column.name}")
    for model in MODELS
    for column in model.table().columns
]


def _by_programme(store: SqliteStore | PostgresStore) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, under the id of its programme instead of the number."""
    rows = read_tables(store)
    ids = {row[0]: row[1] for row in rows["programme"]}
    position = rows.pop("position")
    return {"position": position} | {
        name: sorted(((ids[row[0]], *row[1:]) for row in found), key=repr)
        for name, found in rows.items()
    }


@pytest.fixture(scope="module")
def projected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a log and read models in which no table is empty."""
    folder = tmp_path_factory.mktemp("projected")
    values = [(PROGRAMME, event.SerializeToString()) for event in _one_of_each()]
    with _log(folder, values) as log, closing(SqliteStore(folder / "read.sqlite")) as store:
        project(store, log.read(0, len(values)), log_id=log.log_id)
        assert [name for name, rows in read_tables(store).items() if not rows] == []
        assert verify(log, store).ok
    return folder


def _one_of_each() -> list[Event]:
    events = [
        Event(event_id=event_id(number), programme_id=PROGRAMME, recorded_by="alder")
        for number in range(14)
    ]
    recorded, corrected, joint, waiting, lost, reused, registered, alias, undone, *rest = events
    retracted, nothing, configured, paired, disputed = rest
    for event in (recorded, corrected, joint, waiting, lost, undone):
        event.occur_time.FromJsonString("2024-03-04T10:00:00Z")
        event.report_time.FromJsonString("2024-03-05T10:00:00Z")
        event.source.batch, event.source.generation = "march", 1
    corrected.exchange_corrected.exchange_id = recorded.event_id
    corrected.exchange_corrected.replaces_event_id = recorded.event_id
    waiting.exchange_corrected.exchange_id = event_id(99)
    lost.exchange_corrected.exchange_id = registered.event_id
    corrections = (corrected, waiting, lost)
    for content in (
        recorded.exchange_recorded.exchange,
        undone.exchange_recorded.exchange,
        *(event.exchange_corrected.exchange for event in corrections),
    ):
        content.giver_ids.append("alder")
        content.receiver_ids.append("birch")
        content.topics.append("interfaces")
        content.giver_minutes = content.receiver_minutes = content.benefit_minutes = 30
    joint.exchange_recorded.exchange.party_ids.extend(["alder", "birch"])
    registered.organization_registered.organization.organization_id = "alder"
    registered.organization_registered.organization.open_date.CopyFrom(as_date(_OPENED))
    alias.alias_added.alias, alias.alias_added.organization_id = "AT", "alder"
    retracted.exchange_retracted.exchange_id = undone.event_id
    nothing.occur_time.FromJsonString("2024-02-01T00:00:00Z")
    nothing.nothing_to_report.organization_id = "birch"
    paired.pairing_formed.a, paired.pairing_formed.b = "alder", "birch"
    paired.pairing_formed.from_date.CopyFrom(as_date(_OPENED))
    configured.programme_configured.topics.add(topic="interfaces", label="Interfaces & messages")
    disputed.exchange_disputed.exchange_id, disputed.exchange_disputed.party = (
        recorded.event_id,
        "birch",
    )
    reused.CopyFrom(recorded)
    reused.exchange_recorded.exchange.giver_minutes = 60
    told = [recorded, corrected, joint, waiting, registered, lost, reused, alias]
    return [*told, undone, retracted, nothing, paired, configured, disputed]


@contextmanager
def _log(folder: Path, values: list[tuple[str, bytes]]) -> Iterator[SqliteLog]:
    with closing(SqliteLog(folder / "log.sqlite", clock=lambda: START_TIME)) as log:
        appended = [log.append(programme_id, [value]) for programme_id, value in values]
        for each in appended:
            each.result(timeout=120)
        yield log


@contextmanager
def _tampered(projected: Path, folder: Path, file: str) -> Iterator[sqlite3.Connection]:
    """A copy of the log and the read models in `folder`, one of them open to be changed."""
    shutil.copytree(projected, folder, dirs_exist_ok=True)
    with closing(sqlite3.connect(folder / file, isolation_level=None)) as connection:
        yield connection


def _differences(folder: Path) -> list[str]:
    with (
        closing(SqliteLog(folder / "log.sqlite", read_only=True)) as log,
        closing(SqliteStore(folder / "read.sqlite", read_only=True)) as store,
    ):
        return verify(log, store).differences


def _first_row(connection: sqlite3.Connection, model: type[ReadModelRow]) -> tuple[Any, ...]:
    row: tuple[Any, ...] = connection.execute(
        f"SELECT * FROM {model.__tablename__} LIMIT 1"
    ).fetchone()
    return row


def _delete(
    connection: sqlite3.Connection, model: type[ReadModelRow], row: tuple[Any, ...]
) -> None:
    condition = " AND ".join(f"{column.name} IS ?" for column in model.table().columns)
    connection.execute(f"DELETE FROM {model.__tablename__} WHERE {condition}", row)


def _insert(
    connection: sqlite3.Connection, model: type[ReadModelRow], row: tuple[Any, ...]
) -> None:
    places = ", ".join("?" for _ in row)
    connection.execute(f"INSERT INTO {model.__tablename__} VALUES ({places})", row)


def _other(value: Any, column: Column[Any]) -> Any:
    """Another value of the column, one that no row has."""
    if isinstance(column.type, Boolean):
        return 1 - value
    if isinstance(value, str):
        return f"{value}x"
    if isinstance(value, bytes):
        return value + b"x"
    return 1_000 if value is None else value + 1_000


class TestProjectSlab:
    @SETTINGS
    @given(
        st.data(),
        histories() | mixed_histories(),
        st.lists(st.sampled_from(UNREADABLE), max_size=2),
    )
    def test_tables_do_not_depend_on_slabs_in_sqlite(
        self, data: st.DataObject, events: list[Event], unreadable: list[bytes]
    ) -> None:
        values = [(event.programme_id, event.SerializeToString()) for event in events]
        for value in unreadable:
            values.insert(data.draw(st.integers(0, len(values))), (PROGRAMME, value))
        with TemporaryDirectory() as folder, _log(Path(folder), values) as log:
            records = log.read(0, len(values))
            with closing(SqliteStore(Path(folder, "one.sqlite"))) as store:
                project(store, records, log_id=log.log_id)
                in_one_slab = read_tables(store)
                assert verify(log, store).differences == []
            several = Path(folder, "several.sqlite")
            store = SqliteStore(several)
            for slab in split_into_slabs(records, data.draw(slab_cuts(len(records)))):
                if data.draw(st.booleans()):
                    store.close()
                    store = SqliteStore(several)
                project_slab(store, log.log_id, slab)
                with pytest.raises(FencedWriterError):
                    project_slab(store, log.log_id, slab)
            with closing(store):
                assert read_tables(store) == in_one_slab
                assert verify(log, store).differences == []

    @settings(SETTINGS, max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.data(),
        histories() | mixed_histories(),
        st.lists(st.sampled_from(UNREADABLE), max_size=2),
    )
    def test_tables_do_not_depend_on_slabs_in_postgresql(
        self, database: str, data: st.DataObject, events: list[Event], unreadable: list[bytes]
    ) -> None:
        """And the same as those of SQLite, but for the numbers of the programmes."""
        values = [(event.programme_id, event.SerializeToString()) for event in events]
        for value in unreadable:
            values.insert(data.draw(st.integers(0, len(values))), (PROGRAMME, value))
        with TemporaryDirectory() as folder, _log(Path(folder), values) as log:
            records = log.read(0, len(values))
            drop_read_models(database)
            store = PostgresStore(database)
            for slab in split_into_slabs(records, data.draw(slab_cuts(len(records)))):
                if data.draw(st.booleans()):
                    store.close()
                    store = PostgresStore(database)
                project_slab(store, log.log_id, slab)
                with pytest.raises(FencedWriterError):
                    project_slab(store, log.log_id, slab)
            with closing(store):
                assert verify(log, store).differences == []
                with closing(SqliteStore(Path(folder, "one.sqlite"))) as embedded:
                    project(embedded, records, log_id=log.log_id)
                    assert _by_programme(store) == _by_programme(embedded)

    def test_replacement_of_a_waiting_fact_waits_across_slabs(self, tmp_path: Path) -> None:
        recorded, corrected, *_ = _one_of_each()
        waiting, replacing = Event(), Event()
        for event, number in ((waiting, 20), (replacing, 21)):
            event.CopyFrom(corrected)
            event.event_id = event_id(number)
        waiting.exchange_corrected.exchange_id = event_id(99)
        replacing.exchange_corrected.replaces_event_id = waiting.event_id
        values = [
            (PROGRAMME, event.SerializeToString()) for event in (recorded, waiting, replacing)
        ]
        with _log(tmp_path, values) as log, closing(SqliteStore(tmp_path / "read.sqlite")) as store:
            project(store, log.read(0, 3), (1, 2), log_id=log.log_id)
            assert verify(log, store).differences == []
            with store.open_snapshot(0) as snapshot:
                assert snapshot.read_counts(PROGRAMME).waiting_count == 2


class TestVerify:
    @pytest.mark.parametrize(("model", "column"), COLUMNS)
    def test_verify_reports_a_changed_value(
        self, projected: Path, tmp_path: Path, model: type[ReadModelRow], column: Column[Any]
    ) -> None:
        with _tampered(projected, tmp_path, "read.sqlite") as connection:
            row = _first_row(connection, model)
            place = list(model.table().columns).index(column)
            changed = (*row[:place], _other(row[place], column), *row[place + 1 :])
            _delete(connection, model, row)
            _insert(connection, model, changed)
        assert _differences(tmp_path)

    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__tablename__)
    def test_verify_reports_a_missing_row(
        self, projected: Path, tmp_path: Path, model: type[ReadModelRow]
    ) -> None:
        with _tampered(projected, tmp_path, "read.sqlite") as connection:
            _delete(connection, model, _first_row(connection, model))
        assert _differences(tmp_path)

    @pytest.mark.parametrize(
        "model",
        [model for model in MODELS if model is not ProgrammeRow],
        ids=lambda model: model.__tablename__,
    )
    def test_verify_reports_an_extra_row(
        self, projected: Path, tmp_path: Path, model: type[ReadModelRow]
    ) -> None:
        with _tampered(projected, tmp_path, "read.sqlite") as connection:
            row = _first_row(connection, model)
            keys = set(list(model.table().primary_key.columns)[-1:])
            keys |= {
                column for index in model.table().indexes if index.unique for column in index.c
            }
            keys.discard(model.table().c.get("programme"))
            changed = [
                _other(value, column) if column in keys else value
                for value, column in zip(row, model.table().columns, strict=True)
            ]
            _insert(connection, model, tuple(changed))
        assert _differences(tmp_path)

    def test_verify_reports_an_empty_programme(self, projected: Path, tmp_path: Path) -> None:
        with _tampered(projected, tmp_path, "read.sqlite") as connection:
            _insert(connection, ProgrammeRow, (99, "ghost", 0, 0))
        assert _differences(tmp_path)

    @pytest.mark.parametrize(
        "tampering",
        [
            "UPDATE record SET value = CAST(value || X'00' AS BLOB) WHERE offset = 1",
            "UPDATE record SET record_time = record_time + 1 WHERE offset = 1",
            "UPDATE record SET programme_id = 'other' WHERE offset = 1",
            "DELETE FROM record WHERE offset = 1",
            "DELETE FROM record WHERE offset = (SELECT max(offset) FROM record)",
            "UPDATE log SET id = replace(id, substr(id, 1, 1), 'x')",
        ],
    )
    def test_verify_reports_a_changed_log(
        self, projected: Path, tmp_path: Path, tampering: str
    ) -> None:
        with _tampered(projected, tmp_path, "log.sqlite") as connection:
            connection.execute(tampering)
        assert _differences(tmp_path)
