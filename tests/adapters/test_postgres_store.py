"""What only PostgreSQL can do to the read models: other writers, other versions, going away."""

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
def connected(url: str, **settings: str) -> Iterator[PostgresConnection]:
    with closing(PostgresConnection(url, settings)) as connection:
        yield connection


@pytest.fixture
def store(database: str) -> Iterator[PostgresStore]:
    with closing(PostgresStore(database)) as store:
        yield store


def test_of_several_that_open_an_empty_database_one_makes_the_tables(database: str) -> None:
    with ThreadPoolExecutor(6) as threads, ExitStack() as opened:
        stores = list(threads.map(lambda _: PostgresStore(database), range(6)))
        for each in stores:
            opened.callback(each.close)
        assert {each.schema for each in stores} == {"mutua_read_1"}


def test_read_models_of_a_newer_mutua_are_refused(store: PostgresStore, database: str) -> None:
    execute_sql(database, f"UPDATE mutua_read_1.model SET version = {MODEL_VERSION + 1}")
    for read_only in (True, False):
        with pytest.raises(NewerSchemaError, match=f"reads up to {MODEL_VERSION}; upgrade mutua"):
            PostgresStore(database, read_only=read_only)


def test_older_read_models_answer_until_the_new_are_as_far(
    store: PostgresStore, database: str
) -> None:
    project_slab(store, LOG, make_slab(0, 3))
    execute_sql(database, f"UPDATE mutua_read_1.model SET version = {MODEL_VERSION - 1}")
    with closing(PostgresStore(database)) as new:
        assert (new.schema, new.read_watermark(0)) == ("mutua_read_2", None)
        project_slab(new, LOG, make_slab(0, 2))
        with pytest.raises(ForeignDataError, match="a projector of this version makes new ones"):
            PostgresStore(database, read_only=True)
        project_slab(new, LOG, make_slab(2, 3))
        with closing(PostgresStore(database, read_only=True)) as reader:
            assert (reader.schema, count_exchanges(reader)) == ("mutua_read_2", 3)


def test_those_of_before_go_on_beside_newer_ones_that_answer(
    store: PostgresStore, database: str
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
    with connected(database) as connection:
        asked = "SELECT schema_name FROM mutua_control.answering"
        assert connection.run(connection.raw.fetchval(asked)) == "mutua_read_2"


def test_who_asks_is_told_when_others_have_come_to_answer(
    store: PostgresStore, database: str
) -> None:
    """Those may have told newer answers already."""
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
                LogUnavailableError, match="other read models have just become active; ask again"
            ),
            reader.open_snapshot(0),
        ):
            pass


def test_read_models_that_were_dropped_are_made_again_under_another_name(
    store: PostgresStore, database: str
) -> None:
    project_slab(store, LOG, make_slab(0, 3))
    execute_sql(database, "DROP SCHEMA mutua_read_1 CASCADE")
    with closing(PostgresStore(database)) as again:
        assert (again.schema, again.read_watermark(0)) == ("mutua_read_2", None)
        project_slab(again, LOG, make_slab(0, 2))
    with closing(PostgresStore(database, read_only=True)) as reader:
        assert (reader.schema, count_exchanges(reader)) == ("mutua_read_2", 2)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda url: f"{url}_not_there", "does not exist"),
        (lambda url: "postgresql://nobody@127.0.0.1:1/none", "refused|Connect call failed"),
    ],
)
def test_a_database_that_is_not_there_is_named(
    database: str, wrong: Callable[[str], str], says: str
) -> None:
    with pytest.raises(LogUnavailableError, match=says):
        PostgresStore(wrong(database))


def test_programmes_of_several_owners_have_numbers_of_their_own(
    store: PostgresStore, database: str
) -> None:
    with closing(PostgresStore(database)) as other:
        project_slab(store, LOG, make_slab(0, 2, programme="one"))
        project_slab(other, LOG, make_slab(0, 3, programme="two"), partition=1)
        project_slab(store, LOG, make_slab(2, 4, programme="three"))
        numbers = [row[0] for row in read_all_tables(store)["programme"]]
        assert len(set(numbers)) == 3
        with other.open_snapshot(1) as snapshot:
            assert (snapshot.read_next_offset(), snapshot.read_counts("two").exchange_count) == (
                3,
                3,
            )


