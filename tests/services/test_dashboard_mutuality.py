"""The mutuality view of the dashboard as functions of answers, without a browser."""

from __future__ import annotations

from typing import Any

import pytest

from mutua.v1.analysis_service_pb2 import (
    GetReciprocityResponse,
    Reciprocity,
    WithoutOrganization,
    Yardstick,
)
from mutua.v1.query_service_pb2 import ListOrganizationsResponse, Organization
from mutua.v1.types_pb2 import Date
from services.ledger.errors import ImpossibleQuestionError
from services.query.dashboard.mutuality import MutualityAnswers, make_mutuality

WHOLE = Reciprocity(
    tie_count=20,
    mutual_count=3,
    reciprocity=0.3,
    expected_reciprocity=0.05,
    expected_reciprocity_deviation=0.1,
    weighted_reciprocity=0.25,
    interval_low=0.1,
    interval_high=0.4,
    lowest_without=WithoutOrganization(organization_id="a", weighted_reciprocity=0.2),
    highest_without=WithoutOrganization(organization_id="b", weighted_reciprocity=0.5),
)
QUARTER = Reciprocity(
    from_date=Date(year=2019, month=7, day=1),
    exchange_count=8,
    weighted_reciprocity=0.25,
    shuffle=Yardstick(expected=0.1, low=0.05, high=0.2),
    reasons=["TOO_FEW_EXCHANGES"],
)


def make(whole: Reciprocity = WHOLE, period: str = "") -> Any:
    answers = MutualityAnswers(
        GetReciprocityResponse(reciprocities=[whole]),
        GetReciprocityResponse(reciprocities=[QUARTER], unplaced_count=2),
        ListOrganizationsResponse(organizations=[Organization(organization_id="a", name="Ash")]),
    )
    return make_mutuality(answers, {"period": period}).data


class TestTies:
    def test_chance_is_1_96_deviations_wide_within_0_and_1(self) -> None:
        ties = make()["ties"]
        assert ties["bands"][0]["low"] == 0
        assert ties["bands"][0]["high"] == pytest.approx(0.246)
        assert ties["sentence"] == (
            "Of 20 ties, 30% are returned by a tie back; chance returns 0% to 25% if all keep "
            "their numbers of ties."
        )

    def test_nothing_is_undefined_without_ties(self) -> None:
        ties = make(Reciprocity())["ties"]
        assert (ties["returned"], ties["bands"]) == (None, [])
        assert ties["sentence"] == "There is no tie in this window."


class TestDependence:
    def test_names_whom_it_depends_on(self) -> None:
        dependence = make()["dependence"]
        assert [each["label"] for each in dependence["without"]] == ["Ash", "b"]
        assert [(each["low"], each["high"]) for each in dependence["bands"]] == [
            (0.1, 0.4),
            (0.2, 0.5),
        ]

    def test_is_empty_without_flow(self) -> None:
        assert make(Reciprocity())["dependence"]["bands"] == []


class TestSeries:
    @pytest.mark.parametrize(
        ("period", "label"), [("", "2019 Q3"), ("month", "2019-07"), ("year", "2019")]
    )
    def test_periods_are_named(self, period: str, label: str) -> None:
        assert make(period=period)["series"][0]["label"] == label

    def test_absent_verdict_has_a_reason(self) -> None:
        row = make()["series"][0]
        assert row["reason"] == "there are too few exchanges"
        assert [each["name"] for each in row["bands"]] == ["shuffle"]
        assert row["ceiling"] is None

    def test_unknown_period_is_refused(self) -> None:
        with pytest.raises(ImpossibleQuestionError, match="choose one of quarter, month, year"):
            make(period="week")
