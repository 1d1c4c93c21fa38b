"""Building read models from the whole log gives the same tables as projecting live."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from mutua.v1.event_pb2 import Event
from mutua.v1.types_pb2 import ASSURANCE_OPEN, EXCHANGE_KIND_CALL
from services.adapters.sqlite.log import SqliteLog
from services.adapters.sqlite.rebuild import SqliteRebuildStore
from services.adapters.sqlite.store import SqliteStore
from services.projector.rebuild import build
from services.projector.verification import verify
from tests.projector.newer_facts import newer_fact
from tests.strategies import PROGRAMME, event_id, histories, mixed_histories

UNREADABLE = (b"\xff", b"", Event(event_id=event_id(0), programme_id=PROGRAMME).SerializeToString())


def _build(
    log: SqliteLog, path: Path, slab_size: int = 20_000, positions_done: list[int] | None = None
) -> int:
    positions: list[int] = [] if positions_done is None else positions_done
    with closing(SqliteRebuildStore(path)) as store:
        position = build(log, store, slab_size=slab_size, on_progress=positions.append)
        store.finish()
    return position


def _values(count: int) -> list[tuple[str, bytes]]:
    return [(PROGRAMME, _exchange(number).SerializeToString()) for number in range(count)]


def _exchange(number: int) -> Event:
    """As it stands on the log."""
    event = Event(event_id=event_id(number), programme_id=PROGRAMME, assurance=ASSURANCE_OPEN)
    event.occur_time.FromJsonString("2024-03-04T10:00:00Z")
    content = event.exchange_recorded.exchange
    content.giver_ids.append(f"g{number}")
    content.receiver_ids.append("birch")
    content.kind = EXCHANGE_KIND_CALL
    return event


def _log(folder: Path, values: list[tuple[str, bytes]]) -> closing[SqliteLog]:
    log = SqliteLog(folder / "log.sqlite")
    for appended in [log.append(programme_id, [value]) for programme_id, value in values]:
        appended.result(timeout=120)
    return closing(log)


def _schema(path: Path) -> set[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return set(connection.execute("SELECT type, name || coalesce(sql, '') FROM sqlite_schema"))


class TestBuild:
    @settings(max_examples=60, deadline=None)
    @given(
        histories() | mixed_histories(),
        st.lists(st.sampled_from(UNREADABLE), max_size=2),
        st.sampled_from((1, 2, 3, 20_000)),
    )
    def test_build_equals_the_log(
        self, events: list[Event], unreadable: list[bytes], slab_size: int
    ) -> None:
        values = [(event.programme_id, event.SerializeToString()) for event in events]
        values += [(PROGRAMME, value) for value in unreadable]
        with TemporaryDirectory() as name, _log(Path(name), values) as log:
            path, positions_done = Path(name, "built"), list[int]()
            assert _build(log, path, slab_size, positions_done) == len(values)
            assert positions_done == sorted(set(positions_done))
            assert positions_done[-1] == len(values)
            with closing(SqliteStore(path)) as store:
                assert verify(log, store).differences == []
                watermark = store.read_watermark(0)
                assert watermark is not None
                assert watermark.next_offset == len(values)

    def test_build_quarantines_a_correction_of_two_exchanges(self, tmp_path: Path) -> None:
        """It waits for the one; that what it replaces is another exchange tells the other."""
        corrected, other, recorded = (_exchange(number) for number in range(3))
        content = corrected.exchange_recorded.exchange
        corrected.exchange_corrected.exchange.CopyFrom(content)
        corrected.exchange_corrected.exchange_id = recorded.event_id
        corrected.exchange_corrected.replaces_event_id = other.event_id
        values = [
            (PROGRAMME, event.SerializeToString())
            for event in (_exchange(9), corrected, other, recorded)
        ]
        with _log(tmp_path, values) as log:
            _build(log, tmp_path / "built", slab_size=2)
            with closing(SqliteStore(tmp_path / "built")) as store:
                assert verify(log, store).differences == []
                with store.open_snapshot(0) as snapshot:
                    assert snapshot.read_counts(PROGRAMME).quarantine_count == 1

    def test_build_has_the_usual_schema(self, tmp_path: Path) -> None:
        with _log(tmp_path, _values(5)) as log:
            _build(log, tmp_path / "built")
        SqliteStore(tmp_path / "other").close()
        assert _schema(tmp_path / "built") == _schema(tmp_path / "other")
        assert any(name == "index" for name, _ in _schema(tmp_path / "built"))

    def test_build_of_an_empty_log_is_empty(self, tmp_path: Path) -> None:
        with _log(tmp_path, []) as log:
            assert _build(log, tmp_path / "built") == 0
            with closing(SqliteStore(tmp_path / "built")) as store:
                assert store.read_watermark(0) is None

    def test_build_stops_at_an_unknown_fact_kind(self, tmp_path: Path) -> None:
        values = [*_values(4), (PROGRAMME, newer_fact(79)), *_values(6)]
        with _log(tmp_path, values) as log:
            assert _build(log, tmp_path / "built") == 4
            with closing(SqliteStore(tmp_path / "built")) as store:
                report = verify(log, store)
        assert (report.differences, report.unprojected_count) == ([], 7)
        assert report.hold_reason == "fact kind 79 at offset 4 is newer than this mutua; upgrade it"
