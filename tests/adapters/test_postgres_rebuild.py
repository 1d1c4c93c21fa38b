"""PostgresRebuild: a build, the switch-over, and dropping superseded read models."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

import pytest

from services.adapters.postgres.driver import PostgresConnection
from services.adapters.postgres.rebuild import PostgresRebuild, PostgresRebuildStore
from services.adapters.postgres.schema import Build
from services.adapters.postgres.store import PostgresStore, select_build
from services.adapters.sql_store.tables import MODEL_VERSION
from services.ledger.errors import (
    DataInUseError,
    FailedPreconditionError,
    LogUnavailableError,
    NewerSchemaError,
    NotFoundError,
    SupersededReadModelsError,
)
from services.ledger.records import Record, Watermark
from services.projector.slab import project_slab
from tests.adapters.test_store import LOG, PROGRAMME, count_exchanges, make_slab
from tests.bench.batch_recording import serialize_record
from tests.cluster.chaos.workload import FactGenerator
from tests.databases import execute_sql
from tests.projector.slab_projection import read_tables


@pytest.fixture
def store(database: str) -> Iterator[PostgresStore]:
    """The active read models, with three facts."""
    with closing(PostgresStore(database)) as store:
        project_slab(store, LOG, make_slab(0, 3))
        yield store


@pytest.fixture
def rebuild(database: str, store: PostgresStore) -> Iterator[PostgresRebuild]:
    with closing(PostgresRebuild(database)) as rebuild:
        yield rebuild


def create_finished_build(database: str, rebuild: PostgresRebuild, count: int) -> Build:
    """New read models with `count` facts."""
    new = rebuild.create_build()
    with closing(PostgresRebuildStore(database, build=new)) as store:
        project_slab(store, LOG, make_slab(0, count))
    rebuild.finish_build(new)
    return new


def list_schemas(database: str) -> list[str]:
    with closing(PostgresConnection(database, {})) as connection:
        rows = connection.run(
            connection.raw.fetch("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'mutua_%'")
        )
    return sorted(row[0] for row in rows)


def list_indexes(database: str, schema: str) -> set[str]:
    query = "SELECT indexdef FROM pg_indexes WHERE schemaname = $1"
    with closing(PostgresConnection(database, {})) as connection:
        rows = connection.run(connection.raw.fetch(query, schema))
    return {row[0].replace(schema, "SCHEMA") for row in rows}


class TestBuild:
    def test_has_rows_and_indexes_of_live_projection(self, database: str) -> None:
        content = FactGenerator(random.Random(3))
        values = [serialize_record(event) for _ in range(150) for event in content.next_request()]
        records = [Record(at, 1_000 + at, PROGRAMME, value) for at, value in enumerate(values)]
        with (
            closing(PostgresStore(database)) as live,
            closing(PostgresRebuild(database)) as rebuild,
        ):
            for start in range(0, len(records), 40):
                project_slab(live, LOG, records[start : start + 40])
            new = rebuild.create_build()
            with closing(PostgresRebuildStore(database, build=new)) as building:
                for start in range(0, len(records), 90):
                    project_slab(building, LOG, records[start : start + 90])
                rebuild.finish_build(new)
                assert read_tables(building) == read_tables(live)
                assert len(read_tables(live)["quarantine"]) > 0
            assert list_indexes(database, new.schema) == list_indexes(database, live.schema)

    def test_second_rebuild_is_refused(self, database: str, rebuild: PostgresRebuild) -> None:
        with pytest.raises(
            DataInUseError, match=r"at work on this database since .*; wait for it, or end"
        ):
            PostgresRebuild(database)
        rebuild.close()
        PostgresRebuild(database).close()

    def test_unfinished_build_is_dropped(self, database: str, rebuild: PostgresRebuild) -> None:
        first = rebuild.create_build().schema
        assert list_schemas(database) == [first, "mutua_control", "mutua_read_1"]
        second = rebuild.create_build().schema
        assert list_schemas(database) == [second, "mutua_control", "mutua_read_1"]
        assert rebuild.drop_superseded() == [second]
        assert list_schemas(database) == ["mutua_control", "mutua_read_1"]


class TestSwitchOver:
    def test_superseded_read_models_stop(
        self, database: str, store: PostgresStore, rebuild: PostgresRebuild
    ) -> None:
        new = create_finished_build(database, rebuild, 4)
        replaced = rebuild.switch_over(new, LOG, lambda positions: None)
        assert (replaced.schema, rebuild.list_superseded()) == ("mutua_read_2", ["mutua_read_1"])
        with pytest.raises(
            SupersededReadModelsError, match="mutua_read_2 is to be written instead of mutua_read_1"
        ):
            project_slab(store, LOG, make_slab(3, 6))
        with pytest.raises(SupersededReadModelsError):
            store.require_current()
        assert count_exchanges(store) == 3
        assert not rebuild.is_projected(replaced)
        active = select_build(database)
        assert (active.schema, active.group) == ("mutua_read_2", f"{MODEL_VERSION}-2")
        assert rebuild.is_projected(replaced)
        with closing(PostgresStore(database, build=active)) as projecting:
            project_slab(projecting, LOG, make_slab(4, 6))
        with closing(PostgresStore(database, read_only=True)) as reader:
            assert (reader.name, count_exchanges(reader)) == ("mutua_read_2", 6)

    def test_active_read_models_are_locked_meanwhile(
        self, database: str, store: PostgresStore, rebuild: PostgresRebuild
    ) -> None:
        new = create_finished_build(database, rebuild, 3)
        with ThreadPoolExecutor(1) as thread:

            def reach(positions: object) -> None:
                assert positions == {0: 3}
                slabs.append(thread.submit(project_slab, store, LOG, make_slab(3, 6)))
                with closing(PostgresConnection(database, {})) as connection:
                    query = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                    while not connection.run(connection.raw.fetchval(query)):
                        pass

            slabs: list[Future[Watermark]] = []
            rebuild.switch_over(new, LOG, reach)
            [slab_under_way] = slabs
            with pytest.raises(SupersededReadModelsError):
                slab_under_way.result()
        assert count_exchanges(store) == 3

    def test_first_read_models_can_be_built(self, database: str) -> None:
        with closing(PostgresRebuild(database)) as rebuild:
            first = rebuild.switch_over(
                create_finished_build(database, rebuild, 3), LOG, lambda _: None
            )
            assert (first.schema, rebuild.list_superseded()) == ("mutua_read_1", [])
        with closing(PostgresStore(database)) as projecting:
            project_slab(projecting, LOG, make_slab(3, 5))
            assert count_exchanges(projecting) == 5

    def test_failure_to_catch_up_changes_nothing(
        self, database: str, store: PostgresStore, rebuild: PostgresRebuild
    ) -> None:
        def fail(_: object) -> None:
            raise ZeroDivisionError

        new = create_finished_build(database, rebuild, 3)
        with pytest.raises(ZeroDivisionError):
            rebuild.switch_over(new, LOG, fail)
        project_slab(store, LOG, make_slab(3, 6))
        with closing(PostgresStore(database, read_only=True)) as reader:
            assert (reader.name, count_exchanges(reader)) == ("mutua_read_1", 6)

    def test_ignores_positions_of_another_log(
        self, database: str, store: PostgresStore, rebuild: PostgresRebuild
    ) -> None:
        new = rebuild.create_build()
        requested_positions: list[object] = []
        rebuild.switch_over(new, "1" * 32, requested_positions.append)
        assert requested_positions == [{}]

    def test_newer_active_version_does_not_stop_projection(
        self, database: str, store: PostgresStore
    ) -> None:
        execute_sql(
            database,
            "CREATE SCHEMA mutua_read_2",
            f"CREATE TABLE mutua_read_2.model AS SELECT {MODEL_VERSION + 1} AS version",
            "UPDATE mutua_control.answering SET schema_name = 'mutua_read_2'",
        )
        store.require_current()
        project_slab(store, LOG, make_slab(3, 6))
        assert count_exchanges(store) == 6
        with pytest.raises(NewerSchemaError, match="upgrade mutua"):
            PostgresRebuild(database)

    def test_previous_read_models_become_active_again(
        self, database: str, store: PostgresStore, rebuild: PostgresRebuild
    ) -> None:
        with pytest.raises(NotFoundError, match="mutua rebuild makes new ones"):
            rebuild.find_previous()
        rebuild.switch_over(create_finished_build(database, rebuild, 3), LOG, lambda _: None)
        back = rebuild.switch_over(rebuild.find_previous(), LOG, lambda _: None)
        assert (back.schema, rebuild.list_superseded()) == ("mutua_read_3", ["mutua_read_2"])
        active = select_build(database)
        assert (active.schema, active.group) == ("mutua_read_3", str(MODEL_VERSION))
        execute_sql(
            database,
            "CREATE SCHEMA mutua_read_4",
            f"CREATE TABLE mutua_read_4.model AS SELECT {MODEL_VERSION + 1} AS version",
        )
        assert rebuild.drop_superseded() == ["mutua_read_2"]
        assert list_schemas(database) == ["mutua_control", "mutua_read_3", "mutua_read_4"]

    def test_reader_of_dropped_read_models_must_ask_again(
        self, database: str, rebuild: PostgresRebuild
    ) -> None:
        def ask(reader: PostgresStore) -> None:
            with reader.open_snapshot(0) as snapshot:
                rebuild.switch_over(
                    create_finished_build(database, rebuild, 3), LOG, lambda _: None
                )
                rebuild.drop_superseded()
                snapshot.read_next_offset()

        with closing(PostgresStore(database, read_only=True)) as reader:
            assert count_exchanges(reader) == 3
            with pytest.raises(LogUnavailableError, match="others are active; ask again"):
                ask(reader)


DEPENDENTS = {
    "view public.weekly": "CREATE VIEW public.weekly AS SELECT count(*) FROM mutua_read_1.exchange",
    "materialized view public.daily": "CREATE MATERIALIZED VIEW public.daily AS "
    "SELECT * FROM mutua_read_1.exchange",
    "view mutua_read_1.inside": "CREATE VIEW mutua_read_1.inside AS SELECT 1 AS one",
    "function mutua_read_1.inside()": "CREATE FUNCTION mutua_read_1.inside() RETURNS int "
    "LANGUAGE sql AS 'SELECT 1'",
    "table constraint known on public.note": "CREATE TABLE public.note (programme int CONSTRAINT "
    "known REFERENCES mutua_read_1.programme (programme))",
    "table public.ticket": "CREATE TABLE public.ticket (number int "
    "DEFAULT nextval('mutua_read_1.programme_number'))",
    "publication relation mutua_read_1.exchange in publication changes": "CREATE PUBLICATION "
    "changes FOR TABLE mutua_read_1.exchange",
    "trigger shout on mutua_read_1.exchange": "CREATE TRIGGER shout AFTER INSERT ON "
    "mutua_read_1.exchange EXECUTE FUNCTION suppress_redundant_updates_trigger()",
}


class TestDropSuperseded:
    @pytest.fixture(autouse=True)
    def switch_over(self, database: str, store: PostgresStore, rebuild: PostgresRebuild) -> None:
        """mutua_read_1 is superseded, mutua_read_2 is active."""
        rebuild.switch_over(create_finished_build(database, rebuild, 3), LOG, lambda _: None)

    @pytest.mark.parametrize(("dependent", "statement"), DEPENDENTS.items(), ids=DEPENDENTS)
    def test_refuses_while_a_foreign_object_depends_on_them(
        self, database: str, rebuild: PostgresRebuild, dependent: str, statement: str
    ) -> None:
        execute_sql(database, statement)
        before = list_schemas(database)
        with pytest.raises(FailedPreconditionError) as raised:
            rebuild.drop_superseded()
        assert f"nothing was deleted: {dependent} would be deleted" in raised.value.message
        assert "make them of the active schema (mutua_read_2)" in raised.value.message
        assert list_schemas(database) == before

    def test_names_ten_dependents_and_counts_the_rest(
        self, database: str, rebuild: PostgresRebuild
    ) -> None:
        for number in range(13):
            view = f"CREATE VIEW public.v{number:02d} AS SELECT * FROM mutua_read_1.exchange"
            execute_sql(database, view)
        with pytest.raises(
            FailedPreconditionError, match=r"view public\.v09 and 3 more would be deleted"
        ):
            rebuild.drop_superseded()

    def test_drops_nothing_if_one_cannot_be_dropped(
        self, database: str, rebuild: PostgresRebuild
    ) -> None:
        rebuild.switch_over(create_finished_build(database, rebuild, 3), LOG, lambda _: None)
        execute_sql(database, "CREATE VIEW public.weekly AS SELECT * FROM mutua_read_2.exchange")
        with pytest.raises(FailedPreconditionError):
            rebuild.drop_superseded()
        assert {"mutua_read_1", "mutua_read_2"} <= set(list_schemas(database))

    def test_ignores_views_of_active_read_models(
        self, database: str, rebuild: PostgresRebuild
    ) -> None:
        execute_sql(database, "CREATE VIEW public.weekly AS SELECT * FROM mutua_read_2.exchange")
        assert rebuild.drop_superseded() == ["mutua_read_1"]

    def test_succeeds_once_nothing_depends_on_them(
        self, database: str, rebuild: PostgresRebuild
    ) -> None:
        execute_sql(database, "CREATE VIEW public.weekly AS SELECT * FROM mutua_read_1.exchange")
        with pytest.raises(FailedPreconditionError):
            rebuild.drop_superseded()
        execute_sql(database, "DROP VIEW public.weekly")
        assert rebuild.drop_superseded() == ["mutua_read_1"]
        assert rebuild.list_superseded() == []
