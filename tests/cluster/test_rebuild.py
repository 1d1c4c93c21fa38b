"""`mutua rebuild` of a cluster that is in use: nobody waits, nothing goes back, whoever dies."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from mutua.v1 import query_service_pb2 as pb
from tests.backends import new_database
from tests.cluster.processes import Process, descendants, state
from tests.cluster.rebuilding import PROJECTORS, READY, STILL, Site
from tests.cluster.topics import new_topic
from tests.faults.processes import eventually

CRASHED = 137
MOVED = "MODEL_MOVED"


@pytest.fixture(scope="module")
def site(broker: str, postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One cluster for all of them, which each test leaves running and level."""
    for topic in new_topic(broker):
        with new_database(postgres) as database:
            folder = tmp_path_factory.mktemp("rebuild")
            with closing(Site(folder, broker, topic, database)) as running:
                yield running


def page(query: Any, method: str, token: str = "") -> Any:
    """A small page about the programme in which nothing happens."""
    request = getattr(pb, f"{method}Request")
    return getattr(query, method)(
        request(question=pb.Question(programme_id=STILL), page_size=2, page_token=token)
    )


def has_moved(query: Any, method: str, token: str) -> bool:
    return MOVED in page(query, method, token).warnings


def is_ready_again(process: Process) -> bool:
    return process.said.count(READY) == 2


@pytest.mark.timeout(300)
def test_it_takes_place_beside_those_who_record_and_ask(site: Site) -> None:
    runs = {name: process.process.pid for name, process in site.projectors.items()}
    methods = ("ListBalances", "ListExchanges")
    with site.called():
        frozen = site.start_rebuild(MUTUA_FREEZE_AT="after_building:1")
        eventually(lambda: state(frozen.pid) == "T", "it has built")
        for options in ((), ("--drop-old",), ("--back",)):
            code, _, refusal = site.rebuild(*options)
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
        assert site.answering() == "mutua_read_2"
        for query in site.queries:
            for name, token in begun.items():
                eventually(partial(has_moved, query, name, token), "its pages say so")
                again = page(query, name, token)
                assert MOVED not in page(query, name, again.next_page_token).warnings
    for name, process in site.projectors.items():
        eventually(partial(is_ready_again, process), f"{name} has gone over")
        assert process.process.pid == runs[name]
        assert not process.has_ended()


@pytest.mark.timeout(300)
def test_whoever_dies_on_the_way_those_that_answer_go_on(site: Site) -> None:
    before, going = site.answering(), PROJECTORS[0]
    code, _, err = site.rebuild(MUTUA_CRASH_AT="in_building:1")
    assert (code, "start mutua rebuild again" in err) == (1, True)
    killed = site.start_rebuild(MUTUA_FREEZE_AT="in_building:1")
    eventually(lambda: "T" in map(state, descendants(killed.pid)), "it builds")
    building = list(descendants(killed.pid))
    killed.kill()
    killed.communicate(timeout=120)
    eventually(lambda: {*map(state, building)} <= {"", "Z"}, "nobody builds any more")
    for crash in ("after_building:1", "before_answering:1"):
        assert site.rebuild(MUTUA_CRASH_AT=crash)[0] == CRASHED
    assert site.answering() == before
    assert len([each for each in site.schemas() if "building" in each]) == 1
    site.projectors[going].stop()
    site.projectors[going] = site.projector(going, MUTUA_CRASH_AT="before_going_over:1")
    eventually(lambda: READY in site.projectors[going].said, "it projects")
    with site.called():
        assert site.rebuild(MUTUA_CRASH_AT="after_answering:1")[0] == CRASHED
        assert site.answering() != before
        eventually(site.projectors[going].has_ended, "it dies as it goes over")
        assert site.projectors[going].process.returncode == CRASHED
        site.projectors[going] = site.projector(going)


@pytest.mark.timeout(300)
def test_there_is_a_way_back_also_when_nothing_happens(site: Site) -> None:
    before = site.answering()
    with site.called():
        code, out, err = site.rebuild("--back")
        assert (code, out.splitlines()[0]) == (0, "the read models of before answer again"), err
    back = site.answering()
    assert back > before
    assert before in site.schemas()
    code, out, err = site.rebuild("--back")
    assert code == 0, err
    site.assert_whole()
    told = sorted(each for each in site.schemas() if each != site.answering())
    assert site.rebuild("--drop-old")[1] == f"deleted: {', '.join(told)}\n"
    assert site.schemas() == [site.answering()]
    assert site.rebuild("--drop-old")[1] == "nothing is kept beside the read models that answer\n"
    code, _, err = site.rebuild("--back")
    assert (code, "no read models of before are kept" in err) == (1, True)
    site.assert_whole()
