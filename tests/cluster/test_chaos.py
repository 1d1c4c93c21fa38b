"""A short chaos run on a whole cluster; `make chaos` runs a longer one."""

import gc

import pytest

from services.dev.broker import fetch_jars
from services.dev.postgres import find_programs
from tests.backing_services import build_or_skip
from tests.cluster.chaos.chaos_cluster import LINKS, PROCESSES
from tests.cluster.chaos.faults import LINK_FAULTS, PROCESS_FAULTS, plan_injections
from tests.cluster.chaos.rounds import run_rounds

ROUNDS, SEED = 7, 4
"""Every kind of victim, the network twice."""
SESSION_SECONDS = 3.0
PATIENCE_SECONDS = 150.0
"""For busy machines."""


class TestChaos:
    # The garbage collector closes cut connections, and warns that nobody did.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    @pytest.mark.timeout(900)
    def test_cluster_recovers_from_every_fault_with_every_fact(self) -> None:
        build_or_skip(fetch_jars)
        build_or_skip(find_programs)
        run = run_rounds(
            rounds=ROUNDS,
            seed=SEED,
            session_seconds=SESSION_SECONDS,
            patience_seconds=PATIENCE_SECONDS,
            report=print,
        )
        assert {chaos_round.injection.kind for chaos_round in run.rounds} == {
            *("projector", "ingest", "query", "broker", "postgres", "network")
        }
        assert run.verdict.acknowledged_count > 0
        assert run.verdict.answer_count > 0
        gc.collect()


class TestPlan:
    def test_covers_every_fault_of_every_victim(self) -> None:
        injections = {(injection.victim, injection.fault) for injection in plan_injections(7, 200)}
        assert injections == {
            *((name, fault) for name in PROCESSES for fault in PROCESS_FAULTS),
            *((link, fault) for link in LINKS for fault in LINK_FAULTS),
        }
        assert plan_injections(7, 50) == plan_injections(7, 200)[:50]
        assert {injection.kind for injection in plan_injections(7, 9, only="kill -9")} == {
            *("projector", "ingest", "query", "broker", "postgres")
        }
