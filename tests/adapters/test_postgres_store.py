"""PostgresStore: versions side by side, fencing, lost connections, and the SQL it relies on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest

from mutua.v1.event_pb2 import Event
from services.adapters.postgres import slab
from services.adapters.postgres import store as postgres_store
from services.adapters.postgres.driver import LOCK_SECONDS, PostgresConnection
from services.adapters.postgres.store import PostgresStore
from services.adapters.sql_store.tables import MODEL_VERSION
from services.ledger.errors import (
    FencedWriterError,
    ForeignDataError,
    LogUnavailableError,
    NewerSchemaError,
    StoreBusyError,
)
from services.ledger.records import ExchangeFilter
from services.projector.slab import project_slab
from tests.adapters.test_store import LOG, count_exchanges, exchange, make_slab, read_all_tables
from tests.databases import execute_sql

OWNER = "mutua_read_1 partition 0"


@contextmanager
def open_connection(url: str, **settings: str) -> Iterator[PostgresConnection]:
    with closing(PostgresConnection(url, settings)) as connection:
        yield connection


@pytest.fixture
def store(database: str) -> Iterator[PostgresStore]:
    with closing(PostgresStore(database)) as store:
        yield store


class TestOpen:
    def test_concurrent_opens_create_the_tables_once(self, database: str) -> None:
        with ThreadPoolExecutor(6) as threads, ExitStack() as closing_stack:
            stores = list(threads.map(lambda _: PostgresStore(database), range(6)))
            for each in stores:
                closing_stack.callback(each.close)
            assert {each.schema for each in stores} == {"mutua_read_1"}

    def test_refuses_newer_read_models(self, store: PostgresStore, database: str) -> None:
        execute_sql(database, f"UPDATE mutua_read_1.model SET version = {MODEL_VERSION + 1}")
        for read_only in (True, False):
            with pytest.raises(
                NewerSchemaError, match=f"reads up to {MODEL_VERSION}; upgrade mutua"
            ):
                PostgresStore(database, read_only=read_only)

    def test_older_read_models_answer_until_new_ones_caught_up(
        self, store: PostgresStore, database: str
    ) -> None:
        project_slab(store, LOG, make_slab(0, 3))
        execute_sql(database, f"UPDATE mutua_read_1.model SET version = {MODEL_VERSION - 1}")
        with closing(PostgresStore(database)) as new:
            assert (new.schema, new.read_watermark(0)) == ("mutua_read_2", None)
            project_slab(new, LOG, make_slab(0, 2))
            with pytest.raises(
                ForeignDataError, match="a projector of this version makes new ones"
            ):
                PostgresStore(database, read_only=True)
            project_slab(new, LOG, make_slab(2, 3))
            with closing(PostgresStore(database, read_only=True)) as reader:
                assert (reader.schema, count_exchanges(reader)) == ("mutua_read_2", 3)

    def test_older_version_projects_while_newer_is_active(
        self, store: PostgresStore, database: str
    ) -> None:
        project_slab(store, LOG, make_slab(0, 2))
        execute_sql(
            database,
            "CREATE SCHEMA mutua_read_2",
            f"CREATE TABLE mutua_read_2.model AS SELECT {MODEL_VERSION + 1} AS version",
            "CREATE TABLE mutua_read_2.position AS SELECT * FROM mutua_read_1.position",
            "UPDATE mutua_control.answering SET schema_name = 'mutua_read_2'",
        )
        with closing(PostgresStore(database)) as restarted:
            project_slab(restarted, LOG, make_slab(2, 3))
        with closing(PostgresStore(database, read_only=True)) as reader:
            assert (reader.schema, count_exchanges(reader)) == ("mutua_read_1", 3)
        with open_connection(database) as connection:
            query = "SELECT schema_name FROM mutua_control.answering"
            assert connection.run(connection.raw.fetchval(query)) == "mutua_read_2"

    def test_snapshot_fails_when_other_read_models_become_active(
        self, store: PostgresStore, database: str
    ) -> None:
        """The other read models may have given newer answers already."""
        project_slab(store, LOG, make_slab(0, 2))
        with closing(PostgresStore(database, read_only=True)) as reader:
            execute_sql(
                database,
                "CREATE SCHEMA mutua_read_2",
                f"CREATE TABLE mutua_read_2.model AS SELECT {MODEL_VERSION} AS version",
                "UPDATE mutua_control.answering SET schema_name = 'mutua_read_2'",
            )
            with (
                pytest.raises(
                    LogUnavailableError,
                    match="other read models have just become active; ask again",
                ),
                reader.open_snapshot(0),
            ):
                pass

    def test_recreates_dropped_read_models_under_another_name(
        self, store: PostgresStore, database: str
    ) -> None:
        project_slab(store, LOG, make_slab(0, 3))
        execute_sql(database, "DROP SCHEMA mutua_read_1 CASCADE")
        with closing(PostgresStore(database)) as again:
            assert (again.schema, again.read_watermark(0)) == ("mutua_read_2", None)
            project_slab(again, LOG, make_slab(0, 2))
        with closing(PostgresStore(database, read_only=True)) as reader:
            assert (reader.schema, count_exchanges(reader)) == ("mutua_read_2", 2)

    @pytest.mark.parametrize(
        ("make_url", "error"),
        [
            (lambda url: f"{url}_not_there", "does not exist"),
            (lambda url: "postgresql://nobody@127.0.0.1:1/none", "refused|Connect call failed"),
        ],
    )
    def test_names_an_unreachable_database(
        self, database: str, make_url: Callable[[str], str], error: str
    ) -> None:
        with pytest.raises(LogUnavailableError, match=error):
            PostgresStore(make_url(database))


class TestFencing:
    def test_owners_number_programmes_without_collision(
        self, store: PostgresStore, database: str
    ) -> None:
        with closing(PostgresStore(database)) as other:
            project_slab(store, LOG, make_slab(0, 2, programme="one"))
            project_slab(other, LOG, make_slab(0, 3, programme="two"), partition=1)
            project_slab(store, LOG, make_slab(2, 4, programme="three"))
            numbers = [row[0] for row in read_all_tables(store)["programme"]]
            assert len(set(numbers)) == 3
            with other.open_snapshot(1) as snapshot:
                assert (
                    snapshot.read_next_offset(),
                    snapshot.read_counts("two").exchange_count,
                ) == (
                    3,
                    3,
                )

    @pytest.mark.parametrize("fenced", [True, False])
    def test_takeover_ends_owner_that_stopped_sending_rows(
        self, store: PostgresStore, database: str, monkeypatch: pytest.MonkeyPatch, *, fenced: bool
    ) -> None:
        """With `fence` at once, without it after LOCK_SECONDS of waiting for its lock."""
        write = slab.insert_rows

        def project_elsewhere() -> None:
            with closing(PostgresStore(database)) as other:
                if fenced:
                    other.fence([0])
                project_slab(other, LOG, make_slab(0, 3))

        def send_late(rows: list[Any]) -> Iterator[Any]:
            with ThreadPoolExecutor(1) as thread:
                thread.submit(project_elsewhere).result(LOCK_SECONDS * (1 if fenced else 2))
            yield from rows

        async def insert_late(raw: Any, rows: slab.StagedRows, *more: Any) -> None:
            monkeypatch.setattr(slab, "insert_rows", write)
            await write(raw, {**rows, "fact": send_late(rows["fact"])}, *more)  # type: ignore[dict-item]

        monkeypatch.setattr(slab, "insert_rows", insert_late)
        with pytest.raises(FencedWriterError):
            project_slab(store, LOG, make_slab(0, 3))
        assert count_exchanges(store) == 3

    def test_takeover_ends_owner_that_locks_the_position(
        self, store: PostgresStore, database: str
    ) -> None:
        project_slab(store, LOG, make_slab(0, 2))
        with open_connection(database, idle_in_transaction_session_timeout="0") as frozen:
            frozen.run(frozen.raw.execute(f"BEGIN; SET LOCAL application_name = '{OWNER}'"))
            frozen.run(frozen.raw.execute("UPDATE mutua_read_1.position SET next_offset = 9"))
            project_slab(store, LOG, make_slab(2, 5))
        assert count_exchanges(store) == 5


class TestLostConnection:
    def test_slab_continues_on_a_new_connection(
        self, store: PostgresStore, database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        project_slab(store, LOG, make_slab(0, 2))
        lost_pids: list[int] = []

        def lose(name: str) -> None:
            if name == "in_slab" and not lost_pids:
                lost_pids.append(store._open_writer().raw.get_server_pid())
                execute_sql(database, f"SELECT pg_terminate_backend({lost_pids[0]}, 5000)")

        monkeypatch.setattr(postgres_store, "failpoint", lose)
        project_slab(store, LOG, make_slab(2, 5))
        assert (len(lost_pids), count_exchanges(store)) == (1, 5)

    @pytest.mark.parametrize("committed", [True, False])
    def test_outcome_of_unconfirmed_commit_is_determined(
        self,
        store: PostgresStore,
        database: str,
        monkeypatch: pytest.MonkeyPatch,
        *,
        committed: bool,
    ) -> None:
        commit = PostgresConnection.commit
        losses: list[bool] = []

        def lose(connection: PostgresConnection) -> None:
            if not losses:
                losses.append(True)
                if committed:
                    commit(connection)
                execute_sql(
                    database,
                    f"SELECT pg_terminate_backend({connection.raw.get_server_pid()}, 5000)",
                )
                connection.run(connection.raw.execute("SELECT 1"))
            commit(connection)

        monkeypatch.setattr(PostgresConnection, "commit", lose)
        end = project_slab(store, LOG, make_slab(0, 3))
        project_slab(store, LOG, make_slab(3, 5))
        assert (len(losses), end.next_offset, count_exchanges(store)) == (1, 3, 5)
        with pytest.raises(FencedWriterError):
            project_slab(store, LOG, make_slab(3, 5))

    def test_slab_fails_temporarily_while_database_rejects_connections(
        self, store: PostgresStore, database: str, postgres: str
    ) -> None:
        project_slab(store, LOG, make_slab(0, 2))
        name = database.rpartition("/")[2]
        execute_sql(postgres, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        execute_sql(
            postgres,
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
        )
        for _ in range(2):
            with pytest.raises(StoreBusyError, match="not currently accepting connections"):
                project_slab(store, LOG, make_slab(2, 5))
        with pytest.raises(LogUnavailableError), store.open_snapshot(0):
            pass
        execute_sql(postgres, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        project_slab(store, LOG, make_slab(2, 5))
        assert count_exchanges(store) == 5

    def test_slab_fails_temporarily_while_disk_is_full(
        self, store: PostgresStore, database: str
    ) -> None:
        project_slab(store, LOG, make_slab(0, 2))
        execute_sql(
            database,
            """
        CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100'; END $$;
        CREATE TRIGGER full_disk BEFORE INSERT ON mutua_read_1.leg
        FOR EACH ROW EXECUTE FUNCTION full_disk()
        """,
        )
        before = read_all_tables(store)
        with pytest.raises(StoreBusyError, match="No space left"):
            project_slab(store, LOG, make_slab(2, 4))
        assert read_all_tables(store) == before
        execute_sql(database, "DROP TRIGGER full_disk ON mutua_read_1.leg")
        project_slab(store, LOG, make_slab(2, 4))
        assert count_exchanges(store) == 4

    def test_reader_reconnects_after_losing_a_snapshot(
        self, store: PostgresStore, database: str
    ) -> None:
        def ask(reader: PostgresStore) -> None:
            with reader.open_snapshot(0) as snapshot:
                driver: Any = snapshot.connection.connection.driver_connection
                pid = driver.raw.get_server_pid()
                execute_sql(database, f"SELECT pg_terminate_backend({pid}, 5000)")
                driver._loop.call_soon(driver._loop.stop)
                # Reads the last message of the server, but not the end of the stream.
                driver._loop.run_forever()
                snapshot.read_numbers(snapshot.connection, ["next_offset"], "position", ())

        project_slab(store, LOG, make_slab(0, 3))
        with closing(PostgresStore(database, read_only=True)) as reader:
            with pytest.raises(LogUnavailableError):
                ask(reader)
            assert count_exchanges(reader) == 3

    def test_slab_is_repeated_if_server_closed_before_commit(
        self, store: PostgresStore, database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ended_at: list[str] = []

        def end_once(point: str) -> None:
            if point == "in_slab" and not ended_at:
                ended_at.append(point)
                writer = store._open_writer()
                execute_sql(database, f"SELECT pg_terminate_backend({writer.raw.get_server_pid()})")
                while not writer.raw.is_closed():
                    writer.run(asyncio.sleep(0.01))

        monkeypatch.setattr(postgres_store, "failpoint", end_once)
        end = project_slab(store, LOG, make_slab(0, 3))
        assert (ended_at, store.read_watermark(0), count_exchanges(store)) == (["in_slab"], end, 3)

    @pytest.mark.parametrize("which", ["reading", "projecting"])
    def test_losing_one_connection_replaces_both(
        self, store: PostgresStore, database: str, which: str
    ) -> None:
        project_slab(store, LOG, make_slab(0, 2))
        before = _connections(database)
        assert len(before) == 2
        execute_sql(
            database, f"SELECT pg_terminate_backend({before[f'mutua_read_1 {which}']}, 5000)"
        )

        project_slab(store, LOG, make_slab(2, 5))
        assert count_exchanges(store) == 5
        after = _connections(database)
        assert (after.keys(), {*after.values()} & {*before.values()}) == (before.keys(), set())


def _connections(database: str) -> dict[str, int]:
    """Server processes of a store's connections by application name."""
    with open_connection(database) as other:
        rows = other.run(
            other.raw.fetch(
                "SELECT application_name, pid FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name LIKE 'mutua_read_%'"
            )
        )
    return {row["application_name"]: row["pid"] for row in rows}


