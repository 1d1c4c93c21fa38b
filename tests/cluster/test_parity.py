"""A cluster answers as the embedded size does, field by field, and as the oracle does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from mutua import Client
from mutua.v1 import query_service_pb2 as pb
from mutua.v1.types_pb2 import Date
from services.adapters.kafka.address import KafkaAddress
from services.app.cluster_verification import verify
from tests.backing_services import temporary_database
from tests.cluster.answer_comparison import (
    POSITION_FIELDS,
    RECORD_TIME_FIELDS,
    clear_fields,
    fetch_pages,
    find_difference,
)
from tests.cluster.dev_cluster import run_mutua
from tests.cluster.installations import Installation, run_cluster, run_embedded, run_replayed
from tests.cluster.irregular_programme import ALIAS, TOPICS, UNREADABLE_RECORD
from tests.cluster.parity_facts import (
    DPDK,
    GENERATED,
    IRREGULAR,
    copy_some_reviews,
    generate_recorded_events,
    read_reviews,
)
from tests.cluster.request_catalogue import (
    EXCHANGE_ORDERS,
    RPCS,
    QuestionSubject,
    generate_questions,
    generate_requests,
)
from tests.cluster.topics import delete_topic, kafka_url, temporary_topic
from tests.faults.server_process import facts
from tests.ledger.folded_ledger import message_to_json
from tests.oracle import answers as oracle
from tests.oracle.fold import fold

pytestmark = pytest.mark.timeout(900)
REVIEWS = Path(os.environ.get("MUTUA_REAL_DATA", ""), "dpdk-reviews.csv.gz")
needs_reviews = pytest.mark.skipif(
    "MUTUA_REAL_DATA" not in os.environ, reason="MUTUA_REAL_DATA names no folder with real data"
)
SUBJECTS = (
    pytest.param(
        QuestionSubject(
            programme_id=DPDK,
            from_date=Date(year=2016, month=2, day=15),
            to_date=Date(year=2019, month=9, day=10),
            organization_ids=["intel.com", "arknetworks.am"],
        ),
        marks=needs_reviews,
        id=DPDK,
    ),
    pytest.param(
        QuestionSubject(
            programme_id=GENERATED,
            from_date=Date(year=2018, month=11, day=12),
            to_date=Date(year=2019, month=8, day=20),
            organization_ids=["T-01", "T-17"],
            topics=["e-prescribing", "results-viewing"],
        ),
        id=GENERATED,
    ),
    pytest.param(
        QuestionSubject(
            programme_id=IRREGULAR,
            from_date=Date(year=2018, month=12, day=24),
            to_date=Date(year=2019, month=2, day=14),
            organization_ids=["T-01", ALIAS],
            topics=TOPICS,
        ),
        id=IRREGULAR,
    ),
)
ABOUT = pytest.mark.parametrize("subject", SUBJECTS)
EVIDENCE_ROWS = 20
"""Of so many rows of a list the evidence is looked at."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The embedded installation, which answers once what several others are compared in."""

    installation: Installation
    _answers: dict[tuple[str, bytes], list[Any]] = field(default_factory=dict)

    def fetch(self, name: str, request: Any, normalize: Callable[[Any], None]) -> list[Any]:
        """Returns all pages of an answer, normalized."""
        key = name, request.SerializeToString(deterministic=True)
        if key not in self._answers:
            self._answers[key] = fetch_pages(self.installation.stubs, name, request)
        pages = deepcopy(self._answers[key])
        for page in pages:
            normalize(page)
        return pages


@dataclass(frozen=True, slots=True)
class InstallationPair:
    """Two installations with the same facts."""

    one: Reference
    other: Installation
    tidy: Callable[[Any], None]
    """Takes out of a page in what they may differ."""

    def assert_same_answers(self, name: str, request: Any) -> list[Any]:
        """What one says, which is what the other says."""
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(fetch_pages, self.other.stubs, name, request, normalize=self.tidy)
            pages = self.one.fetch(name, request, self.tidy)
        assert find_difference(pages, other.result()) == "", f"{name} {request}"
        return pages


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("parity")


