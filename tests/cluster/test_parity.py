"""A cluster answers as the embedded size does, field by field, and as the oracle does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mutua import Client
from mutua.v1 import query_service_pb2 as pb
from mutua.v1.types_pb2 import Date
from services.dev.directory import DevDirectory
from tests.cluster.alike import PLACES, TIMES, difference, forget, pages
from tests.cluster.dev import Dev, mutua, own_dev
from tests.cluster.facts import DPDK, GENERATED, TROUBLED, as_recorded, reviews
from tests.cluster.questions import EXCHANGE_ORDERS, RPCS, Subject, questions, requests
from tests.cluster.troubles import ALIAS, GARBAGE, TOPICS
from tests.cluster.worlds import World, cluster, embedded, replayed
from tests.databases import execute
from tests.faults.processes import facts
from tests.ledger.product import as_json
from tests.oracle import answers as oracle
from tests.oracle.fold import fold

pytestmark = pytest.mark.timeout(900)
REVIEWS = Path(os.environ.get("MUTUA_REAL_DATA", ""), "dpdk-reviews.csv.gz")
needs_reviews = pytest.mark.skipif(
    "MUTUA_REAL_DATA" not in os.environ, reason="MUTUA_REAL_DATA names no folder with real data"
)
SUBJECTS = (
    pytest.param(
        Subject(
            programme_id=DPDK,
            from_date=Date(year=2016, month=2, day=15),
            to_date=Date(year=2019, month=9, day=10),
            organization_ids=["intel.com", "arknetworks.am"],
        ),
        marks=needs_reviews,
        id=DPDK,
    ),
    pytest.param(
        Subject(
            programme_id=GENERATED,
            from_date=Date(year=2018, month=11, day=12),
            to_date=Date(year=2019, month=8, day=20),
            organization_ids=["T-01", "T-17"],
            topics=["e-prescribing", "results-viewing"],
        ),
        id=GENERATED,
    ),
    pytest.param(
        Subject(
            programme_id=TROUBLED,
            from_date=Date(year=2018, month=12, day=24),
            to_date=Date(year=2019, month=2, day=14),
            organization_ids=["T-01", ALIAS],
            topics=TOPICS,
        ),
        id=TROUBLED,
    ),
)
ABOUT = pytest.mark.parametrize("subject", SUBJECTS)
EVIDENCE_ROWS = 40
"""Of so many rows of a list the evidence is looked at."""


@dataclass(frozen=True, slots=True)
class Both:
    """Two worlds that were told the same."""

    one: World
    other: World
    tidy: Callable[[Any], None]
    """Takes out of a page in what they may differ."""

    def agree(self, name: str, request: Any) -> list[Any]:
        """What one says, which is what the other says."""
        found, theirs = (
            pages(world.stubs, name, request, tidy=self.tidy) for world in (self.one, self.other)
        )
        assert difference(found, theirs) == "", f"{name} {request}"
        return found


@pytest.fixture(scope="module")
def dev() -> Iterator[Dev]:
    with own_dev() as found, found.up():
        yield found


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("embedded") / "data"


@pytest.fixture(scope="module")
def both(dev: Dev, data: Path) -> Iterator[Both]:
    told = DevDirectory(dev.path).told()
    urls, garbage = (told.log_url, told.store_url), [(TROUBLED, GARBAGE)]
    with (
        embedded(data, garbage) as one,
        cluster(told.server, urls, dev.path.parent, garbage) as other,
    ):
        with ThreadPoolExecutor() as pool:
            list(pool.map(load, (one, other)))
        yield Both(one, other, lambda page: forget(page, PLACES | TIMES))


def load(world: World) -> None:
    programmes = [GENERATED, TROUBLED]
    for programme in programmes:
        world.record(programme)
    if REVIEWS.exists():
        world.import_reviews(REVIEWS)
        programmes.append(DPDK)
    for programme in programmes:
        world.wait_until_level(programme)
    for reason in (pb.QUARANTINE_REASON_STALE_CORRECTION, pb.QUARANTINE_REASON_EVENT_ID_REUSED):
        world.resubmit(TROUBLED, reason)
    world.wait_until_level(TROUBLED)


@ABOUT
def test_every_question_is_answered_alike(both: Both, subject: Subject) -> None:
    assert ask_everything(both, subject) == RPCS


def ask_everything(
    both: Both, subject: Subject, orders: Sequence[str] = EXCHANGE_ORDERS
) -> set[str]:
    """The rpcs that were asked."""
    question = pb.Question(programme_id=subject.programme_id)
    exchanges = rows(both.agree("ListExchanges", pb.ListExchangesRequest(question=question)))
    some = [each.exchange_id for each in exchanges[:300:50]]
    asked = set()
    for name, request in requests(subject, some, exchange_orders=orders):
        both.agree(name, request)
        asked.add(name)
    return asked


@ABOUT
def test_every_number_rests_on_the_same_exchanges(both: Both, subject: Subject) -> None:
    question = pb.Question(programme_id=subject.programme_id)
    balances = rows(both.agree("ListBalances", pb.ListBalancesRequest(question=question)))
    for balance in balances:
        name = balance.organization_id
        asked = pb.GetBalanceRequest(question=question, organization_id=name)
        [found] = both.agree("GetBalance", asked)
        assert found.balance == balance
    for balance in some_of(balances):
        directed_count = 0
        for side in ("giver_id", "receiver_id"):
            evidence = pb.ListExchangesRequest(
                question=question, standing_only=True, **{side: balance.organization_id}
            )
            directed_count += len(rows(both.agree("ListExchanges", evidence)))
        assert directed_count + balance.joint_count == balance.exchange_count
    for pair in some_of(rows(both.agree("ListPairs", pb.ListPairsRequest(question=question)))):
        evidence = pb.ListExchangesRequest(
            question=question,
            giver_id=pair.giver_id,
            receiver_id=pair.receiver_id,
            standing_only=True,
        )
        assert len(rows(both.agree("ListExchanges", evidence))) == pair.given_count


def some_of(found: Sequence[Any]) -> Sequence[Any]:
    return found[:: len(found) // EVIDENCE_ROWS + 1]


def rows(found: Sequence[Any]) -> list[Any]:
    """Those of all pages of a list."""
    [field, *_] = found[0].DESCRIPTOR.fields
    return [row for page in found for row in getattr(page, field.name)]


@pytest.mark.parametrize("subject", SUBJECTS[:2])
def test_balances_are_those_of_the_oracle(both: Both, subject: Subject) -> None:
    ledger = fold(reviews(REVIEWS) if subject.programme_id == DPDK else as_recorded(GENERATED))
    summed = [each for each in questions(subject) if each.allocation != pb.ALLOCATION_FULL]
    for question in summed[::3]:
        expected = oracle.balances(ledger, question)
        coverage, warnings = oracle.coverage(ledger, question), oracle.warnings(ledger, question)
        for world in (both.one, both.other):
            found = pages(world.stubs, "ListBalances", pb.ListBalancesRequest(question=question))
            assert [as_json(row) for row in rows(found)] == expected
            assert as_json(found[0].coverage) == coverage
            assert list(found[0].warnings) == warnings


def test_both_are_verified(both: Both, dev: Dev, data: Path) -> None:
    told = dev.dev("verify")
    assert (told.returncode, told.stdout[:4]) == (0, "ok: ")
    assert mutua("--data", str(data), "verify").stdout == told.stdout


def test_every_process_answers_from_the_position_that_is_wanted(both: Both) -> None:
    for world in (both.one, both.other):
        with Client(world.server, "later") as client:
            for number, event in enumerate(facts(0, 20)):
                wanted = client.record([event])
                request = pb.GetStatusRequest(programme_id="later", min_position=wanted)
                for stub in world.stubs:
                    assert stub.GetStatus(request, timeout=120).exchange_count == number + 1
    both.agree("GetStatus", pb.GetStatusRequest(programme_id="later"))


@pytest.fixture(scope="module")
def moved(both: Both, dev: Dev, data: Path) -> Iterator[Both]:
    """The embedded size, and what its log became on a new topic and in a new database."""
    told = DevDirectory(dev.path).told()
    file = dev.path.parent / "log.jsonl.gz"
    done = mutua("--data", str(data), "export", "log", str(file))
    assert done.returncode == 0, done.stderr
    execute(told.store_url, "CREATE DATABASE moved")
    urls = (f"{told.log_url}-moved", f"{told.store_url.rpartition('/')[0]}/moved")
    with replayed(file, urls, dev.path.parent) as world:
        for programme in (DPDK, GENERATED, TROUBLED):
            world.wait_until_level(programme)
        yield Both(both.one, world, forget_the_move)


def forget_the_move(page: Any) -> None:
    """A record tells behind it when it was first recorded; one that is no fact cannot tell."""
    forget(page, PLACES | {"record"})
    for each in getattr(page, "records", ()):
        if each.reason == pb.QUARANTINE_REASON_UNREADABLE:
            each.ClearField("record_time")


@ABOUT
def test_a_log_that_was_moved_answers_alike_times_included(moved: Both, subject: Subject) -> None:
    orders = (*EXCHANGE_ORDERS, "record_time", "record_time desc")
    ask_everything(moved, subject, orders)
