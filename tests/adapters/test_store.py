"""The contract of the store port, run against every adapter."""

import gc
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from mutua.ids import uuid8
from mutua.v1 import event_pb2, types_pb2
from services.adapters.postgres.store import PostgresStore
from services.adapters.sql_store.tables import ReadModelRow
from services.adapters.sqlite.store import SqliteStore
from services.ledger.errors import FencedWriterError, ForeignDataError
from services.ledger.records import ExchangeFilter, Hold, Record, Watermark
from services.ledger.state import Needs
from services.projector.slab import project_slab

PROGRAMME = "default"
LOG = "0" * 32
OTHER_LOG = "1" * 32

AnyStore = SqliteStore | PostgresStore
StoreOpener = Callable[..., AnyStore]
ADAPTERS = ("sqlite", "postgres")


class ReferableId(str):
    """An event id that a test can refer to weakly."""

    __slots__ = ("__weakref__",)


def exchange(offset: int, *, programme: str = PROGRAMME) -> Record:
    """A call from A to B as the record at `offset`."""
    event = event_pb2.Event(event_id=uuid8("test", str(offset)), programme_id=programme)
    event.occur_time.FromJsonString("2026-03-02T10:00:00Z")
    content = event.exchange_recorded.exchange
    content.kind = types_pb2.EXCHANGE_KIND_CALL
    content.giver_ids.append("A")
    content.receiver_ids.append("B")
    return Record(offset, 1_000 + offset, programme, event.SerializeToString())


def roster(offset: int, field: str, *aliases: str) -> Record:
    """A registration or an update of organization X as the record at `offset`."""
    event = event_pb2.Event(event_id=uuid8("test", str(offset)), programme_id=PROGRAMME)
    organization = getattr(event, field).organization
    organization.organization_id = "X"
    organization.aliases.extend(aliases)
    return Record(offset, 1_000 + offset, PROGRAMME, event.SerializeToString())


def make_slab(start: int, end: int, *, programme: str = PROGRAMME) -> list[Record]:
    return [exchange(offset, programme=programme) for offset in range(start, end)]


def read_all_tables(store: AnyStore) -> dict[str, list[Any]]:
    """Every row of every table."""
    with store.open_snapshot(0) as snapshot:
        return {
            str(model.__tablename__): sorted(map(tuple, snapshot.fetch_all(select(model.table()))))
            for model in ReadModelRow.__subclasses__()
        }


def count_exchanges(store: AnyStore) -> int:
    with store.open_snapshot(0) as snapshot:
        return snapshot.read_counts(PROGRAMME).exchange_count


