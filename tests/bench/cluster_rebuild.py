"""Measures a rebuild of a cluster's read models against COPY of the rows alone."""

import asyncio
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator

from tests.backing_services import temporary_database
from tests.bench.batch_recording import serialize_record
from tests.bench.bench_service import fill_topic
from tests.bench.figure import Figure
from tests.bench.projection import generate_programme_facts, measure_copy_seconds
from tests.cluster.topics import temporary_topic

FACTS = 1_000_000
RUNS = 3
PROGRAMMES = ("north", "south", "east", "west")
REBUILD = """
import json, sys, time
from services.adapters.postgres.store import select_build
from services.app.cluster_rebuild import rebuild
from services.settings import read_settings
log_url, store_url = sys.argv[1:]
start = time.perf_counter()
def answering(_):
    print(json.dumps(time.perf_counter() - start))
    select_build(store_url)  # as a projector does that continues with them
rebuild(
    read_settings(log_url=log_url, store_url=store_url),
    on_progress=lambda *_: None,
    on_switch_over=answering,
)
"""


def measure(broker: str, postgres: str) -> Iterator[Figure]:
    rates, copy_rates = [], []
    for topic in temporary_topic(broker):
        count = FACTS // len(PROGRAMMES)
        for programme in PROGRAMMES:
            records = (
                (programme, serialize_record(event))
                for event in generate_programme_facts(programme, count)
            )
            fill_topic(broker, topic, records)
        for _ in range(RUNS):
            with temporary_database(postgres) as database:
                rates.append(FACTS / _measure_rebuild(f"kafka://{broker}/{topic}", database))
                copy_rates.append(FACTS / asyncio.run(measure_copy_seconds(database)))
    yield Figure(
        f"rebuild of {FACTS:,} facts from Kafka into PostgreSQL, until they answer",
        statistics.median(rates),
        "facts/s",
        statistics.median(copy_rates),
        "PostgreSQL, COPY of the same rows",
    )


def _measure_rebuild(log_url: str, database: str) -> float:
    """Returns the seconds of a rebuild in a separate process, until its read models are active."""
    completed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", REBUILD, log_url, database],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return float(json.loads(completed.stdout))
