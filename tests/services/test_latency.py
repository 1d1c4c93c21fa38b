"""Reciprocation time through gRPC and as a command: answers, refusals and sentences."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import grpc
import pytest

from mutua import Client, MutuaError
from mutua.v1.analysis_service_pb2 import PERIOD_YEAR, Period
from mutua.v1.event_pb2 import Event
from tests.cli.conftest import RunCommand
from tests.cli.conftest import run as run
from tests.services import facts
from tests.services.facts import exchange

ORGANIZATIONS = [f"o{number}" for number in range(8)]


@pytest.fixture
def programme(client: Client) -> Client:
    """Each organization gives to the next one, which answers after 10 days; the last is alone."""
    events = [each for place in range(7) for each in make_turns(place)]
    events += [facts.registration(each, region="North") for each in ORGANIZATIONS[:4]]
    events += [facts.registration(each, region="South") for each in ORGANIZATIONS[4:]]
    client.get_status(min_position=client.record(events))
    return client


def make_turns(place: int) -> list[Event]:
    one, other = ORGANIZATIONS[place : place + 2]
    opened = date(2025, 1, 1) + timedelta(days=100 * place)
    return [
        exchange(one, other, on=f"{opened}T12:00:00Z"),
        exchange(other, one, on=f"{opened + timedelta(days=10)}T12:00:00Z"),
    ]


def refuse(client: Client, **filters: Any) -> MutuaError:
    with pytest.raises(MutuaError) as refused:
        client.get_latency(**filters)
    return refused.value


class TestLatency:
    def test_of_a_programme(self, programme: Client) -> None:
        answer = programme.get_latency()
        [row] = answer.latencies
        assert (row.pair_count, row.turn_count) == (7, 14)
        assert (row.answered_count, row.censored_count) == (7, 7)
        assert row.median_days == 10
        assert [horizon.days for horizon in row.horizons] == [30, 90, 365]
        # The last turn was censored when it opened; the other 13 were observed for 10 days.
        assert row.horizons[0].unanswered_share == pytest.approx(6 / 13)
        assert row.horizons[0].low < row.horizons[0].unanswered_share < row.horizons[0].high
        end = datetime(2025, 1, 11, 12, tzinfo=UTC) + timedelta(days=600)
        assert row.observation_end_time.ToDatetime(tzinfo=UTC) == end
        # Some resamples have no turn of a year, so that its share has no interval.
        assert row.horizons[2].HasField("unanswered_share")
        assert not row.horizons[2].HasField("low")
        assert (list(row.reasons), row.metric_version) == (["NOT_OBSERVED"], 1)
        assert answer.coverage.exchange_count == 14

    def test_of_a_subset_has_turns_inside_it(self, programme: Client) -> None:
        [row] = programme.get_latency(where={"region": "North"}).latencies
        assert (row.pair_count, row.turn_count) == (3, 6)
        assert row.reasons == ["TOO_FEW_PAIRS"]
        assert not row.HasField("median_low")

    def test_by_year_has_the_turns_that_open_in_it(self, programme: Client) -> None:
        rows = programme.get_latency(period=PERIOD_YEAR).latencies
        assert [(row.from_date.year, row.turn_count) for row in rows] == [(2025, 8), (2026, 6)]

    def test_lens_changes_no_number(self, programme: Client) -> None:
        assert programme.get_latency(lens="burden").latencies == programme.get_latency().latencies

    def test_seed_decides_the_resamples(self, programme: Client) -> None:
        one, same, other = (programme.get_latency(seed=seed).latencies[0] for seed in (5, 5, 6))
        assert one == same
        assert one.horizons[0] != other.horizons[0]

    def test_of_an_empty_window_has_counts_only(self, programme: Client) -> None:
        [row] = programme.get_latency(from_date="2030-01-01").latencies
        assert (row.turn_count, list(row.reasons), list(row.horizons)) == (0, ["TOO_FEW"], [])
        assert not row.HasField("median_days")


class TestRefusals:
    @pytest.mark.parametrize("allocation", ["full", "once"])
    def test_allocation_without_totals(self, client: Client, allocation: str) -> None:
        assert refuse(client, allocation=allocation).reason == "QUESTION_IMPOSSIBLE"

    def test_unknown_attribute_suggests_the_nearest(self, client: Client) -> None:
        [violation] = refuse(client, where={"regoin": "North"}).field_violations
        assert "did you mean region?" in violation.description

    def test_unknown_period(self, client: Client) -> None:
        error = refuse(client, period=Period.ValueType(9))
        assert error.code is grpc.StatusCode.INVALID_ARGUMENT


class TestCommand:
    def log(self, run: RunCommand, giver: str, receiver: str, on: str) -> None:
        run("log", "--from", giver, "--to", receiver, "--kind", "call", "--on", on)

    def test_says_the_answer_in_sentences(self, run: RunCommand) -> None:
        for year in (2023, 2024, 2025):
            self.log(run, "a", "b", f"{year}-03-01")
            self.log(run, "b", "a", f"{year}-03-21")
        self.log(run, "a", "c", "2025-12-31")
        result = run("latency")
        assert (
            "7 turns of 2 pairs, observed until 2025-12-31: 5 answered, 2 still open." in result.out
        )
        assert "Half of the turns are answered within 20 days." in result.out
        assert (
            "After 30 days 50% are still open, after 90 days 50%, after 365 days 0%" in result.out
        )
        assert "Too few pairs (under 5) for ranges." in result.out
        assert (result.code, result.err) == (0, "")

    def test_few_turns_have_no_more_words(self, run: RunCommand) -> None:
        self.log(run, "a", "b", "2026-03-01")
        result = run("latency")
        assert "1 turn of 1 pair" in result.out
        assert "Too few to say more (under 5 turns)." in result.out

    def test_series_is_a_table(self, run: RunCommand) -> None:
        self.log(run, "a", "b", "2025-03-01")
        self.log(run, "b", "a", "2026-03-01")
        result = run("latency", "--by", "year")
        assert [line.split()[:4] for line in result.out.splitlines()[2:4]] == [
            ["2025-03-01", "1", "1", "1"],
            ["2026-01-01", "1", "1", "0"],
        ]

    def test_json_has_absent_measures_as_absent_keys(self, run: RunCommand) -> None:
        self.log(run, "a", "b", "2026-03-01")
        [row] = json.loads(run("latency", "--format", "json").out)["latencies"]
        assert "median_days" not in row
        assert (row["horizons"], row["reasons"]) == ([], ["TOO_FEW"])

    def test_csv_has_a_line_for_each_row(self, run: RunCommand) -> None:
        self.log(run, "a", "b", "2026-03-01")
        header, line = run("latency", "--format", "csv").out.splitlines()
        cells = dict(zip(header.split(","), line.split(","), strict=True))
        assert (cells["turn_count"], cells["median_days"], cells["reasons"]) == ("1", "", "TOO_FEW")

    def test_refuses_an_order(self, run: RunCommand) -> None:
        result = run("latency", "--order-by", "turn_count")
        assert (result.code, "leave it out" in result.err) == (2, True)
