"""The embedded size from the inside: recording, projecting, asking."""

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path

from mutua import Client
from mutua.v1.event_pb2 import Event
from mutua.v1.types_pb2 import ASSURANCE_OPEN
from services.adapters.sqlite_log import SqliteLog
from services.adapters.sqlite_store import SqliteStore
from services.adapters.wire.event import normalize
from services.demo.programme import generate
from services.projector.slab import project_slab
from tests.bench.commands import server
from tests.bench.measure import Figure, median_seconds, seconds

FACTS = 100_000
BATCH = 1_000
SLAB = 4_000
"""What the projector takes at a time when it is behind."""


def figures() -> Iterator[Figure]:
    events = list(islice(facts(), FACTS))
    values = [event.SerializeToString() for event in events]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield _recording(folder, events, values)
        yield _projecting(folder, [as_recorded(event) for event in events])


def facts() -> Iterator[Event]:
    for recording in generate(scale=FACTS // 560 + 1, programme="default"):
        yield from recording.events


def as_recorded(event: Event) -> bytes:
    """The record that a server makes of it."""
    record = Event()
    record.CopyFrom(event)
    normalize(record)
    record.assurance = ASSURANCE_OPEN
    return record.SerializeToString(deterministic=True)


def _recording(folder: Path, events: Sequence[Event], values: Sequence[bytes]) -> Figure:
    some, fresh = events[: FACTS // 5], count()

    def recorded() -> float:
        with server(folder / f"recorded-{next(fresh)}") as address, Client(address) as client:
            batches = client.record_in_batches(some)
            return len(some) / seconds(lambda: list(batches))

    def written() -> None:
        connection = sqlite3.connect(folder / f"limit-{next(fresh)}.sqlite", isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE record (offset INTEGER PRIMARY KEY, value BLOB)")
        for start in range(0, len(some), BATCH):
            connection.execute("BEGIN")
            rows = [(None, value) for value in values[start : start + BATCH]]
            connection.executemany("INSERT INTO record VALUES (?, ?)", rows)
            connection.execute("COMMIT")
        connection.close()

    rates = sorted(recorded() for _ in range(5))
    return Figure(
        f"RecordEvents, batches of {BATCH:,}, durable, beside live projection",
        rates[2],
        "events/s",
        len(some) / median_seconds(written),
        "sqlite3 executemany of the same payloads",
    )


def _projecting(folder: Path, values: Sequence[bytes]) -> Figure:
    log = SqliteLog(folder / "log.sqlite")
    for start in range(0, len(values), BATCH):
        log.append("default", values[start : start + BATCH]).result()
    fresh, last = count(), folder / "none"

    def projected() -> None:
        nonlocal last
        last = folder / f"read-{next(fresh)}.sqlite"
        store, offset = SqliteStore(last), 0
        while records := log.read(offset, SLAB):
            offset = project_slab(store, log.log_id, records).next_offset
        store.close()

    took = median_seconds(projected, runs=3)
    limit = median_seconds(lambda: _copied(last, folder / f"copy-{next(fresh)}.sqlite"), runs=3)
    log.close()
    return Figure(
        f"live projection of {len(values):,} generated facts, all tables",
        len(values) / took,
        "facts/s",
        len(values) / limit,
        "sqlite3 writing the same rows",
    )


def _copied(source: Path, target: Path) -> None:
    """Writes the rows of one store into another, slab-sized transactions, without our code."""
    SqliteStore(target).close()
    reader, writer = sqlite3.connect(source), sqlite3.connect(target, isolation_level=None)
    writer.execute("PRAGMA synchronous = NORMAL")
    for (table,) in reader.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table'"
    ).fetchall():
        rows = iter(reader.execute(f"SELECT * FROM {table}"))
        while chunk := list(islice(rows, BATCH)):
            places = ", ".join("?" for _ in chunk[0])
            writer.execute("BEGIN")
            writer.executemany(f"INSERT INTO {table} VALUES ({places})", chunk)
            writer.execute("COMMIT")
    reader.close()
    writer.close()
