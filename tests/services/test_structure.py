"""Structure and what-if through gRPC and at the command line."""

from __future__ import annotations

import csv
import io
from typing import Any

import grpc
import pytest

from mutua import Client, MutuaError
from mutua.v1.event_pb2 import Event
from mutua.v1.types_pb2 import OCCUR_PRECISION_MONTH, Date
from services.ledger.errors import ImpossibleQuestionError
from services.query.paging import require_one_page
from tests.cli.conftest import RunCommand, recorded_once
from tests.cli.conftest import run as run
from tests.services import facts
from tests.services.facts import exchange


@pytest.fixture
def programme(client: Client) -> Client:
    """A hub that gives to three, one of which has another source; a newcomer, and one that left."""
    events = [
        exchange("old", "hub", on="2025-01-05T12:00:00Z"),
        exchange("hub", "a", on="2025-02-05T12:00:00Z"),
        *(exchange("hub", receiver, on="2026-03-05T12:00:00Z") for receiver in "abc"),
        exchange("a", "c", on="2026-03-06T12:00:00Z"),
        *(facts.registration(each, region="North") for each in ("hub", "a", "b", "c", "old")),
        facts.registration("silent", region="South"),
    ]
    for event, topic in zip(events[2:6], ("x", "x", "y", "y"), strict=True):
        event.exchange_recorded.exchange.topics.append(topic)
    client.get_status(min_position=client.record(events))
    return client


def refuse(client: Client, organization_id: str, **filters: Any) -> MutuaError:
    with pytest.raises(MutuaError) as refused:
        client.get_what_if(organization_id, **filters)
    return refused.value


class TestStructure:
    def test_of_a_window(self, programme: Client) -> None:
        answer = programme.get_structure(from_date="2026-01-01")
        [row] = answer.structures
        assert (row.organization_count, row.tie_count) == (6, 4)
        assert (row.giver_count, row.receiver_count, row.sole_source_receiver_count) == (2, 3, 2)
        assert [each.organization_id for each in row.newcomers] == ["b", "c"]
        assert row.newcomers[0].first_exchange_date == Date(year=2026, month=3, day=5)
        assert (row.newcomer_count, row.stopped_count) == (2, 1)
        assert row.stopped_organizations[0].organization_id == "old"
        assert row.stopped_organizations[0].last_exchange_date == Date(year=2025, month=1, day=5)
        assert (row.isolate_count, [*row.isolate_ids]) == (2, ["old", "silent"])
        assert (row.components.weak_count, row.components.largest_weak_size) == (3, 4)
        assert len(row.triads) == 16
        assert sum(each.count for each in row.triads) == 6 * 5 * 4 / 6
        assert {each.organization_id: each.only_source_id for each in row.reaches} == {
            "a": "hub",
            "b": "hub",
            "c": "",
            "hub": "",
        }
        assert (row.metric_version, answer.coverage.exchange_count) == (1, 4)

    def test_without_a_start_has_no_newcomers(self, programme: Client) -> None:
        [row] = programme.get_structure().structures
        assert not row.HasField("newcomer_count")
        assert not row.HasField("stopped_count")
        assert [*row.reasons] == ["NO_WINDOW_START"]

    def test_by_topic(self, programme: Client) -> None:
        answer = programme.get_structure(by_topic=True)
        assert [(row.topic, row.tie_count) for row in answer.structures] == [
            ("", 5),
            ("x", 2),
            ("y", 2),
        ]
        assert {each.topic for each in answer.structures[1].reaches} == {"x"}

    def test_of_a_subset(self, programme: Client) -> None:
        [row] = programme.get_structure(where={"region": "South"}).structures
        assert (row.organization_count, row.tie_count) == (1, 0)

    def test_of_an_empty_window(self, programme: Client) -> None:
        [row] = programme.get_structure(from_date="2030-01-01").structures
        assert (row.tie_count, row.isolate_count, row.stopped_count) == (0, 6, 5)

    def test_isolates_that_had_nothing_to_report_are_confirmed(self, programme: Client) -> None:
        event = Event(occur_precision=OCCUR_PRECISION_MONTH)
        event.occur_time.FromJsonString("2026-03-01T00:00:00Z")
        event.nothing_to_report.organization_id = "silent"
        position = programme.record([event])
        answer = programme.get_structure(
            from_date="2026-03-01",
            to_date="2026-04-01",
            as_of_date="2026-05-01",
            min_position=position,
        )
        [row] = answer.structures
        assert (row.isolate_count, row.confirmed_isolate_count) == (2, 1)
        assert [*row.confirmed_isolate_ids] == ["silent"]

    def test_of_an_empty_programme(self, client: Client) -> None:
        [row] = client.get_structure().structures
        assert (row.organization_count, row.components.weak_count) == (0, 0)

    def test_that_is_larger_than_a_page_is_refused(self, programme: Client) -> None:
        response = programme.get_structure()
        require_one_page(response)
        with pytest.raises(ImpossibleQuestionError, match="name topics"):
            require_one_page(response, max_bytes=100)


