"""`make bench` and `make bench-cluster`: the tables of `tests/bench/README.md`, measured now."""

import sys
from collections.abc import Iterator, Sequence

from tests.backing_services import run_broker, run_postgres
from tests.bench import (
    batch_recording,
    cluster_rebuild,
    commands,
    embedded_rebuild,
    end_to_end_latency,
    kafka_recording,
    log_during_import,
    many_programmes,
    memory,
    projection,
    questions,
    unary_recording,
)
from tests.bench.figure import Figure

EMBEDDED = {
    "commands": commands.measure,
    "beside": log_during_import.measure,
    "embedded": batch_recording.measure,
    "recording": unary_recording.measure,
    "rebuilding": embedded_rebuild.measure,
    "asking": questions.measure,
}
CLUSTER = {
    "on_kafka": kafka_recording.measure,
    "projecting": projection.measure,
    "rebuilding": cluster_rebuild.measure,
    "visible": end_to_end_latency.measure,
    "many": many_programmes.measure,
    "memory": memory.measure,
}
"""With a broker and a PostgreSQL of their own, or those that MUTUA_TEST_BROKER and
MUTUA_TEST_POSTGRES name."""


def main(size: str, names: Sequence[str]) -> None:
    """Prints the figures of the groups named, or of all."""
    print("| what | measured | limit | ratio | the limit is |")
    print("|---|---|---|---|---|")
    for figure in _on_a_cluster(names) if size == "cluster" else _embedded(names):
        print(figure.format_row(), flush=True)


def _embedded(names: Sequence[str]) -> Iterator[Figure]:
    for name in names or EMBEDDED:
        yield from EMBEDDED[name]()


def _on_a_cluster(names: Sequence[str]) -> Iterator[Figure]:
    with run_broker() as broker, run_postgres() as postgres:
        for name in names or CLUSTER:
            yield from CLUSTER[name](broker, postgres)


main(sys.argv[1], sys.argv[2:])
