"""The read models of a cluster made again from the whole log, beside COPY of the rows alone."""

import asyncio
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator

from tests.backends import new_database
from tests.bench.cluster import fill
from tests.bench.embedded import as_recorded
from tests.bench.measure import Figure
from tests.bench.projecting import copied, facts
from tests.cluster.topics import new_topic

FACTS = 1_000_000
RUNS = 3
PROGRAMMES = ("north", "south", "east", "west")
REBUILD = """
import json, sys, time
from services.adapters.postgres_store import choose
from services.cluster.rebuild import rebuild
from services.settings import read_settings
log_url, store_url = sys.argv[1:]
start = time.perf_counter()
def answering(_):
    print(json.dumps(time.perf_counter() - start))
    choose(store_url)  # as a projector does that goes on with them
rebuild(
    read_settings(log_url=log_url, store_url=store_url),
    on_progress=lambda *_: None,
    on_answering=answering,
)
"""


def figures(broker: str, postgres: str) -> Iterator[Figure]:
    ours, rows = [], []
    for topic in new_topic(broker):
        each = FACTS // len(PROGRAMMES)
        for programme in PROGRAMMES:
            records = ((programme, as_recorded(event)) for event in facts(programme, each))
            fill(broker, topic, records)
        for _ in range(RUNS):
            with new_database(postgres) as database:
                ours.append(FACTS / _rebuilt(f"kafka://{broker}/{topic}", database))
                rows.append(FACTS / asyncio.run(copied(database)))
    yield Figure(
        f"rebuild of {FACTS:,} facts from Kafka into PostgreSQL, until they answer",
        statistics.median(ours),
        "facts/s",
        statistics.median(rows),
        "PostgreSQL, COPY of the same rows",
    )


def _rebuilt(log_url: str, database: str) -> float:
    """Seconds of a rebuild in a process of its own, until the read models answer."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", REBUILD, log_url, database],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return float(json.loads(done.stdout))
