"""Read models built next to the active ones: filled, switched to, kept and dropped."""

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
def succession(database: str, store: PostgresStore) -> Iterator[PostgresRebuild]:
    with closing(PostgresRebuild(database)) as succession:
        yield succession


def built(database: str, succession: PostgresRebuild, count: int) -> Build:
    """New read models with so many facts."""
    new = succession.create_build()
    with closing(PostgresRebuildStore(database, build=new)) as store:
        project_slab(store, LOG, make_slab(0, count))
    succession.finish_build(new)
    return new


def schemas(database: str) -> list[str]:
    with closing(PostgresConnection(database, {})) as connection:
        found = connection.run(
            connection.raw.fetch("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'mutua_%'")
        )
    return sorted(row[0] for row in found)


def indexes(database: str, schema: str) -> set[str]:
    asked = "SELECT indexdef FROM pg_indexes WHERE schemaname = $1"
    with closing(PostgresConnection(database, {})) as connection:
        found = connection.run(connection.raw.fetch(asked, schema))
    return {row[0].replace(schema, "SCHEMA") for row in found}


def test_what_is_built_is_what_a_projector_writes(database: str) -> None:
    content = FactGenerator(random.Random(3))
    values = [serialize_record(event) for _ in range(150) for event in content.next_request()]
    records = [Record(at, 1_000 + at, PROGRAMME, value) for at, value in enumerate(values)]
    with closing(PostgresStore(database)) as live, closing(PostgresRebuild(database)) as succession:
        for start in range(0, len(records), 40):
            project_slab(live, LOG, records[start : start + 40])
        new = succession.create_build()
        with closing(PostgresRebuildStore(database, build=new)) as building:
            for start in range(0, len(records), 90):
                project_slab(building, LOG, records[start : start + 90])
            succession.finish_build(new)
            assert read_tables(building) == read_tables(live)
            assert len(read_tables(live)["quarantine"]) > 0
        assert indexes(database, new.schema) == indexes(database, live.schema)


def test_those_of_before_move_no_more_once_others_answer(
    database: str, store: PostgresStore, succession: PostgresRebuild
) -> None:
    new = built(database, succession, 4)
    replaced = succession.switch_over(new, LOG, lambda positions: None)
    assert (replaced.schema, succession.list_superseded()) == ("mutua_read_2", ["mutua_read_1"])
    with pytest.raises(
        SupersededReadModelsError, match="mutua_read_2 is to be written instead of mutua_read_1"
    ):
        project_slab(store, LOG, make_slab(3, 6))
    with pytest.raises(SupersededReadModelsError):
        store.require_current()
    assert count_exchanges(store) == 3
    assert not succession.is_projected(replaced)
    chosen = select_build(database)
    assert (chosen.schema, chosen.group) == ("mutua_read_2", f"{MODEL_VERSION}-2")
    assert succession.is_projected(replaced)
    with closing(PostgresStore(database, build=chosen)) as projecting:
        project_slab(projecting, LOG, make_slab(4, 6))
    with closing(PostgresStore(database, read_only=True)) as reader:
        assert (reader.name, count_exchanges(reader)) == ("mutua_read_2", 6)


def test_those_that_answer_stand_still_while_others_take_their_place(
    database: str, store: PostgresStore, succession: PostgresRebuild
) -> None:
    new = built(database, succession, 3)
    with ThreadPoolExecutor(1) as thread:

        def reach(positions: object) -> None:
            assert positions == {0: 3}
            late.append(thread.submit(project_slab, store, LOG, make_slab(3, 6)))
            with closing(PostgresConnection(database, {})) as connection:
                asked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                while not connection.run(connection.raw.fetchval(asked)):
                    pass

        late: list[Future[Watermark]] = []
        succession.switch_over(new, LOG, reach)
        [slab_under_way] = late
        with pytest.raises(SupersededReadModelsError):
            slab_under_way.result()
    assert count_exchanges(store) == 3


def test_the_first_read_models_can_be_built_too(database: str) -> None:
    with closing(PostgresRebuild(database)) as succession:
        first = succession.switch_over(built(database, succession, 3), LOG, lambda _: None)
        assert (first.schema, succession.list_superseded()) == ("mutua_read_1", [])
    with closing(PostgresStore(database)) as projecting:
        project_slab(projecting, LOG, make_slab(3, 5))
        assert count_exchanges(projecting) == 5


def test_nothing_changes_where_bringing_them_level_fails(
    database: str, store: PostgresStore, succession: PostgresRebuild
) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError

    new = built(database, succession, 3)
    with pytest.raises(ZeroDivisionError):
        succession.switch_over(new, LOG, fail)
    project_slab(store, LOG, make_slab(3, 6))
    with closing(PostgresStore(database, read_only=True)) as reader:
        assert (reader.name, count_exchanges(reader)) == ("mutua_read_1", 6)


def test_read_models_of_another_log_are_not_waited_for(
    database: str, store: PostgresStore, succession: PostgresRebuild
) -> None:
    new = succession.create_build()
    wanted: list[object] = []
    succession.switch_over(new, "1" * 32, wanted.append)
    assert wanted == [{}]


