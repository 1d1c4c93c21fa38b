"""Asymmetry through gRPC and the command line: order, pages, evidence, topics and refusals."""

from __future__ import annotations

import csv
import io
from typing import Any

import grpc
import pytest

from mutua import Client, MutuaError
from mutua.v1 import analysis_service_pb2 as pb
from mutua.v1.event_pb2 import Event
from tests.cli.conftest import RunCommand, recorded_once
from tests.cli.conftest import run as run
from tests.ledger.folded_ledger import message_to_json
from tests.services import facts


def on_day(giver: str, receiver: str, day: int, topic: str = "") -> Event:
    event = facts.exchange(giver, receiver, on=f"2026-03-{day:02}T12:00:00Z")
    if topic:
        event.exchange_recorded.exchange.topics.append(topic)
    return event


@pytest.fixture
def programme(client: Client) -> Client:
    """North gives East on 12 days and South on 8, South gives East on 2; East gave North once."""
    events = [on_day("north", "east", day, "theatres") for day in range(1, 13)]
    events += [on_day("north", "south", day) for day in range(1, 9)]
    events += [on_day("east", "north", 20, "theatres"), on_day("east", "south", 20)]
    events += [on_day("south", "east", day) for day in (21, 22)]
    events += [facts.registration(each, region="Coast") for each in ("north", "south")]
    client.get_status(min_position=client.record(events))
    return client


def refuse(client: Client, **fields: Any) -> MutuaError:
    with pytest.raises(MutuaError) as refused:
        list(client.list_asymmetry(**fields))
    return refused.value


class TestPairs:
    def test_most_one_sided_come_first(self, programme: Client) -> None:
        first, second = programme.list_asymmetry()
        assert (first.giver_id, first.receiver_id) == ("north", "south")
        assert (second.giver_id, second.receiver_id) == ("north", "east")
        assert first.interval_low > second.interval_low > 0.5
        assert (first.contact_days, second.given_days, second.contact_days) == (8, 12, 13)
        assert first.p_value == pytest.approx(2 / 2**8)
        assert first.q_value == pytest.approx(2 / 2**8)
        assert second.q_value == pytest.approx(2 * 2 * 14 / 2**13)
        assert first.metric_version == 1
        assert not first.reasons

    def test_evidence_equals_that_of_pairs(self, programme: Client) -> None:
        pairs = {(row.giver_id, row.receiver_id): row for row in programme.list_pairs()}
        for row in programme.list_asymmetry(every_pair=True):
            pair = message_to_json(pairs.pop((row.giver_id, row.receiver_id)))
            more = message_to_json(row)
            assert {name: more[name] for name in pair if name != "reasons"} == {
                name: value for name, value in pair.items() if name != "reasons"
            }
            assert ("p_value" in more) == ("p_value" in pair)
        assert not pairs

    def test_paid_back_has_amount_and_path(self, programme: Client) -> None:
        events = [on_day("south", "north", day) for day in range(1, 20)]
        programme.get_status(min_position=programme.record(events))
        rows = {row.giver_id: row for row in programme.list_asymmetry()}
        # South gave north 11 more; north gave east 11 more, and south gave east 1 more.
        assert (rows["south"].net, rows["south"].paid_back.amount) == (11, 0)
        assert rows["south"].HasField("paid_back")
        assert [*rows["south"].paid_back.path_ids] == []
        events = [on_day("east", "south", day) for day in range(1, 7)]
        programme.get_status(min_position=programme.record(events))
        rows = {row.giver_id: row for row in programme.list_asymmetry()}
        assert rows["north"].paid_back.amount == 5
        assert [*rows["north"].paid_back.path_ids] == ["east", "south", "north"]

    def test_without_evidence_have_a_reason(self, programme: Client) -> None:
        rows = [*programme.list_asymmetry(every_pair=True)]
        assert [row.giver_id for row in rows] == ["north", "north", "south"]
        assert not rows[-1].HasField("interval_low")
        assert rows[-1].reasons == ["TOO_FEW_DAYS"]

    def test_equal_amounts_have_nothing_to_pay_back(self, client: Client) -> None:
        events = [on_day("a", "b", 1), on_day("b", "a", 2)]
        client.get_status(min_position=client.record(events))
        [row] = client.list_asymmetry(every_pair=True)
        assert row.reasons == ["TOO_FEW_DAYS", "NO_DIFFERENCE"]
        assert not row.HasField("paid_back")

    def test_pages_follow_the_order(self, programme: Client) -> None:
        for order_by in ("", "net desc", "giver_id, received"):
            whole = [*programme.list_asymmetry(order_by=order_by, every_pair=True)]
            paged = programme.list_asymmetry(order_by=order_by, every_pair=True, page_size=1)
            assert [*paged] == whole
            assert len(whole) == 3

    def test_of_a_subset_are_among_its_organizations(self, programme: Client) -> None:
        [row] = programme.list_asymmetry(where={"region": "Coast"})
        assert (row.giver_id, row.receiver_id) == ("north", "south")
        assert row.q_value == row.p_value

    def test_of_an_empty_window_are_none(self, programme: Client) -> None:
        answer = programme.list_asymmetry(from_date="2030-01-01")
        assert [*answer] == []
        assert answer.coverage.exchange_count == 0

    def test_of_unknown_minutes_are_vague(self, programme: Client) -> None:
        answer = programme.list_asymmetry(lens="burden")
        assert answer.warnings == ("MANY_UNKNOWN",)
        for row in answer:
            assert row.reasons == ["MANY_UNKNOWN", "NO_DIFFERENCE"]
            assert row.HasField("p_value")  # days do not depend on minutes


