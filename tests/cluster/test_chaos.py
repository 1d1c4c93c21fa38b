"""A whole cluster, broken in one place after the other; `make chaos` does it for longer."""

import gc

import pytest

from services.dev.broker import fetch_jars
from services.dev.postgres import find_programs
from tests.backing_services import build_or_skip
from tests.cluster.chaos.chaos_cluster import LINKS, PROCESSES
from tests.cluster.chaos.faults import LINK_FAULTS, PROCESS_FAULTS, plan_injections
from tests.cluster.chaos.rounds import run_rounds

ROUNDS, SEED = 8, 4
SESSION_SECONDS = 3.0
PATIENCE_SECONDS = 150.0
"""For machines that have something else to do."""


# Connections that were cut are left to the collector, which says here that nobody closed them.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(900)
def test_a_cluster_that_is_broken_comes_back_by_itself_with_every_fact() -> None:
    build_or_skip(fetch_jars)
    build_or_skip(find_programs)
    found = run_rounds(
        rounds=ROUNDS,
        seed=SEED,
        session_seconds=SESSION_SECONDS,
        patience_seconds=PATIENCE_SECONDS,
        report=print,
    )
    assert {each.injection.kind for each in found.rounds} == {
        *("projector", "ingest", "query", "broker", "postgres", "network")
    }
    assert found.verdict.acknowledged_count > 0
    assert found.verdict.answer_count > 0
    gc.collect()


def test_a_long_run_does_everything_to_everybody() -> None:
    done = {(each.victim, each.fault) for each in plan_injections(7, 200)}
    assert done == {
        *((name, fault) for name in PROCESSES for fault in PROCESS_FAULTS),
        *((link, fault) for link in LINKS for fault in LINK_FAULTS),
    }
    assert plan_injections(7, 50) == plan_injections(7, 200)[:50]
    assert {each.kind for each in plan_injections(7, 9, only="kill -9")} == {
        *("projector", "ingest", "query", "broker", "postgres")
    }