@pytest.mark.parametrize("adapter", ADAPTERS)
class TestEveryStore:
    @pytest.fixture
    def open_store(
        self, adapter: str, tmp_path: Path, request: pytest.FixtureRequest
    ) -> Iterator[StoreOpener]:
        stores: list[AnyStore] = []
        url = request.getfixturevalue("database") if adapter == "postgres" else ""

        def open_store(*, read_only: bool = False) -> AnyStore:
            if url:
                stores.append(PostgresStore(url, read_only=read_only))
            else:
                stores.append(SqliteStore(tmp_path / "read-2.sqlite", read_only=read_only))
            return stores[-1]

        yield open_store
        for store in reversed(stores):
            store.close()

    def test_empty_store_has_no_position(self, open_store: StoreOpener) -> None:
        store = open_store()
        assert store.read_watermark(0) is None
        with store.open_snapshot(0) as snapshot:
            assert snapshot.read_next_offset() == 0
            assert snapshot.read_counts("nobody").fact_count == 0
            assert list(snapshot.read_exchanges("nobody", ExchangeFilter(), (), None, 9)) == []

    def test_slab_writes_rows_and_position_together(self, open_store: StoreOpener) -> None:
        store = open_store()
        end = project_slab(store, LOG, make_slab(0, 3))
        assert store.read_watermark(0) == end
        assert (end.log_id, end.next_offset, end.record_time) == (LOG, 3, 1_002)
        assert count_exchanges(store) == 3

    def test_reopened_store_has_committed_rows(self, open_store: StoreOpener) -> None:
        store = open_store()
        end = project_slab(store, LOG, make_slab(0, 3))
        before = read_all_tables(store)
        store.close()
        again = open_store()
        assert again.read_watermark(0) == end
        assert read_all_tables(again) == before

    def test_hold_is_stored_until_deleted(self, open_store: StoreOpener) -> None:
        store = open_store()
        assert store.read_hold(3) is None
        store.save_hold(Hold(3, 7, "it failed", 1))
        store.save_hold(Hold(3, 8, "a later version is needed", 0))
        store.save_hold(Hold(1, 0, "it failed", 3))
        store.close()
        again = open_store()
        assert again.read_hold(3) == Hold(3, 8, "a later version is needed", 0)
        again.delete_hold(3)
        assert (again.read_hold(3), again.read_hold(1)) == (None, Hold(1, 0, "it failed", 3))

    @pytest.mark.parametrize(
        ("start", "end", "programme", "log_id"),
        [
            pytest.param(0, 2, PROGRAMME, LOG, id="the same slab again"),
            pytest.param(2, 4, PROGRAMME, LOG, id="an overlapping slab"),
            pytest.param(4, 5, PROGRAMME, LOG, id="a gap"),
            pytest.param(3, 4, PROGRAMME, OTHER_LOG, id="another log"),
            pytest.param(0, 1, PROGRAMME, OTHER_LOG, id="another log from its start"),
            pytest.param(2, 4, "fresh", LOG, id="a new programme"),
        ],
    )
    def test_stale_slab_is_refused_and_writes_nothing(
        self, open_store: StoreOpener, start: int, end: int, programme: str, log_id: str
    ) -> None:
        store = open_store()
        project_slab(store, LOG, make_slab(0, 3))
        before = read_all_tables(store)
        with pytest.raises(FencedWriterError):
            project_slab(store, log_id, make_slab(start, end, programme=programme))
        assert read_all_tables(store) == before

    def test_overtaken_writer_is_refused(self, open_store: StoreOpener) -> None:
        """Of two writers on one store, the one that is behind must stop."""
        first, second = open_store(), open_store()
        project_slab(first, LOG, make_slab(0, 2))
        with pytest.raises(FencedWriterError):
            project_slab(second, LOG, make_slab(0, 2))
        project_slab(second, LOG, make_slab(2, 4))
        with pytest.raises(FencedWriterError):
            project_slab(first, LOG, make_slab(2, 3))
        assert count_exchanges(first) == 4

    def test_failed_commit_writes_nothing(
        self, open_store: StoreOpener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = open_store()
        end = project_slab(store, LOG, make_slab(0, 2))
        before = read_all_tables(store)

        def fail(_: str) -> None:
            raise OSError("the power went")

        with monkeypatch.context() as patched:
            patched.setattr(f"{type(store).__module__}.failpoint", fail)
            with pytest.raises(OSError, match="power"):
                project_slab(store, LOG, make_slab(2, 4))
        assert read_all_tables(store) == before
        assert store.read_watermark(0) == end
        project_slab(store, LOG, make_slab(2, 4))
        assert count_exchanges(store) == 4

    def test_reader_sees_every_committed_state(self, open_store: StoreOpener) -> None:
        writer = open_store()
        project_slab(writer, LOG, make_slab(0, 2))
        reader = open_store(read_only=True)
        assert (count_exchanges(reader), reader.read_watermark(0)) == (2, writer.read_watermark(0))
        project_slab(writer, LOG, make_slab(2, 5))
        assert (count_exchanges(reader), reader.read_watermark(0)) == (5, writer.read_watermark(0))
        assert read_all_tables(reader) == read_all_tables(writer)

    def test_snapshot_is_stable_during_writes(self, open_store: StoreOpener) -> None:
        store = open_store()
        project_slab(store, LOG, make_slab(0, 2))
        with store.open_snapshot(0) as old:
            assert old.read_next_offset() == 2
            project_slab(store, LOG, make_slab(2, 5))
            assert (old.read_next_offset(), old.read_counts(PROGRAMME).exchange_count) == (2, 2)
            assert len(list(old.read_exchanges(PROGRAMME, ExchangeFilter(), (), None, 9))) == 2
            with store.open_snapshot(0) as new:
                assert (new.read_next_offset(), new.read_counts(PROGRAMME).exchange_count) == (5, 5)

    def test_read_exchanges_selects_by_number(self, open_store: StoreOpener) -> None:
        store = open_store()
        project_slab(store, LOG, make_slab(0, 5))
        with store.open_snapshot(0) as snapshot:
            for numbers in ((), (3,), (4, 1, 99)):
                filter_ = ExchangeFilter(numbers=numbers)
                matching = snapshot.read_exchanges(PROGRAMME, filter_, (), None, 9)
                exchanges = [revisions[0].exchange for revisions in matching]
                assert exchanges == sorted({*numbers} & {*range(5)})

    @pytest.mark.parametrize("together", [True, False])
    def test_every_waiting_update_becomes_one_version(
        self, open_store: StoreOpener, *, together: bool
    ) -> None:
        """A version for every path to a waiting update would grow exponentially."""
        store = open_store()
        waiting = [roster(offset, "organization_updated") for offset in range(10)]
        register = [roster(10, "organization_registered")]
        for records in [[*waiting, *register]] if together else [waiting, register]:
            project_slab(store, LOG, records)
        assert len(read_all_tables(store)["organization_version"]) == 11

    def test_alias_is_bound_from_where_its_fact_takes_effect(self, open_store: StoreOpener) -> None:
        store = open_store()
        waiting = roster(0, "organization_updated", "b", "a")
        project_slab(store, LOG, [waiting, roster(1, "organization_registered", "c")])
        project_slab(store, LOG, [roster(2, "organization_updated", "d")])
        with store.open_snapshot(0) as snapshot:
            assert snapshot.read_aliases(PROGRAMME, 0) == [
                *((1, each, "X") for each in "abc"),
                (2, "d", "X"),
            ]
            assert snapshot.read_aliases(PROGRAMME, 2) == [(2, "d", "X")]

    def test_text_with_nul_is_quarantined(self, open_store: StoreOpener) -> None:
        store = open_store()
        for number, field in enumerate(("giver_ids", "topics")):
            record = exchange(number)
            event = event_pb2.Event.FromString(record.value)
            getattr(event.exchange_recorded.exchange, field).append("a\0b")
            event.assurance = types_pb2.ASSURANCE_OPEN
            project_slab(store, LOG, [record._replace(value=event.SerializeToString())])
        with store.open_snapshot(0) as snapshot:
            counts = snapshot.read_counts(PROGRAMME)
        assert (counts.exchange_count, counts.quarantine_count) == (0, 2)

    @pytest.mark.parametrize("absent", ["giver_ids", "receiver_ids"])
    @pytest.mark.parametrize("assurance", [0, types_pb2.ASSURANCE_OPEN])
    def test_exchange_with_one_side_is_quarantined(
        self, open_store: StoreOpener, absent: str, assurance: types_pb2.Assurance.ValueType
    ) -> None:
        store, record = open_store(), exchange(0)
        event = event_pb2.Event.FromString(record.value)
        del getattr(event.exchange_recorded.exchange, absent)[:]
        event.exchange_recorded.exchange.giver_minutes = 30
        event.assurance = assurance
        project_slab(store, LOG, [record._replace(value=event.SerializeToString())])
        with store.open_snapshot(0) as snapshot:
            counts = snapshot.read_counts(PROGRAMME)
        assert (counts.exchange_count, counts.quarantine_count) == (0, 1)

    @pytest.mark.parametrize("field", ["giver_ids", "receiver_ids", "party_ids", "topics"])
    @pytest.mark.parametrize("is_corrected", [False, True])
    def test_exchange_with_repeated_values_is_quarantined(
        self, open_store: StoreOpener, field: str, *, is_corrected: bool
    ) -> None:
        store, first, record = open_store(), exchange(0), exchange(1)
        event = event_pb2.Event.FromString(record.value)
        content = event.exchange_recorded.exchange
        getattr(content, field).extend(["A", "B", "A", "B"])
        if is_corrected:
            correction = event.exchange_corrected
            correction.exchange_id = event_pb2.Event.FromString(first.value).event_id
            correction.exchange.CopyFrom(content)
        event.assurance = types_pb2.ASSURANCE_OPEN
        project_slab(store, LOG, [first, record._replace(value=event.SerializeToString())])
        with store.open_snapshot(0) as snapshot:
            counts = snapshot.read_counts(PROGRAMME)
        assert (counts.exchange_count, counts.quarantine_count) == (1, 1)

    def test_reader_refuses_a_missing_store(self, open_store: StoreOpener) -> None:
        with pytest.raises(ForeignDataError):
            open_store(read_only=True)

    def test_requested_ids_are_not_retained(self, open_store: StoreOpener) -> None:
        store = open_store()
        project_slab(
            store, LOG, [exchange(0), roster(1, "organization_updated")]
        )  # the update waits
        ids = [ReferableId(uuid8("test", str(offset))) for offset in range(3)]
        references = [weakref.ref(each) for each in ids]
        gc.disable()
        try:
            assert len(store.find_used_event_ids(PROGRAMME, ids)) == 2
            assert len(store.load(PROGRAMME, Needs({*ids}, {*ids})).histories) == 1
            del ids
            assert not any(each() for each in references)
        finally:
            gc.enable()

    @pytest.mark.parametrize("sizes", [[1] * 6, [2, 4], [5, 1], [6]])
    def test_slab_size_does_not_change_rows(
        self, open_store: StoreOpener, tmp_path: Path, sizes: Sequence[int]
    ) -> None:
        store, start = open_store(), 0
        for size in sizes:
            project_slab(store, LOG, make_slab(start, start + size))
            start += size
        rows = read_all_tables(store)
        assert rows["position"] == [(0, LOG, 6, 1_005, _last_digest(store))]
        assert len(rows["exchange"]) == len(rows["leg"]) == len(rows["fact"]) == 6
        with store.open_snapshot(0) as snapshot:
            table = ReadModelRow.metadata.tables["organization_month"]
            given = snapshot.fetch_all(select(func.sum(table.c.given_exchange_count)))
        assert given[0][0] == 6


def _last_digest(store: AnyStore) -> bytes:
    watermark = store.read_watermark(0)
    assert isinstance(watermark, Watermark)
    return watermark.digest