@pytest.fixture(scope="module")
def data(folder: Path) -> Path:
    return folder / "data"


@pytest.fixture(scope="module")
def reviews(folder: Path) -> Path | None:
    """Some of the reviews of DPDK; None where there are none."""
    if not REVIEWS.exists():
        return None
    copy_some_reviews(REVIEWS, folder / REVIEWS.name)
    return folder / REVIEWS.name


@pytest.fixture(scope="module")
def urls(broker: str, postgres: str) -> Iterator[tuple[str, str]]:
    """A log and a database for the cluster."""
    for topic in temporary_topic(broker):
        with temporary_database(postgres) as database:
            yield kafka_url(broker, topic), database


@pytest.fixture(scope="module")
def both(
    urls: tuple[str, str], folder: Path, data: Path, reviews: Path | None
) -> Iterator[InstallationPair]:
    garbage = [(IRREGULAR, UNREADABLE_RECORD)]
    with run_embedded(data, garbage) as one, run_cluster(urls, folder, garbage) as other:
        with ThreadPoolExecutor() as pool:
            list(pool.map(partial(load, reviews=reviews), (one, other)))
        yield InstallationPair(
            Reference(one),
            other,
            lambda page: clear_fields(page, POSITION_FIELDS | RECORD_TIME_FIELDS),
        )


def load(installation: Installation, reviews: Path | None) -> None:
    programmes = [GENERATED, IRREGULAR]
    for programme in programmes:
        installation.record(programme)
    if reviews is not None:
        installation.import_reviews(reviews)
        programmes.append(DPDK)
    for programme in programmes:
        installation.wait_until_projected(programme)
    for reason in (pb.QUARANTINE_REASON_STALE_CORRECTION, pb.QUARANTINE_REASON_EVENT_ID_REUSED):
        installation.resubmit_first(IRREGULAR, reason)
    installation.wait_until_projected(IRREGULAR)


def ask_everything(
    both: InstallationPair, subject: QuestionSubject, orders: Sequence[str] = EXCHANGE_ORDERS
) -> set[str]:
    """The rpcs that were asked."""
    question = pb.Question(programme_id=subject.programme_id)
    exchanges = rows(
        both.assert_same_answers("ListExchanges", pb.ListExchangesRequest(question=question))
    )
    some = [each.exchange_id for each in exchanges[:300:50]]
    rpcs = set()
    for name, request in generate_requests(subject, some, exchange_orders=orders):
        both.assert_same_answers(name, request)
        rpcs.add(name)
    return rpcs