class TestTopics:
    def test_have_a_row_each(self, programme: Client) -> None:
        none, theatres = programme.list_topic_asymmetry()
        assert (none.topic, none.exchange_count, none.pair_count) == ("", 11, 2)
        assert theatres == pb.TopicAsymmetry(
            topic="theatres",
            exchange_count=13,
            total=13,
            pair_count=1,
            one_sided_share=11 / 13,
            metric_version=1,
        )

    def test_are_sorted_and_paged(self, programme: Client) -> None:
        answer = programme.list_topic_asymmetry(order_by="one_sided_share desc", page_size=1)
        assert [row.topic for row in answer] == ["theatres", ""]

    def test_overlap_is_a_warning(self, programme: Client) -> None:
        event = on_day("north", "east", 25, "theatres")
        event.exchange_recorded.exchange.topics.append("stores")
        programme.get_status(min_position=programme.record([event]))
        assert programme.list_topic_asymmetry().warnings == ("TOPICS_OVERLAP",)
        [row] = programme.list_topic_asymmetry(topics="stores")
        assert row.topic == "stores"
        assert row.reasons == ["TOO_FEW_EXCHANGES"]


class TestRefusals:
    @pytest.mark.parametrize("allocation", ["full", "once"])
    def test_allocation_that_does_not_add_up(self, client: Client, allocation: str) -> None:
        assert refuse(client, allocation=allocation).reason == "QUESTION_IMPOSSIBLE"

    def test_order_by_what_is_computed_for_a_page(self, client: Client) -> None:
        error = refuse(client, order_by="paid_back desc")
        assert error.code is grpc.StatusCode.INVALID_ARGUMENT
        assert "interval_low" in str(error)

    def test_token_of_another_question(self, programme: Client) -> None:
        page = programme.list_asymmetry(page_size=1).first_page
        token = page.next_page_token
        assert token
        request = pb.ListAsymmetryRequest(page_token=token, every_pair=True)
        request.question.programme_id = programme.programme
        with pytest.raises(MutuaError):
            programme._query.call(lambda link: link.analysis.ListAsymmetry, request)


@recorded_once
def recorded(run: RunCommand) -> None:
    for day in range(1, 8):
        words = ("--kind", "call", "--topic", "theatres", "--on", f"2026-03-{day:02}")
        assert run("log", "--from", "alder", "--to", "birch", *words).code == 0
    run("log", "--from", "birch", "--to", "cedar", "--kind", "call", "--on", "2026-03-01")
    run("log", "--from", "cedar", "--to", "alder", "--kind", "call", "--on", "2026-03-01")


class TestCommand:
    @pytest.mark.usefixtures("recorded")
    def test_says_the_evidence_in_words(self, run: RunCommand) -> None:
        result = run("asymmetry")
        assert (result.code, result.err) == (0, "")
        assert "7 of 7 contact days went one way; 0.71 to 1.00" in result.out
        assert "1 through cedar" in result.out
        assert "0.016" in result.out
        assert "birch  cedar" not in result.out
        assert "--all-pairs adds them" in result.out
        assert "1 of 1 contact day went one way; too few" in run("asymmetry", "--all-pairs").out

    @pytest.mark.usefixtures("recorded")
    def test_has_json_and_csv(self, run: RunCommand) -> None:
        answer = run("asymmetry", "--format", "json", "--all-pairs").answer
        assert answer["filters"] == {"every_pair": True}
        first, *others = answer["pairs"]
        assert first["paid_back"] == {"amount": 1, "path_ids": ["birch", "cedar", "alder"]}
        assert all("q_value" not in row for row in others)
        [row] = csv.DictReader(io.StringIO(run("asymmetry", "--format", "csv").out))
        assert (row["giver_id"], row["contact_days"]) == ("alder", "7")

    @pytest.mark.usefixtures("recorded")
    def test_limit_shows_the_first(self, run: RunCommand) -> None:
        result = run("asymmetry", "--all-pairs", "--order-by", "net, giver_id", "--limit", "1")
        assert "there are more" in result.out
        assert "birch" in result.out.splitlines()[2].split()[0]

    @pytest.mark.usefixtures("recorded")
    def test_shows_topics(self, run: RunCommand) -> None:
        result = run("asymmetry", "--by-topic")
        [row] = [line for line in result.out.splitlines() if line.startswith("theatres")]
        assert row.split() == ["theatres", "7", "1", "1", "100%"]
        assert "(no topic)" in result.out

    def test_refuses_pairs_by_topic(self, run: RunCommand) -> None:
        result = run("asymmetry", "--by-topic", "--all-pairs")
        assert result.code == 2
        assert "leave one out" in result.err

    @pytest.mark.usefixtures("recorded")
    def test_of_one_organization_changes_no_number(self, run: RunCommand) -> None:
        answer = run("asymmetry", "--organization", "birch", "--all-pairs", "--format", "json")
        rows = answer.answer["pairs"]
        assert [row["giver_id"] for row in rows] == ["alder", "birch"]
        assert rows[0]["paid_back"]["amount"] == 1
