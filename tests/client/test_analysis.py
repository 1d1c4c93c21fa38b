"""Analyses as dataclasses, with a Client and an AsyncClient."""

import asyncio
import dataclasses
import inspect
from collections.abc import Iterator
from datetime import UTC, date
from pathlib import Path
from typing import Any

import pytest

from mutua import AsyncClient, Client, MutuaError, measures
from mutua.v1 import analysis_service_pb2 as pb
from services.app.bootstrap import serve_embedded
from tests.services.facts import exchange, registration

MEMBERS = ["007", "1e5", "NA", "null", "o5", "o6", "o7", "o8"]
MESSAGES: dict[Any, Any] = {
    measures.ReciprocityMeasures: pb.Reciprocity,
    measures.YardstickBand: pb.Yardstick,
    measures.OneLeftOut: pb.WithoutOrganization,
    measures.LiftMeasures: pb.Lift,
    measures.GroupFlow: pb.MixingCell,
    measures.StructureMeasures: pb.Structure,
    measures.TriadPattern: pb.TriadCount,
    measures.ComponentSizes: pb.ComponentCounts,
    measures.ReachMeasures: pb.OrganizationReach,
    measures.FirstExchange: pb.Newcomer,
    measures.LastExchange: pb.StoppedOrganization,
    measures.LossMeasures: pb.OrganizationLoss,
    measures.LatencyMeasures: pb.Latency,
    measures.WaitingHorizon: pb.Horizon,
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Eight organizations with ids that tables take for numbers or for nothing; each gives to the
    next two and to the one before, in two years."""
    with serve_embedded(tmp_path_factory.mktemp("data"), purpose="tests", write=True) as running:
        with Client(running.address) as client:
            roster = [registration(each, region="North") for each in MEMBERS]
            exchanges = [
                exchange(giver, MEMBERS[(place + step) % 8], on=f"{year}-03-01T12:00:00Z")
                for place, giver in enumerate(MEMBERS)
                for step in (1, 2, 7)
                for year in (2025, 2026)
            ]
            position = client.record([*roster, *exchanges])
            client.get_status(min_position=position)
        yield running.address


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address) as client:
        yield client


class TestMeasures:
    @pytest.mark.parametrize("row_type", MESSAGES, ids=lambda row_type: row_type.__name__)
    def test_fields_are_those_of_the_contract(self, row_type: Any) -> None:
        names = [field.name for field in MESSAGES[row_type].DESCRIPTOR.fields]
        assert [field.name for field in dataclasses.fields(row_type)] == names

    @pytest.mark.parametrize("row_type", MESSAGES, ids=lambda row_type: row_type.__name__)
    def test_every_field_is_documented(self, row_type: Any) -> None:
        lines = inspect.getsource(row_type).splitlines()
        for field in dataclasses.fields(row_type):
            [place] = [at for at, line in enumerate(lines) if line.startswith(f"    {field.name}:")]
            assert lines[place + 1].startswith('    """'), field.name

    def test_are_those_of_the_message(self, client: Client) -> None:
        answer = client.analysis.reciprocity(seed=3)
        [row], [message] = answer, client.get_reciprocity(seed=3).reciprocities
        assert row.reciprocity == message.reciprocity == pytest.approx(2 / 3)
        assert row.spread == measures.YardstickBand(
            message.spread.expected, message.spread.low, message.spread.high
        )
        assert (row.report_view, row.reasons) == ("union", ())
        assert row.verdict == "depends-on-yardstick"
        assert row.lowest_without is not None
        assert row.lowest_without.organization_id in MEMBERS

    def test_cannot_be_changed(self, client: Client) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            client.analysis.reciprocity()[0].total = 1.0  # type: ignore[misc]

    def test_undefined_ones_are_none_with_a_reason(self, client: Client) -> None:
        answer = client.analysis.reciprocity(from_date="2020-01", to_date="2020-02")
        assert (answer[0].reciprocity, answer[0].spread, answer[0].verdict) == (None, None, None)
        assert "TOO_FEW_EXCHANGES" in answer[0].reasons
        assert answer.warnings == ("NO_VERDICT",)


class TestAnswer:
    def test_series_has_the_days_of_each_part(self, client: Client) -> None:
        answer = client.analysis.reciprocity(by="year", from_date="2025-01", to_date="2027-01")
        assert [row.from_date for row in answer] == [date(2025, 1, 1), date(2026, 1, 1)]
        assert (len(answer), len(answer[:1]), answer.unplaced_count) == (2, 1, 0)

    def test_has_what_it_rests_on(self, client: Client) -> None:
        answer = client.analysis.reciprocity(lens="burden", where={"region": "North"})
        assert answer.question.where[0].value == "North"
        assert answer.coverage.exchange_count == 48
        assert client.analysis.reciprocity(min_position=answer.position)

    def test_lift_has_the_flow_between_groups(self, client: Client) -> None:
        [row] = client.analysis.lift(attributes=["region"])
        assert row.mixing == (measures.GroupFlow("North", "North", 48.0),)
        assert (row.lift, row.reasons) == (None, ("TOO_FEW_GROUPS",))

    def test_structure_has_components_and_newcomers(self, client: Client) -> None:
        [row] = client.analysis.structure(from_date="2025-01")
        assert row.components == measures.ComponentSizes(1, 8, 1, 8)
        assert row.newcomers[0] == measures.FirstExchange("007", date(2025, 3, 1))
        assert [row.triads[0].name, row.triads[-1].name] == ["003", "300"]

    def test_what_if_has_what_ends(self, client: Client) -> None:
        [row] = client.analysis.what_if("NA")
        assert (row.organization_id, row.given, row.received) == ("NA", 6.0, 6.0)
        assert row.share == pytest.approx(12 / 48)

    def test_latency_has_horizons_and_where_observation_ends(self, client: Client) -> None:
        answer = client.analysis.latency()
        assert [each.days for each in answer[0].horizons] == [30, 90, 365]
        assert answer[0].observation_end_time is not None
        assert answer[0].observation_end_time.tzinfo is UTC
        assert answer.to_polars()["turn_count"].to_list() == [answer[0].turn_count]

    @pytest.mark.parametrize("word", ["decade", "Year 1", 4])
    def test_unknown_period_is_refused_with_the_known_ones(self, client: Client, word: Any) -> None:
        with pytest.raises(MutuaError, match=r"by: .* is none of month, quarter, year") as refusal:
            client.analysis.reciprocity(by=word)
        assert refusal.value.field_violations[0].field == "period"

    @pytest.mark.parametrize("seed", [-1, 2**32, "7", 1.5])
    def test_seed_out_of_range_is_refused(self, client: Client, seed: Any) -> None:
        with pytest.raises(
            MutuaError, match=r"seed: .* is not a whole number from 0 to 4294967295"
        ):
            client.analysis.reciprocity(seed=seed)
        with pytest.raises(MutuaError, match="seed: "):
            client.get_lift(seed=seed)

    def test_async_client_gives_the_same(self, client: Client, address: str) -> None:
        async def ask() -> tuple[Any, Any]:
            async with AsyncClient(address) as async_client:
                pairs = await async_client.list_pairs(page_size=5)
                return await async_client.analysis.reciprocity(), await pairs.to_arrow()

        answer, pairs = asyncio.run(ask())
        assert answer.rows == client.analysis.reciprocity().rows
        assert pairs.equals(client.list_pairs().to_arrow())


def test_client_directory_works_too(tmp_path: Path) -> None:
    with Client(directory=tmp_path / "data") as client:
        position = client.record([exchange("007", "NA")])
        [row] = client.analysis.reciprocity(min_position=position)
        assert row.organization_count == 2