def some_of(all_rows: Sequence[Any]) -> Sequence[Any]:
    return all_rows[:: len(all_rows) // EVIDENCE_ROWS + 1]


def rows(pages: Sequence[Any]) -> list[Any]:
    """Those of all pages of a list."""
    [field, *_] = pages[0].DESCRIPTOR.fields
    return [row for page in pages for row in getattr(page, field.name)]


@pytest.fixture(scope="module")
def moved(
    both: InstallationPair, folder: Path, data: Path, broker: str, postgres: str
) -> Iterator[InstallationPair]:
    """The embedded installation, and its log on a new topic, projected into a new database."""
    file = folder / "log.jsonl.gz"
    export = run_mutua("--data", str(data), "export", "log", str(file))
    assert export.returncode == 0, export.stderr
    topic = f"test-{uuid4().hex}"
    with (
        temporary_database(postgres) as database,
        run_replayed(file, (kafka_url(broker, topic), database), folder) as installation,
    ):
        for programme in (DPDK, GENERATED, IRREGULAR):
            installation.wait_until_projected(programme)
        yield InstallationPair(both.one, installation, forget_the_move)
    delete_topic(broker, topic)


def forget_the_move(page: Any) -> None:
    """A record tells behind it when it was first recorded; one that is no fact cannot tell."""
    clear_fields(page, POSITION_FIELDS | {"record"})
    for each in getattr(page, "records", ()):
        if each.reason == pb.QUARANTINE_REASON_UNREADABLE:
            each.ClearField("record_time")


class TestParity:
    @ABOUT
    def test_every_question_has_equal_answers(
        self, both: InstallationPair, subject: QuestionSubject
    ) -> None:
        assert ask_everything(both, subject) == RPCS

    @ABOUT
    def test_every_number_has_equal_evidence(
        self, both: InstallationPair, subject: QuestionSubject
    ) -> None:
        question = pb.Question(programme_id=subject.programme_id)
        balances = rows(
            both.assert_same_answers("ListBalances", pb.ListBalancesRequest(question=question))
        )
        for balance in balances:
            name = balance.organization_id
            request = pb.GetBalanceRequest(question=question, organization_id=name)
            [answer] = both.assert_same_answers("GetBalance", request)
            assert answer.balance == balance
        for balance in some_of(balances):
            directed_count = 0
            for side in ("giver_id", "receiver_id"):
                evidence = pb.ListExchangesRequest(
                    question=question, standing_only=True, **{side: balance.organization_id}
                )
                directed_count += len(rows(both.assert_same_answers("ListExchanges", evidence)))
            assert directed_count + balance.joint_count == balance.exchange_count
        for pair in some_of(
            rows(both.assert_same_answers("ListPairs", pb.ListPairsRequest(question=question)))
        ):
            evidence = pb.ListExchangesRequest(
                question=question,
                giver_id=pair.giver_id,
                receiver_id=pair.receiver_id,
                standing_only=True,
            )
            assert (
                len(rows(both.assert_same_answers("ListExchanges", evidence))) == pair.given_count
            )

    @pytest.mark.parametrize("subject", SUBJECTS[:2])
    def test_balances_equal_oracle(
        self, both: InstallationPair, reviews: Path | None, subject: QuestionSubject
    ) -> None:
        ledger = fold(
            read_reviews(reviews)
            if reviews is not None and subject.programme_id == DPDK
            else generate_recorded_events(GENERATED)
        )
        summed = [
            each for each in generate_questions(subject) if each.allocation != pb.ALLOCATION_FULL
        ]
        for question in summed[::3]:
            expected = oracle.compute_balances(ledger, question)
            coverage, warnings = (
                oracle.compute_coverage(ledger, question),
                oracle.find_warnings(ledger, question),
            )
            for installation in (both.one.installation, both.other):
                pages = fetch_pages(
                    installation.stubs, "ListBalances", pb.ListBalancesRequest(question=question)
                )
                assert [message_to_json(row) for row in rows(pages)] == expected
                assert message_to_json(pages[0].coverage) == coverage
                assert list(pages[0].warnings) == warnings

    def test_both_installations_verify(
        self, both: InstallationPair, urls: tuple[str, str], data: Path
    ) -> None:
        report = verify(KafkaAddress.parse(urls[0]), urls[1])
        assert (report.differences, report.unprojected_count, report.hold_reason) == ([], 0, "")
        printed = run_mutua("--data", str(data), "verify").stdout
        assert printed == f"ok: {report.fact_count:,} facts\n"

    def test_every_process_answers_at_min_position(self, both: InstallationPair) -> None:
        for installation in (both.one.installation, both.other):
            with Client(installation.server, "later") as client:
                for number, event in enumerate(facts(0, 20)):
                    position = client.record([event])
                    request = pb.GetStatusRequest(programme_id="later", min_position=position)
                    for stub in installation.stubs:
                        assert stub.GetStatus(request, timeout=120).exchange_count == number + 1
        both.assert_same_answers("GetStatus", pb.GetStatusRequest(programme_id="later"))

    @ABOUT
    def test_moved_log_has_equal_answers_and_times(
        self, moved: InstallationPair, subject: QuestionSubject
    ) -> None:
        orders = (*EXCHANGE_ORDERS, "record_time", "record_time desc")
        ask_everything(moved, subject, orders)
