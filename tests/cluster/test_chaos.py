"""A whole cluster, broken in one place after the other; `make chaos` does it for longer."""

import gc

import pytest

from services.dev.broker import fetch
from services.dev.postgres import find_programs
from tests.backends import or_skipped
from tests.cluster.chaos.cluster import LINKS, PROCESSES
from tests.cluster.chaos.rounds import run
from tests.cluster.chaos.victims import OF_LINKS, OF_PROCESSES, plan

ROUNDS, SEED = 8, 4
SESSION_SECONDS = 3.0
PATIENCE_SECONDS = 150.0
"""For machines that have something else to do."""


# Connections that were cut are left to the collector, which says here that nobody closed them.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(900)
def test_a_cluster_that_is_broken_comes_back_by_itself_with_every_fact() -> None:
    or_skipped(fetch)
    or_skipped(find_programs)
    found = run(
        rounds=ROUNDS,
        seed=SEED,
        session_seconds=SESSION_SECONDS,
        patience_seconds=PATIENCE_SECONDS,
        say=print,
    )
    assert {each.choice.kind for each in found.rounds} == {
        *("projector", "ingest", "query", "broker", "postgres", "network")
    }
    assert found.judgement.acknowledged > 0
    assert found.judgement.answers > 0
    gc.collect()


def test_a_long_run_does_everything_to_everybody() -> None:
    done = {(each.victim, each.fault) for each in plan(7, 200)}
    assert done == {
        *((name, fault) for name in PROCESSES for fault in OF_PROCESSES),
        *((link, fault) for link in LINKS for fault in OF_LINKS),
    }
    assert plan(7, 50) == plan(7, 200)[:50]
    assert {each.kind for each in plan(7, 9, only="kill -9")} == {
        *("projector", "ingest", "query", "broker", "postgres")
    }