@pytest.mark.parametrize("fenced", [True, False])
def test_an_owner_that_stops_while_it_sends_rows_is_ended(
    store: PostgresStore, database: str, monkeypatch: pytest.MonkeyPatch, *, fenced: bool
) -> None:
    """At once by who takes its partition over, or when it turns out that it is in the way."""
    write = slab.insert_rows

    def project_elsewhere() -> None:
        with closing(PostgresStore(database)) as other:
            if fenced:
                other.fence([0])
            project_slab(other, LOG, make_slab(0, 3))

    def sent_late(rows: list[Any]) -> Iterator[Any]:
        with ThreadPoolExecutor(1) as thread:
            thread.submit(project_elsewhere).result(LOCK_SECONDS * (1 if fenced else 2))
        yield from rows

    async def late(raw: Any, rows: slab.StagedRows, *given: Any) -> None:
        monkeypatch.setattr(slab, "insert_rows", write)
        await write(raw, {**rows, "fact": sent_late(rows["fact"])}, *given)  # type: ignore[dict-item]

    monkeypatch.setattr(slab, "insert_rows", late)
    with pytest.raises(FencedWriterError):
        project_slab(store, LOG, make_slab(0, 3))
    assert count_exchanges(store) == 3


def test_an_owner_that_holds_the_position_is_ended(store: PostgresStore, database: str) -> None:
    project_slab(store, LOG, make_slab(0, 2))
    with connected(database, idle_in_transaction_session_timeout="0") as frozen:
        frozen.run(frozen.raw.execute(f"BEGIN; SET LOCAL application_name = '{OWNER}'"))
        frozen.run(frozen.raw.execute("UPDATE mutua_read_1.position SET next_offset = 9"))
        project_slab(store, LOG, make_slab(2, 5))
    assert count_exchanges(store) == 5


