"""`mutua rebuild` of a busy cluster: no caller waits and no answer goes back in time."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from mutua.v1 import query_service_pb2 as pb
from tests.backing_services import temporary_database
from tests.cluster.rebuild_cluster import PROJECTORS, QUIET_PROGRAMME, READY, RebuildCluster
from tests.cluster.service_process import ServiceProcess, find_descendants, read_process_state
from tests.cluster.topics import temporary_topic
from tests.waiting import wait_until

CRASHED = 137
MOVED = "MODEL_MOVED"


@pytest.fixture(scope="module")
def site(
    broker: str, postgres: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RebuildCluster]:
    """One cluster for all of them, which each test leaves running and level."""
    for topic in temporary_topic(broker):
        with temporary_database(postgres) as database:
            folder = tmp_path_factory.mktemp("rebuild")
            with closing(RebuildCluster(folder, broker, topic, database)) as running:
                yield running


def page(query: Any, method: str, token: str = "") -> Any:
    """A small page about the programme in which nothing happens."""
    request = getattr(pb, f"{method}Request")
    return getattr(query, method)(
        request(question=pb.Question(programme_id=QUIET_PROGRAMME), page_size=2, page_token=token)
    )


def has_moved(query: Any, method: str, token: str) -> bool:
    return MOVED in page(query, method, token).warnings


def is_ready_again(process: ServiceProcess) -> bool:
    return process.output.count(READY) == 2


class TestRebuild:
    def test_runs_next_to_live_traffic(self, site: RebuildCluster) -> None:
        runs = {name: process.process.pid for name, process in site.projectors.items()}
        methods = ("ListBalances", "ListExchanges")
        with site.under_load():
            frozen = site.start_rebuild(MUTUA_FREEZE_AT="after_building:1")
            wait_until(lambda: read_process_state(frozen.pid) == "T", "it has built")
            for options in ((), ("--drop-old",), ("--back",)):
                code, _, refusal = site.run_rebuild(*options)
                assert (code, "mutua rebuild is at work on this database" in refusal) == (1, True)
            begun = {name: page(site.queries[0], name).next_page_token for name in methods}
            for name, token in begun.items():
                assert MOVED not in page(site.queries[1], name, token).warnings
            frozen.send_signal(signal.SIGCONT)
            out, err = frozen.communicate(timeout=120)
            assert frozen.returncode == 0, err
            first, second = out.splitlines()
            assert first.startswith("rebuilt from ")
            assert first.endswith("s; the new read models answer")
            assert second == "kept: mutua_read_1; mutua rebuild --drop-old deletes what is kept"
            assert site.active_schema() == "mutua_read_2"
            for query in site.queries:
                for name, token in begun.items():
                    wait_until(partial(has_moved, query, name, token), "its pages say so")
                    again = page(query, name, token)
                    assert MOVED not in page(query, name, again.next_page_token).warnings
        for name, process in site.projectors.items():
            wait_until(partial(is_ready_again, process), f"{name} has gone over")
            assert process.process.pid == runs[name]
            assert not process.has_ended()

    def test_crash_leaves_the_active_read_models(self, site: RebuildCluster) -> None:
        before, name = site.active_schema(), PROJECTORS[0]
        code, _, err = site.run_rebuild(MUTUA_CRASH_AT="in_building:1")
        assert (code, "start mutua rebuild again" in err) == (1, True)
        killed = site.start_rebuild(MUTUA_FREEZE_AT="in_building:1")
        wait_until(
            lambda: "T" in map(read_process_state, find_descendants(killed.pid)), "it builds"
        )
        building = list(find_descendants(killed.pid))
        killed.kill()
        killed.communicate(timeout=120)
        wait_until(
            lambda: {*map(read_process_state, building)} <= {"", "Z"}, "nobody builds any more"
        )
        for crash in ("after_building:1", "before_answering:1"):
            assert site.run_rebuild(MUTUA_CRASH_AT=crash)[0] == CRASHED
        assert site.active_schema() == before
        assert len([each for each in site.schemas() if "building" in each]) == 1
        site.projectors[name].stop()
        site.projectors[name] = site.start_projector(name, MUTUA_CRASH_AT="before_going_over:1")
        wait_until(lambda: READY in site.projectors[name].output, "it projects")
        with site.under_load():
            assert site.run_rebuild(MUTUA_CRASH_AT="after_answering:1")[0] == CRASHED
            assert site.active_schema() != before
            wait_until(site.projectors[name].has_ended, "it dies as it goes over")
            assert site.projectors[name].process.returncode == CRASHED
            site.projectors[name] = site.start_projector(name)

    def test_switch_back_without_traffic(self, site: RebuildCluster) -> None:
        before = site.active_schema()
        with site.under_load():
            code, out, err = site.run_rebuild("--back")
            assert (code, out.splitlines()[0]) == (0, "the read models of before answer again"), err
        back = site.active_schema()
        assert back > before
        assert before in site.schemas()
        code, out, err = site.run_rebuild("--back")
        assert code == 0, err
        site.assert_whole()
        old_schemas = sorted(each for each in site.schemas() if each != site.active_schema())
        assert site.run_rebuild("--drop-old")[1] == f"deleted: {', '.join(old_schemas)}\n"
        assert site.schemas() == [site.active_schema()]
        assert site.run_rebuild("--drop-old")[1] == "only the active read models are kept\n"
        code, _, err = site.run_rebuild("--back")
        assert (code, "there are no previous read models" in err) == (1, True)
        site.assert_whole()
