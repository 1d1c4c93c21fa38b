"""AnalysisService through gRPC: answers, refusals, and questions that nobody waits for."""

from __future__ import annotations

import asyncio
import json
from threading import Event
from typing import Any, cast

import grpc
import pytest
from google.protobuf.message import Message

from mutua import Client, MutuaError
from mutua.v1 import query_service_pb2 as pb
from mutua.v1.analysis_service_pb2 import PERIOD_YEAR, VERDICT_DEPENDS_ON_YARDSTICK, Period
from services.adapters.grpc.server import Context
from services.adapters.telemetry.metrics import NO_OP_METER
from services.ledger.ports import ReadableLog
from services.query.executor import QueryExecutor
from services.query.position_tracker import PositionTracker
from services.query.query_context import QueryContext
from services.query.questions import RegisteredQuestion
from tests.cli.conftest import RunCommand
from tests.cli.conftest import run as run
from tests.ledger.folded_ledger import START_TIME
from tests.projector.slab_projection import open_empty_store
from tests.services import facts
from tests.services.facts import exchange
from tests.services.test_query_regression import SinglePartitionLog, StubCall

ORGANIZATIONS = [f"o{number}" for number in range(8)]


@pytest.fixture
def programme(client: Client) -> Client:
    """Eight organizations, each of which gives to the next two and the one before, twice."""
    events = [
        exchange(
            giver, ORGANIZATIONS[(place + step) % 8], on=f"202{5 + day}-03-0{day + 1}T12:00:00Z"
        )
        for day in range(2)
        for place, giver in enumerate(ORGANIZATIONS)
        for step in (1, 2, 7)
    ]
    events += [facts.registration(each, region="North") for each in ORGANIZATIONS[:4]]
    events += [facts.registration(each, region="South") for each in ORGANIZATIONS[4:]]
    client.get_status(min_position=client.record(events))
    return client


def refuse(client: Client, **filters: Any) -> MutuaError:
    with pytest.raises(MutuaError) as refused:
        client.get_reciprocity(**filters)
    return refused.value


class TestReciprocity:
    def test_of_a_programme(self, programme: Client) -> None:
        answer = programme.get_reciprocity()
        [row] = answer.reciprocities
        assert (row.organization_count, row.exchange_count, row.total) == (8, 48, 48)
        assert (row.mutual_count, row.asymmetric_count, row.null_count) == (8, 8, 12)
        assert row.reciprocity == pytest.approx(16 / 24)
        assert row.weighted_reciprocity == pytest.approx(16 / 24)
        assert row.ceiling == 1
        assert row.direct + row.circulating + row.relayed + row.one_way == pytest.approx(1)
        assert row.verdict == VERDICT_DEPENDS_ON_YARDSTICK
        assert answer.coverage.exchange_count == 48
        assert answer.question.population == pb.POPULATION_ROSTER

    def test_of_a_subset_reports_what_crosses_its_edge(self, programme: Client) -> None:
        answer = programme.get_reciprocity(where={"region": "North"})
        [row] = answer.reciprocities
        assert row.organization_count == 4
        assert row.spill_given + row.spill_received + row.total < 48
        assert answer.warnings == ["NO_VERDICT"]
        assert [*answer.question.where] == [pb.AttributeFilter(attribute="region", value="North")]

    def test_by_year_has_a_row_a_year(self, programme: Client) -> None:
        rows = programme.get_reciprocity(period=PERIOD_YEAR).reciprocities
        assert [(row.from_date.year, row.exchange_count) for row in rows] == [
            (2025, 24),
            (2026, 24),
        ]

    def test_seed_decides_the_draws(self, programme: Client) -> None:
        one, same, other = (
            programme.get_reciprocity(seed=seed).reciprocities[0] for seed in (5, 5, 6)
        )
        assert one == same
        assert one.spread != other.spread

    def test_of_an_empty_window_has_no_measures(self, programme: Client) -> None:
        [row] = programme.get_reciprocity(from_date="2030-01-01").reciprocities
        assert not row.HasField("weighted_reciprocity")
        assert row.reasons == ["TOO_FEW_ORGANIZATIONS", "TOO_FEW_EXCHANGES"]


class TestRefusals:
    @pytest.mark.parametrize("allocation", ["full", "once"])
    def test_allocation_without_totals(self, client: Client, allocation: str) -> None:
        assert refuse(client, allocation=allocation).reason == "QUESTION_IMPOSSIBLE"

    def test_unknown_attribute_suggests_the_nearest(self, client: Client) -> None:
        error = refuse(client, where={"regoin": "North"})
        [violation] = error.field_violations
        assert violation.field == "question.where[0].attribute"
        assert "did you mean region?" in violation.description

    def test_unknown_period(self, client: Client) -> None:
        error = refuse(client, period=Period.ValueType(9))
        assert error.code is grpc.StatusCode.INVALID_ARGUMENT
        assert "period" in str(error)

    def test_other_questions_take_no_subset(self, client: Client) -> None:
        with pytest.raises(MutuaError) as refused:
            list(client.list_balances(where={"region": "North"}))
        assert refused.value.code is grpc.StatusCode.UNIMPLEMENTED


class TestCancellation:
    def test_ends_the_computation(self) -> None:
        asyncio.run(self._cancel_while_computing())

    async def _cancel_while_computing(self) -> None:
        begun, ended = Event(), Event()

        def compute(query: QueryContext) -> Message:
            begun.set()
            try:
                while True:
                    query.check_cancelled()
            finally:
                ended.set()

        with open_empty_store() as store:
            executor = QueryExecutor(
                store,
                PositionTracker(),
                log=cast("ReadableLog", SinglePartitionLog()),
                clock=lambda: START_TIME,
                meter=NO_OP_METER,
            )
            message = pb.ListBalancesRequest(question=pb.Question(programme_id="gde"))
            task = asyncio.create_task(
                executor.execute(message, cast("Context", StubCall()), RegisteredQuestion(compute))
            )
            await asyncio.to_thread(begun.wait)
            other = asyncio.create_task(
                executor.execute(message, cast("Context", StubCall()), RegisteredQuestion(answer))
            )
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(ended.wait, 60)
            assert pb.ListBalancesResponse.FromString(await other).position

        assert ended.is_set()


def answer(query: QueryContext) -> Message:
    return pb.ListBalancesResponse()


class TestCommand:
    def test_says_the_answer_in_sentences(self, run: RunCommand) -> None:
        for giver, receiver in (("a", "b"), ("b", "a"), ("a", "c")):
            run("log", "--from", giver, "--to", receiver, "--kind", "call")
        result = run("reciprocity")
        assert "3 exchanges among 3 organizations, on 3 ties." in result.out
        assert "67% is returned directly" in result.out
        assert "No verdict: fewer than 5 organizations gave and received" in result.out
        assert (result.code, result.err) == (0, "")

    def test_json_has_absent_measures_as_absent_keys(self, run: RunCommand) -> None:
        run("log", "--from", "a", "--to", "b", "--kind", "call")
        result = run("reciprocity", "--from", "2000-01", "--to", "2000-02", "--format", "json")
        [row] = json.loads(result.out)["reciprocities"]
        assert "weighted_reciprocity" not in row
        assert row["reasons"] == ["TOO_FEW_ORGANIZATIONS", "TOO_FEW_EXCHANGES"]

    def test_where_needs_attribute_and_value(self, run: RunCommand) -> None:
        result = run("reciprocity", "--where", "North")
        assert result.code == 2
        assert "write attribute=value, such as region=North" in result.err