def test_a_connection_lost_in_the_middle_of_a_slab_is_replaced(
    store: PostgresStore, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_slab(store, LOG, make_slab(0, 2))
    lost: list[int] = []

    def lose(name: str) -> None:
        if name == "in_slab" and not lost:
            lost.append(store._open_writer().raw.get_server_pid())
            execute_sql(database, f"SELECT pg_terminate_backend({lost[0]}, 5000)")

    monkeypatch.setattr(postgres_store, "failpoint", lose)
    project_slab(store, LOG, make_slab(2, 5))
    assert (len(lost), count_exchanges(store)) == (1, 5)


@pytest.mark.parametrize("committed", [True, False])
def test_a_commit_that_was_not_answered_is_found_out(
    store: PostgresStore, database: str, monkeypatch: pytest.MonkeyPatch, *, committed: bool
) -> None:
    commit = PostgresConnection.commit
    lost: list[bool] = []

    def lose(connection: PostgresConnection) -> None:
        if not lost:
            lost.append(True)
            if committed:
                commit(connection)
            execute_sql(
                database, f"SELECT pg_terminate_backend({connection.raw.get_server_pid()}, 5000)"
            )
            connection.run(connection.raw.execute("SELECT 1"))
        commit(connection)

    monkeypatch.setattr(PostgresConnection, "commit", lose)
    end = project_slab(store, LOG, make_slab(0, 3))
    project_slab(store, LOG, make_slab(3, 5))
    assert (len(lost), end.next_offset, count_exchanges(store)) == (1, 3, 5)
    with pytest.raises(FencedWriterError):
        project_slab(store, LOG, make_slab(3, 5))


def test_projecting_waits_while_the_database_is_away(
    store: PostgresStore, database: str, postgres: str
) -> None:
    project_slab(store, LOG, make_slab(0, 2))
    name = database.rpartition("/")[2]
    execute_sql(postgres, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    execute_sql(
        postgres, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    )
    for _ in range(2):
        with pytest.raises(StoreBusyError, match="not currently accepting connections"):
            project_slab(store, LOG, make_slab(2, 5))
    with pytest.raises(LogUnavailableError), store.open_snapshot(0):
        pass
    execute_sql(postgres, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    project_slab(store, LOG, make_slab(2, 5))
    assert count_exchanges(store) == 5


def test_projecting_waits_while_the_disk_is_full(store: PostgresStore, database: str) -> None:
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


def test_a_question_ends_with_its_deadline(store: PostgresStore) -> None:
    def ask() -> None:
        with store.open_snapshot(0) as snapshot:
            snapshot.limit_statement_time(0.05)
            snapshot.connection.exec_driver_sql("SELECT pg_sleep(5)")

    with pytest.raises(LogUnavailableError, match="statement timeout"):
        ask()


def test_a_connection_lost_between_two_parts_of_an_answer_is_replaced(
    store: PostgresStore, database: str
) -> None:
    def ask(reader: PostgresStore) -> None:
        with reader.open_snapshot(0) as snapshot:
            driver: Any = snapshot.connection.connection.driver_connection
            pid = driver.raw.get_server_pid()
            execute_sql(database, f"SELECT pg_terminate_backend({pid}, 5000)")
            driver._loop.call_soon(driver._loop.stop)
            driver._loop.run_forever()  # its last word is read, and not that it was the last
            snapshot.read_numbers(snapshot.connection, ["next_offset"], "position", ())

    project_slab(store, LOG, make_slab(0, 3))
    with closing(PostgresStore(database, read_only=True)) as reader:
        with pytest.raises(LogUnavailableError):
            ask(reader)
        assert count_exchanges(reader) == 3


def test_who_listens_hears_of_each_slab(store: PostgresStore, database: str) -> None:
    heard: list[str] = []
    with connected(database) as listener:
        listener.run(
            listener.raw.add_listener("mutua_read_1", lambda *told: heard.append(told[-1]))
        )
        project_slab(store, LOG, make_slab(0, 3))
        listener.run(listener.raw.execute("SELECT 1"))
    assert heard == ["0 3"]


def test_a_server_that_ends_the_connection_before_the_commit_has_not_committed(
    store: PostgresStore, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []

    def end_once(point: str) -> None:
        if point == "in_slab" and not ended:
            ended.append(point)
            writer = store._open_writer()
            execute_sql(database, f"SELECT pg_terminate_backend({writer.raw.get_server_pid()})")
            while not writer.raw.is_closed():
                writer.run(asyncio.sleep(0.01))

    monkeypatch.setattr(postgres_store, "failpoint", end_once)
    end = project_slab(store, LOG, make_slab(0, 3))
    assert (ended, store.read_watermark(0), count_exchanges(store)) == (["in_slab"], end, 3)


@pytest.mark.parametrize("which", ["reading", "projecting"])
def test_where_one_connection_was_lost_no_other_is_waited_for(
    store: PostgresStore, database: str, which: str
) -> None:
    project_slab(store, LOG, make_slab(0, 2))
    before = _connections(database)
    assert len(before) == 2
    execute_sql(database, f"SELECT pg_terminate_backend({before[f'mutua_read_1 {which}']}, 5000)")

    project_slab(store, LOG, make_slab(2, 5))
    assert count_exchanges(store) == 5
    after = _connections(database)
    assert (after.keys(), {*after.values()} & {*before.values()}) == (before.keys(), set())


def _connections(database: str) -> dict[str, int]:
    """Processes of the server that serve a store, by what they do."""
    with connected(database) as other:
        found = other.run(
            other.raw.fetch(
                "SELECT application_name, pid FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name LIKE 'mutua_read_%'"
            )
        )
    return {row["application_name"]: row["pid"] for row in found}


def test_no_plan_is_kept_from_when_a_table_was_small(store: PostgresStore) -> None:
    for start in range(10):  # after five PostgreSQL would keep one
        project_slab(store, LOG, make_slab(start, start + 1))
        store.find_used_event_ids("default", ["a", "b"])
    writer = store._open_writer()
    found = writer.run(
        writer.raw.fetchrow(
            "SELECT sum(generic_plans) AS kept, sum(custom_plans) AS made "
            "FROM pg_prepared_statements WHERE cardinality(parameter_types) > 0"
        )
    )
    assert (found["kept"], found["made"] >= 10) == (0, True)


def test_text_is_in_order_of_code_points_whatever_the_database_is_set_to(
    store: PostgresStore,
) -> None:
    with store.open_snapshot(0) as snapshot:
        columns = snapshot.connection.exec_driver_sql(
            "SELECT table_name || '.' || column_name, collation_name "
            "FROM information_schema.columns WHERE table_schema = current_schema() "
            "AND data_type IN ('text', 'character varying')"
        )
        found: dict[str, str] = {row[0]: row[1] for row in columns}
    assert found["party.organization_id"] == "C"
    assert set(found.values()) == {"C"}


def test_what_is_too_long_for_a_page_is_kept(store: PostgresStore) -> None:
    record = exchange(0)
    long = _with_receivers(record.value, [f"{number:0128d}" for number in range(2_000)])
    project_slab(store, LOG, [record._replace(value=long)])
    with store.open_snapshot(0) as snapshot:
        ((found,),) = snapshot.read_exchanges("default", ExchangeFilter(), (), None, 9)
    assert len(long) > 256_000
    assert found.value == long


def _with_receivers(value: bytes, names: list[str]) -> bytes:
    event = Event.FromString(value)
    event.exchange_recorded.exchange.receiver_ids[:] = names
    return event.SerializeToString()
