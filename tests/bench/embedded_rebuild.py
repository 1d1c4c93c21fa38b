"""Measures projection of a whole log, live and as a rebuild."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from mutua.ids import uuid8
from mutua.v1.event_pb2 import Event
from mutua.v1.types_pb2 import ASSURANCE_OPEN
from services.adapters.sqlite.data_directory import DataDirectory
from services.adapters.sqlite.log import SqliteLog
from services.adapters.sqlite.store import SqliteStore
from services.adapters.wire.event import normalize
from services.app.gc_tuning import tune_for_serving
from services.demo.programme import generate
from services.projector.embedded_projector import EmbeddedProjector
from tests.bench.batch_recording import copy_rows
from tests.bench.figure import Figure, measure_median_seconds

FACTS = 1_000_000
TENTHS = 10
RUNS = 3
PAGE = 10_000
BOUND_MEGABYTES = 1_000
REBUILD = """
import json, resource, sys, time
from pathlib import Path
from services.app.data_maintenance import rebuild
start = time.perf_counter()
rebuild(Path(sys.argv[1]), on_progress=lambda *_: None)
took = time.perf_counter() - start
print(json.dumps([took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def measure() -> Iterator[Figure]:
    tune_for_serving()
    with tempfile.TemporaryDirectory() as name:
        data = Path(name)
        with closing(SqliteLog(data / "log.sqlite")) as log:
            _fill(log, _facts())
        runs = [_rebuild(data) for _ in range(RUNS)]
        with closing(SqliteLog(data / "log.sqlite")) as log:
            parsing = measure_median_seconds(lambda: _parse(log), RUNS)
            projected = [_project(log, data / f"live-{run}.sqlite") for run in range(RUNS)]
        writing = measure_median_seconds(
            lambda: copy_rows(data / "live-0.sqlite", data / "copy.sqlite"), 1
        )
    what = f"live projection of {FACTS:,} generated facts, all tables"
    yield from _make_live_figures(what, projected, FACTS / writing)
    with (
        tempfile.TemporaryDirectory() as name,
        closing(SqliteLog(Path(name) / "log.sqlite")) as log,
    ):
        _fill(log, map(_derive_ids, _facts()))
        projected = [_project(log, Path(name) / f"live-{run}.sqlite") for run in range(RUNS)]
    yield from _make_live_figures(f"{what}, ids as imports derive them", projected, FACTS / writing)
    yield Figure(
        f"rebuild of {FACTS:,} facts, until they answer",
        FACTS / statistics.median(seconds for seconds, _ in runs),
        "facts/s",
        FACTS / parsing,
        "reading the log and parsing alone",
    )
    yield Figure(
        f"rebuild of {FACTS:,} facts, peak memory of the process",
        max(megabytes for _, megabytes in runs),
        "MiB",
        BOUND_MEGABYTES,
        "the bound set",
    )


def _make_live_figures(name: str, projected: list[list[float]], limit: float) -> Iterator[Figure]:
    seconds = statistics.median(ends[-1] for ends in projected)
    yield Figure(name, FACTS / seconds, "facts/s", limit, "sqlite3 writing the same rows")
    first, last = zip(*(_tenths(ends) for ends in projected), strict=True)
    yield Figure(
        f"{name}, the last tenth",
        statistics.median(last) * TENTHS / FACTS * 1e6,
        "us a fact",
        statistics.median(first) * TENTHS / FACTS * 1e6,
        "the first tenth",
    )


def _facts() -> Iterator[Event]:
    recordings = generate(scale=FACTS // 560 + 1, programme="default")
    return islice((event for each in recordings for event in each.events), FACTS)


def _derive_ids(event: Event) -> Event:
    """Replaces the ids of an event by derived ones, as imports have them: without a time order."""
    for part in (event, event.exchange_corrected, event.exchange_retracted):
        for name in ("event_id", "exchange_id", "replaces_event_id"):
            if getattr(part, name, ""):
                setattr(part, name, uuid8(getattr(part, name)))
    return event


def _fill(log: SqliteLog, events: Iterator[Event]) -> None:
    while page := [_make_record(event) for event in islice(events, PAGE)]:
        log.append("default", page).result()


def _make_record(event: Event) -> bytes:
    """Returns the record that ingest makes of an event."""
    normalize(event)
    event.assurance = ASSURANCE_OPEN
    return event.SerializeToString(deterministic=True)


def _rebuild(data: Path) -> tuple[float, float]:
    """Returns seconds and MiB of a rebuild in a separate process."""
    completed = subprocess.run(
        [sys.executable, "-c", REBUILD, str(data)], check=True, capture_output=True, text=True
    )
    seconds, megabytes = json.loads(completed.stdout)
    directory = DataDirectory(data)
    for path in directory.list_superseded():
        directory.delete(path)
    return seconds, megabytes


def _project(log: SqliteLog, path: Path) -> list[float]:
    """Projects the log as a server does; returns the seconds after each tenth."""
    ends: list[float] = []

    def note(position: int) -> None:
        while position >= (len(ends) + 1) * FACTS // TENTHS:
            ends.append(time.perf_counter() - start)

    with closing(SqliteStore(path)) as store:
        projector = EmbeddedProjector(log, store, on_progress=note, on_failure=lambda _: None)
        start = time.perf_counter()
        projector.catch_up()
        projector.stop()
    return ends


def _tenths(ends: list[float]) -> tuple[float, float]:
    """Returns the seconds of the first and of the last tenth."""
    return ends[0], ends[-1] - ends[-2]


def _parse(log: SqliteLog) -> None:
    offset = 0
    while records := log.read(offset, PAGE):
        for record in records:
            Event().ParseFromString(record.value)
        offset += len(records)
