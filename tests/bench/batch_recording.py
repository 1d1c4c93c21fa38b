"""Measures facts recorded in batches, as imports and other systems send them."""

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice
from pathlib import Path

from mutua import Client
from mutua.v1.event_pb2 import Event
from mutua.v1.types_pb2 import ASSURANCE_OPEN
from services.adapters.sqlite.store import SqliteStore
from services.adapters.wire.event import normalize
from services.demo.programme import generate
from tests.bench.commands import run_server
from tests.bench.figure import Figure, measure_median_seconds, measure_seconds

FACTS = 100_000
BATCH = 1_000


def measure() -> Iterator[Figure]:
    events = list(islice(generate_facts(), FACTS))
    values = [event.SerializeToString() for event in events]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for callers in (1, 4):
            yield _measure_recording(folder, events, values, callers)


def generate_facts() -> Iterator[Event]:
    for recording in generate(scale=FACTS // 560 + 1, programme="default"):
        yield from recording.events


def serialize_record(event: Event) -> bytes:
    """Returns the record that a server makes of an event."""
    record = Event()
    record.CopyFrom(event)
    normalize(record)
    record.assurance = ASSURANCE_OPEN
    return record.SerializeToString(deterministic=True)


def _measure_recording(
    folder: Path, events: Sequence[Event], values: Sequence[bytes], callers: int
) -> Figure:
    recorded_events, run_numbers = events[: FACTS // 2], count()
    caller_events = len(recorded_events) // callers

    def measure_rate() -> float:
        def record(start: int) -> None:
            list(client.record_in_batches(recorded_events[start : start + caller_events]))

        data = folder / f"recorded-{callers}-{next(run_numbers)}"
        with (
            run_server(data) as address,
            Client(address) as client,
            ThreadPoolExecutor(callers) as pool,
        ):
            starts = range(0, len(recorded_events), caller_events)
            return len(recorded_events) / measure_seconds(lambda: list(pool.map(record, starts)))

    def write() -> None:
        connection = sqlite3.connect(
            folder / f"limit-{callers}-{next(run_numbers)}.sqlite", isolation_level=None
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE record (offset INTEGER PRIMARY KEY, value BLOB)")
        for start in range(0, len(recorded_events), BATCH):
            connection.execute("BEGIN")
            rows = [(None, value) for value in values[start : start + BATCH]]
            connection.executemany("INSERT INTO record VALUES (?, ?)", rows)
            connection.execute("COMMIT")
        connection.close()

    rates = sorted(measure_rate() for _ in range(5))
    return Figure(
        f"RecordEvents, batches of {BATCH:,}, callers: {callers}, durable, during live projection",
        rates[2],
        "events/s",
        len(recorded_events) / measure_median_seconds(write),
        "sqlite3 executemany of the same payloads",
    )


def copy_rows(source: Path, target: Path) -> None:
    """Copies the rows of a store in slab-sized transactions, by sqlite3 alone."""
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