class TestSql:
    def test_statement_timeout_ends_a_query(self, store: PostgresStore) -> None:
        def ask() -> None:
            with store.open_snapshot(0) as snapshot:
                snapshot.limit_statement_time(0.05)
                snapshot.connection.exec_driver_sql("SELECT pg_sleep(5)")

        with pytest.raises(LogUnavailableError, match="statement timeout"):
            ask()

    def test_every_slab_is_notified(self, store: PostgresStore, database: str) -> None:
        notifications: list[str] = []
        with open_connection(database) as listener:
            listener.run(
                listener.raw.add_listener(
                    "mutua_read_1", lambda *message: notifications.append(message[-1])
                )
            )
            project_slab(store, LOG, make_slab(0, 3))
            listener.run(listener.raw.execute("SELECT 1"))
        assert notifications == ["0 3"]

    def test_statements_are_planned_for_current_table_sizes(self, store: PostgresStore) -> None:
        for start in range(10):  # PostgreSQL would cache a generic plan after five
            project_slab(store, LOG, make_slab(start, start + 1))
            store.find_used_event_ids("default", ["a", "b"])
        writer = store._open_writer()
        plans = writer.run(
            writer.raw.fetchrow(
                "SELECT sum(generic_plans) AS generic, sum(custom_plans) AS custom "
                "FROM pg_prepared_statements WHERE cardinality(parameter_types) > 0"
            )
        )
        assert (plans["generic"], plans["custom"] >= 10) == (0, True)

    def test_text_columns_sort_by_code_point(
        self,
        store: PostgresStore,
    ) -> None:
        with store.open_snapshot(0) as snapshot:
            columns = snapshot.connection.exec_driver_sql(
                "SELECT table_name || '.' || column_name, collation_name "
                "FROM information_schema.columns WHERE table_schema = current_schema() "
                "AND data_type IN ('text', 'character varying')"
            )
            collations: dict[str, str] = {row[0]: row[1] for row in columns}
        assert collations["party.organization_id"] == "C"
        assert set(collations.values()) == {"C"}

    def test_value_longer_than_a_page_is_stored(self, store: PostgresStore) -> None:
        record = exchange(0)
        long = _with_receivers(record.value, [f"{number:0128d}" for number in range(2_000)])
        project_slab(store, LOG, [record._replace(value=long)])
        with store.open_snapshot(0) as snapshot:
            ((revision,),) = snapshot.read_exchanges("default", ExchangeFilter(), (), None, 9)
        assert len(long) > 256_000
        assert revision.value == long


def _with_receivers(value: bytes, names: list[str]) -> bytes:
    event = Event.FromString(value)
    event.exchange_recorded.exchange.receiver_ids[:] = names
    return event.SerializeToString()
