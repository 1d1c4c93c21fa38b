"""The reach of the dashboard as functions of answers, without a browser."""

from __future__ import annotations

from typing import Any

import pytest

from mutua.v1.analysis_service_pb2 import (
    GetStructureResponse,
    Newcomer,
    StoppedOrganization,
    Structure,
)
from mutua.v1.query_service_pb2 import (
    LENS_COUNT,
    POPULATION_ACTIVE,
    POPULATION_ROSTER,
    Balance,
    Concentration,
    Edge,
    GetConcentrationResponse,
    GetNetworkResponse,
    ListBalancesResponse,
    ListOrganizationsResponse,
    Organization,
    Population,
    Programme,
    Question,
    Topic,
)
from mutua.v1.types_pb2 import Date
from services.ledger.errors import ImpossibleQuestionError
from services.query.dashboard.directory import Directory
from services.query.dashboard.members import find_members
from services.query.dashboard.reach import (
    MAX_TOPICS,
    ReachAnswers,
    TopicList,
    list_topics,
    make_reach,
)

APRIL = Date(year=2019, month=4, day=1)
MAY = Date(year=2019, month=5, day=1)
ORGANIZATIONS = [
    Organization(organization_id="a", name="Ash", registered=True),
    Organization(organization_id="b", name="Birch", registered=True),
    Organization(organization_id="e", name="Elm", registered=True, close_date=MAY),
    Organization(organization_id="v", name="Vendor", registered=True, role="boundary"),
    Organization(organization_id="s"),
]


def make_balances(
    population: Population.ValueType = POPULATION_ROSTER, from_date: Date | None = None
) -> ListBalancesResponse:
    return ListBalancesResponse(
        balances=[
            Balance(organization_id="a", exchange_count=5, joint_count=1),
            Balance(organization_id="b", exchange_count=2, joint_count=1),
            Balance(organization_id="e", isolate=True),
            Balance(organization_id="s", exchange_count=1),
            Balance(organization_id="v", exchange_count=1),
        ],
        question=Question(lens=LENS_COUNT, population=population, from_date=from_date),
    )


def make_network(*ties: str) -> GetNetworkResponse:
    """Ties such as "ab", from a to b."""
    edges = [Edge(giver_id=each[0], receiver_id=each[1], weight=2) for each in ties]
    return GetNetworkResponse(edges=edges)


class TestMembers:
    def find(
        self, population: Population.ValueType = POPULATION_ROSTER, from_date: Date | None = None
    ) -> list[str]:
        return find_members(make_balances(population, from_date), Directory(ORGANIZATIONS))

    def test_unregistered_and_boundary_organizations_are_outside(self) -> None:
        assert self.find() == ["a", "b", "e"]

    def test_closed_organization_is_outside_after_it_closed(self) -> None:
        assert self.find(from_date=MAY) == ["a", "b"]
        assert self.find(from_date=APRIL) == ["a", "b", "e"]

    def test_without_a_roster_every_party_is_a_member(self) -> None:
        assert self.find(POPULATION_ACTIVE) == ["a", "b", "e", "s"]


class TestTopics:
    PROGRAMME = Programme(
        topics=[
            Topic(topic="beds", exchange_count=2),
            Topic(topic="training", label="All training", exchange_count=9),
        ]
    )

    def test_topics_are_in_the_order_of_their_labels(self) -> None:
        topics = list_topics(self.PROGRAMME, Question(), "")
        assert topics == TopicList({"training": "All training", "beds": "beds"}, 0)

    def test_filtered_topics_leave_others_out(self) -> None:
        topics = list_topics(self.PROGRAMME, Question(topics=["beds"]), "training")
        assert [*topics.labels] == ["beds"]

    def test_most_used_topics_and_the_selected_one_are_shown(self) -> None:
        many = [Topic(topic=f"t{each:03}", exchange_count=each) for each in range(MAX_TOPICS + 2)]
        topics = list_topics(Programme(topics=many), Question(), "t000")
        assert len(topics.labels) == MAX_TOPICS + 1
        assert {"t000", "t061"} < {*topics.labels}
        assert topics.omitted_count == 1


class TestReach:
    def make(self, about: str = "", order: str = "") -> Any:
        structure = Structure(
            newcomer_count=1,
            newcomers=[Newcomer(organization_id="a", first_exchange_date=APRIL)],
            stopped_count=1,
            stopped_organizations=[
                StoppedOrganization(organization_id="e", last_exchange_date=MAY)
            ],
        )
        structures = GetStructureResponse(
            structures=[structure], question=Question(from_date=APRIL)
        )
        answers = ReachAnswers(
            organizations=ListOrganizationsResponse(organizations=ORGANIZATIONS),
            balances=make_balances(),
            concentration=GetConcentrationResponse(
                concentrations=[Concentration(spill_over=2), Concentration(spill_over=2)]
            ),
            structure=structures,
            network=make_network("ba", "av", "sa"),
            earlier=make_network("ab"),
            movement=structures,
            topics=TopicList({"beds": "Beds", "care": "Care"}, 0),
            networks=[make_network("ba", "sa"), make_network("av")],
        )
        return make_reach(answers, {"about": about, "order": order})

    def test_missing_says_what_each_did(self) -> None:
        assert self.make().data["selected"]["missing"] == [
            {
                "id": "b",
                "label": "Birch",
                "note": "gave in 1 exchange, took part in 1 joint exchange; received before",
            },
            {"id": "e", "label": "Elm", "note": "nothing seen of it"},
        ]

    def test_topic_has_whom_to_ask_by_name(self) -> None:
        selected = self.make("beds").data["selected"]
        assert [(each["label"], each["note"]) for each in selected["givers"]] == [
            ("Birch", "to 1 organization"),
            ("s", "to 1 organization"),
        ]

    def test_receiver_of_other_topics_may_give_on_this_one(self) -> None:
        missing = self.make("care").data["selected"]["missing"]
        assert missing[0] == {"id": "a", "label": "Ash", "note": "gives on it itself"}

    def test_receivers_outside_count_on_no_topic(self) -> None:
        topics = self.make().data["topics"]
        assert [(each["topic"], each["receiver_count"]) for each in topics] == [
            ("", 1),
            ("beds", 1),
            ("care", 0),
        ]

    def test_fewest_receivers_come_first_below_any_topic(self) -> None:
        topics = self.make(order="fewest").data["topics"]
        assert [each["topic"] for each in topics] == ["", "care", "beds"]

    def test_outside_has_both_directions_and_the_reason(self) -> None:
        rows = self.make().data["outside"]
        assert [(each["id"], each["given"], each["received"], each["why"]) for each in rows] == [
            ("s", 2, 0, "not registered"),
            ("v", 0, 2, "outside the programme"),
        ]

    def test_movement_has_days(self) -> None:
        data = self.make().data
        assert data["movement"] == "since 1 April 2019"
        assert [each["note"] for each in data["newcomers"]] == ["first on 1 April 2019"]
        assert [each["note"] for each in data["stopped"]] == [
            "last on 1 May 2019; in force until 1 May 2019"
        ]

    def test_question_names_the_topic(self) -> None:
        assert self.make("beds").question == (
            "Who has not received on \u2068Beds\u2069 yet, and who gives it"
        )
        assert self.make("unknown").question == ""

    def test_unknown_order_is_refused(self) -> None:
        with pytest.raises(ImpossibleQuestionError, match="choose one of name, fewest"):
            self.make(order="worst")
