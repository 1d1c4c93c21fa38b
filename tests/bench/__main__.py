"""Measures the tables of `tests/bench/README.md` (`make bench`, `make bench-cluster`)."""

import sys
from collections.abc import Iterator, Sequence

from tests.backing_services import run_broker, run_postgres
from tests.bench import (
    analyses,
    batch_recording,
    cluster_rebuild,
    commands,
    dashboard,
    embedded_rebuild,
    end_to_end_latency,
    http_answers,
    kafka_recording,
    log_during_import,
    many_programmes,
    memory,
    projection,
    questions,
    unary_recording,
    watch_subscribers,
)
from tests.bench.figure import Figure

EMBEDDED = {
    "commands": commands.measure,
    "log_during_import": log_during_import.measure,
    "batch_recording": batch_recording.measure,
    "unary_recording": unary_recording.measure,
    "embedded_rebuild": embedded_rebuild.measure,
    "questions": questions.measure,
    "analyses": analyses.measure,
    "http_answers": http_answers.measure,
    "dashboard": dashboard.measure,
    "watch_subscribers": watch_subscribers.measure,
    "watch_subscribers_over_http": watch_subscribers.measure_over_http,
}
CLUSTER = {
    "kafka_recording": kafka_recording.measure,
    "projection": projection.measure,
    "cluster_rebuild": cluster_rebuild.measure,
    "end_to_end_latency": end_to_end_latency.measure,
    "many_programmes": many_programmes.measure,
    "memory": memory.measure,
}
"""These run on a temporary broker and PostgreSQL, or on those named by MUTUA_TEST_BROKER and
MUTUA_TEST_POSTGRES."""


def main(size: str, names: Sequence[str]) -> None:
    """Prints the figures of the named groups, or of all."""
    print("| what | measured | limit | ratio | the limit is |")
    print("|---|---|---|---|---|")
    for figure in _measure_cluster(names) if size == "cluster" else _measure_embedded(names):
        print(figure.format_row(), flush=True)


def _measure_embedded(names: Sequence[str]) -> Iterator[Figure]:
    for name in names or EMBEDDED:
        yield from EMBEDDED[name]()


def _measure_cluster(names: Sequence[str]) -> Iterator[Figure]:
    with run_broker() as broker, run_postgres() as postgres:
        for name in names or CLUSTER:
            yield from CLUSTER[name](broker, postgres)


main(sys.argv[1], sys.argv[2:])