def test_that_another_version_answers_is_nothing_to_who_projects(
    database: str, store: PostgresStore
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


def test_one_rebuilds_at_a_time(database: str, succession: PostgresRebuild) -> None:
    with pytest.raises(
        DataInUseError, match=r"at work on this database since .*; wait for it, or end"
    ):
        PostgresRebuild(database)
    succession.close()
    PostgresRebuild(database).close()


def test_what_was_left_unfinished_is_dropped(database: str, succession: PostgresRebuild) -> None:
    left = succession.create_build().schema
    assert schemas(database) == [left, "mutua_control", "mutua_read_1"]
    second = succession.create_build().schema
    assert schemas(database) == [second, "mutua_control", "mutua_read_1"]
    assert succession.drop_superseded() == [second]
    assert schemas(database) == ["mutua_control", "mutua_read_1"]


def test_those_of_before_answer_again_and_are_dropped_on_demand(
    database: str, store: PostgresStore, succession: PostgresRebuild
) -> None:
    with pytest.raises(NotFoundError, match="mutua rebuild makes new ones"):
        succession.find_previous()
    succession.switch_over(built(database, succession, 3), LOG, lambda _: None)
    back = succession.switch_over(succession.find_previous(), LOG, lambda _: None)
    assert (back.schema, succession.list_superseded()) == ("mutua_read_3", ["mutua_read_2"])
    chosen = select_build(database)
    assert (chosen.schema, chosen.group) == ("mutua_read_3", str(MODEL_VERSION))
    execute_sql(
        database,
        "CREATE SCHEMA mutua_read_4",
        f"CREATE TABLE mutua_read_4.model AS SELECT {MODEL_VERSION + 1} AS version",
    )
    assert succession.drop_superseded() == ["mutua_read_2"]
    assert schemas(database) == ["mutua_control", "mutua_read_3", "mutua_read_4"]


def test_who_reads_what_was_dropped_is_told_to_ask_again(
    database: str, succession: PostgresRebuild
) -> None:
    def ask(reader: PostgresStore) -> None:
        with reader.open_snapshot(0) as snapshot:
            succession.switch_over(built(database, succession, 3), LOG, lambda _: None)
            succession.drop_superseded()
            snapshot.read_next_offset()

    with closing(PostgresStore(database, read_only=True)) as reader:
        assert count_exchanges(reader) == 3
        with pytest.raises(LogUnavailableError, match="others are active; ask again"):
            ask(reader)


FOREIGN = {
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


class TestDropKept:
    @pytest.fixture(autouse=True)
    def replaced(self, database: str, store: PostgresStore, succession: PostgresRebuild) -> None:
        """mutua_read_1 is kept, mutua_read_2 answers."""
        succession.switch_over(built(database, succession, 3), LOG, lambda _: None)

    @pytest.mark.parametrize(("named", "statement"), FOREIGN.items(), ids=FOREIGN)
    def test_refuses_while_something_foreign_depends_on_them(
        self, database: str, succession: PostgresRebuild, named: str, statement: str
    ) -> None:
        execute_sql(database, statement)
        before = schemas(database)
        with pytest.raises(FailedPreconditionError) as refused:
            succession.drop_superseded()
        assert f"nothing was deleted: {named} would be deleted" in refused.value.message
        assert "make them of the active schema (mutua_read_2)" in refused.value.message
        assert schemas(database) == before

    def test_names_ten_and_counts_the_others(
        self, database: str, succession: PostgresRebuild
    ) -> None:
        for number in range(13):
            view = f"CREATE VIEW public.v{number:02d} AS SELECT * FROM mutua_read_1.exchange"
            execute_sql(database, view)
        with pytest.raises(
            FailedPreconditionError, match=r"view public\.v09 and 3 more would be deleted"
        ):
            succession.drop_superseded()

    def test_keeps_all_where_one_cannot_be_dropped(
        self, database: str, succession: PostgresRebuild
    ) -> None:
        succession.switch_over(built(database, succession, 3), LOG, lambda _: None)
        execute_sql(database, "CREATE VIEW public.weekly AS SELECT * FROM mutua_read_2.exchange")
        with pytest.raises(FailedPreconditionError):
            succession.drop_superseded()
        assert {"mutua_read_1", "mutua_read_2"} <= set(schemas(database))

    def test_is_not_stopped_by_views_of_those_that_answer(
        self, database: str, succession: PostgresRebuild
    ) -> None:
        execute_sql(database, "CREATE VIEW public.weekly AS SELECT * FROM mutua_read_2.exchange")
        assert succession.drop_superseded() == ["mutua_read_1"]

    def test_drops_them_once_nothing_depends_on_them(
        self, database: str, succession: PostgresRebuild
    ) -> None:
        execute_sql(database, "CREATE VIEW public.weekly AS SELECT * FROM mutua_read_1.exchange")
        with pytest.raises(FailedPreconditionError):
            succession.drop_superseded()
        execute_sql(database, "DROP VIEW public.weekly")
        assert succession.drop_superseded() == ["mutua_read_1"]
        assert succession.list_superseded() == []