class TestWhatIf:
    def test_of_the_hub(self, programme: Client) -> None:
        [row] = programme.get_what_if("hub").losses
        assert (row.given, row.received, row.total) == (4, 1, 6)
        assert row.share == pytest.approx(5 / 6)
        assert [*row.receivers_without_source_ids] == ["a", "b"]
        assert (row.components.weak_count, row.components_without.weak_count) == (2, 4)
        assert [*row.separated_ids] == ["b", "old"]

    def test_by_topic(self, programme: Client) -> None:
        answer = programme.get_what_if("hub", by_topic=True)
        assert [(row.topic, [*row.receivers_without_source_ids]) for row in answer.losses] == [
            ("", ["a", "b"]),
            ("x", ["a", "b"]),
            ("y", []),
        ]

    def test_of_an_isolate_loses_nothing(self, programme: Client) -> None:
        [row] = programme.get_what_if("silent").losses
        assert (row.share, row.components_without.weak_count) == (0, 1)

    def test_of_an_alias_is_that_of_its_organization(self, programme: Client) -> None:
        programme.get_status(min_position=programme.record([facts.alias("The Hub", "hub")]))
        [row] = programme.get_what_if("The Hub").losses
        assert row.organization_id == "hub"

    @pytest.mark.parametrize("organization_id", ["nobody", ""])
    def test_of_an_unknown_organization_is_not_found(
        self, programme: Client, organization_id: str
    ) -> None:
        assert refuse(programme, organization_id).code is grpc.StatusCode.NOT_FOUND

    @pytest.mark.parametrize("allocation", ["full", "once"])
    def test_allocation_without_totals_is_refused(self, programme: Client, allocation: str) -> None:
        assert refuse(programme, "hub", allocation=allocation).reason == "QUESTION_IMPOSSIBLE"


@recorded_once
def shared(run: RunCommand) -> None:
    """The command after a few exchanges."""
    for giver, receiver, topic in (("Hub", "Ash", "x"), ("Hub", "Elm", "y"), ("Ash", "Oak", "y")):
        run("log", "--from", giver, "--to", receiver, "--kind", "call", "--topic", topic)


class TestCommands:
    def test_structure_reads_as_sentences(self, shared: RunCommand) -> None:
        result = shared("structure", "--from", "2020-01")
        assert "4 organizations with 3 ties: 2 gave, 3 received." in result.out
        assert "They form one component" in result.out
        assert "3 receivers have a single source, Hub for 2, Ash for 1." in result.out
        assert "New: 4 organizations have a first exchange in the window: Ash; Elm" in result.out
        assert "Stopped: 0 organizations have an exchange before 2020-01-01" in result.out
        assert "Triads: 4 triples by pattern of ties: 003 0, 012 2," in result.out
        assert (result.code, result.err) == (0, "")

    def test_structure_names_isolates_that_said_so(self, shared: RunCommand) -> None:
        for name in ("Fir", "Yew"):
            shared("organization", "add", name, "--name", name)
        shared("nothing-to-report", "Fir", "2020-01")
        result = shared("structure", "--from", "2020-01", "--to", "2020-02")
        assert "1 organization has no exchange and reported so for every month: Fir" in result.out
        assert "Nothing seen of 1 organization: Yew" in result.out

    def test_structure_of_an_empty_window(self, shared: RunCommand) -> None:
        result = shared("structure", "--from", "2000-01", "--to", "2000-02")
        assert "0 organizations with 0 ties: 0 gave, 0 received." in result.out
        assert result.code == 0

    def test_structure_by_topic_is_a_table(self, shared: RunCommand) -> None:
        result = shared("structure", "--by-topic")
        assert "Ash for 1, Hub for 1" in result.out

    def test_reach_is_a_table_or_csv(self, shared: RunCommand) -> None:
        assert "its only source" in shared("structure", "--reach").out
        text = shared("structure", "--format", "csv").out
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [(row["organization_id"], row["fan_out"]) for row in rows][-2:] == [
            ("Hub", "2"),
            ("Oak", "0"),
        ]
        assert (rows[0]["only_source_id"], rows[2]["only_source_id"]) == ("Hub", "")
        assert "only_source_name" in rows[0]

    def test_json_has_absent_measures_as_absent_keys(self, shared: RunCommand) -> None:
        [row] = shared("structure", "--format", "json").answer["structures"]
        assert "newcomer_count" not in row
        assert row["reasons"] == ["NO_WINDOW_START"]
        assert row["triads"][0] == {"name": "003", "count": 0}

    def test_what_if_reads_as_sentences(self, shared: RunCommand) -> None:
        result = shared("what-if", "hub", "--by-topic")
        assert (
            "If Hub stopped, 2 exchanges that it gave to 2 organizations and 0 that it received "
            "from 0 would end, 67% of all 3."
        ) in result.out
        assert "2 organizations receive from it alone: Ash; Elm." in result.out
        assert "All organizations form 1 component, without it 2." in result.out
        assert "1 organization would no longer be connected" in result.out
        assert result.code == 0

    def test_what_if_suggests_the_nearest_name(self, shared: RunCommand) -> None:
        shared("log", "--from", "Thornwick", "--to", "Oak", "--kind", "call")
        result = shared("what-if", "Thornwik")
        assert result.code == 1
        assert "did you mean Thornwick?" in result.err

    @pytest.mark.parametrize(
        "words",
        [
            ("structure", "--order-by", "topic"),
            ("what-if", "Hub", "--order-by", "topic"),
            ("what-if", "Hub", "--organization", "Ash"),
            ("what-if",),
        ],
    )
    def test_misuse_is_refused(self, shared: RunCommand, words: tuple[str, ...]) -> None:
        result = shared(*words)
        assert (result.code, result.out) == (2, "")
