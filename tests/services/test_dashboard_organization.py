"""The view of one organization as functions of answers, without a browser."""

from __future__ import annotations

from typing import Any

import pytest

from mutua.v1.analysis_service_pb2 import GetStructureResponse, OrganizationReach, Structure
from mutua.v1.query_service_pb2 import (
    Balance,
    GetBalanceResponse,
    ListExchangesResponse,
    ListOrganizationsResponse,
    ListPairsResponse,
    Organization,
    Pair,
)
from mutua.v1.types_pb2 import Date
from services.ledger.errors import ImpossibleQuestionError
from services.query.dashboard.organization import (
    OrganizationAnswers,
    make_organization,
    read_rows,
)
from services.query.dashboard.view import ViewContent

ORGANIZATIONS = ListOrganizationsResponse(
    organizations=[
        Organization(
            organization_id="a",
            name="Ash",
            sector="acute",
            registered=True,
            first_exchange_date=Date(year=2019, month=3, day=1),
        )
    ]
)


def make(next_page_token: str = "", rows: str = "") -> Any:
    return make_content(next_page_token, rows).data


def make_content(next_page_token: str = "", rows: str = "") -> ViewContent:
    reaches = [
        OrganizationReach(organization_id="b", only_source_id="a"),
        OrganizationReach(organization_id="a", only_source_id="c"),
        OrganizationReach(organization_id="c", source_count=2),
    ]
    answers = OrganizationAnswers(
        ORGANIZATIONS,
        GetBalanceResponse(balance=Balance(organization_id="a", exchange_count=1_200)),
        ListPairsResponse(
            pairs=[
                Pair(giver_id="a", receiver_id="b", given=3, received=1),
                Pair(giver_id="c", receiver_id="a", given=9, received=2),
            ]
        ),
        ListExchangesResponse(next_page_token=next_page_token),
        GetStructureResponse(structures=[Structure(reaches=reaches)]),
        ["training", "joint-only"],
        [
            GetBalanceResponse(balance=Balance(given=2, received=0, exchange_count=2)),
            GetBalanceResponse(balance=Balance(exchange_count=1, joint_count=1)),
        ],
    )
    return make_organization(answers, {"organization": "a", "rows": rows})


class TestOrganization:
    def test_partners_have_its_own_side_first(self) -> None:
        partners = [(each["id"], each["given"], each["received"]) for each in make()["partners"]]
        assert partners == [("c", 2, 9), ("b", 3, 1)]

    def test_topics_of_joint_exchanges_alone_have_no_amounts(self) -> None:
        assert [each["id"] for each in make()["topics"]] == ["training"]

    def test_dependants_receive_from_it_alone(self) -> None:
        data = make()
        assert [each["id"] for each in data["dependants"]] == ["b"]
        assert data["only_source"] == {"id": "c", "label": "c"}

    def test_question_names_the_organization(self) -> None:
        assert make_content().question == (
            "What did \u2068Ash\u2069 give and receive, with whom and on what"
        )

    def test_profile_has_what_is_known(self) -> None:
        assert [(each["label"], each["value"]) for each in make()["profile"]] == [
            ("Id", "a"),
            ("Sector", "acute"),
            ("First exchange ever", "1 March 2019"),
            ("Exchanges here", "1,200"),
        ]

    @pytest.mark.parametrize(
        ("token", "rows", "expected"),
        [("", "", None), ("more", "", 40), ("more", "990", 1_000), ("more", "1000", None)],
    )
    def test_timeline_grows_by_pages(self, token: str, rows: str, expected: int | None) -> None:
        assert make(token, rows)["next_rows"] == expected

    @pytest.mark.parametrize("rows", ["0", "-1", "many", "1001", "9" * 900, "²"])
    def test_impossible_rows_are_refused(self, rows: str) -> None:
        with pytest.raises(ImpossibleQuestionError, match="choose a number from 1 to 1000"):
            read_rows({"rows": rows})

    def test_nothing_is_selected(self) -> None:
        answers = OrganizationAnswers(ORGANIZATIONS, None, None, None, None, [], [])
        assert make_organization(answers, {"organization": "", "rows": ""}).data["selected"] is None
