"""`make bench` and `make bench-cluster`: the tables of `tests/bench/README.md`, measured now."""

import sys
from collections.abc import Iterator, Sequence

from tests.backends import running_broker, running_postgres
from tests.bench import (
    asking,
    beside,
    commands,
    embedded,
    many,
    memory,
    on_kafka,
    projecting,
    rebuilding,
    rebuilding_cluster,
    recording,
    visible,
)
from tests.bench.measure import Figure

EMBEDDED = {
    "commands": commands.figures,
    "beside": beside.figures,
    "embedded": embedded.figures,
    "recording": recording.figures,
    "rebuilding": rebuilding.figures,
    "asking": asking.figures,
}
CLUSTER = {
    "on_kafka": on_kafka.figures,
    "projecting": projecting.figures,
    "rebuilding": rebuilding_cluster.figures,
    "visible": visible.figures,
    "many": many.figures,
    "memory": memory.figures,
}
"""With a broker and a PostgreSQL of their own, or those that MUTUA_TEST_BROKER and
MUTUA_TEST_POSTGRES name."""


def main(size: str, names: Sequence[str]) -> None:
    """Prints the figures of the groups named, or of all."""
    print("| what | measured | limit | ratio | the limit is |")
    print("|---|---|---|---|---|")
    for figure in _on_a_cluster(names) if size == "cluster" else _embedded(names):
        print(figure.row(), flush=True)


def _embedded(names: Sequence[str]) -> Iterator[Figure]:
    for name in names or EMBEDDED:
        yield from EMBEDDED[name]()


def _on_a_cluster(names: Sequence[str]) -> Iterator[Figure]:
    with running_broker() as broker, running_postgres() as postgres:
        for name in names or CLUSTER:
            yield from CLUSTER[name](broker, postgres)


main(sys.argv[1], sys.argv[2:])
