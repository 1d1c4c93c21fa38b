"""The quality of the records in the dashboard as functions of answers, without a browser."""

from __future__ import annotations

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from mutua.v1.event_pb2 import AliasAdded, Event
from mutua.v1.query_service_pb2 import (
    LENS_ATTENTION,
    QUARANTINE_REASON_NOT_APPLICABLE,
    QUARANTINE_REASON_UNREADABLE,
    Balance,
    Coverage,
    GetConcentrationResponse,
    GetPairingsResponse,
    GetStatusResponse,
    ListBalancesResponse,
    ListExchangesResponse,
    ListOrganizationsResponse,
    ListQuarantineResponse,
    Organization,
    Pairing,
    QuarantinedRecord,
    Question,
)
from mutua.v1.types_pb2 import EXCHANGE_KIND_CALL, EXCHANGE_KIND_VISIT, Date
from services.query.dashboard.quality import (
    MAX_NAMES,
    QualityAnswers,
    describe_straddling,
    group_records,
    make_quality,
)

DAY_SECONDS = 86_400


def named(*organization_ids: str) -> list[Organization]:
    last = Date(year=2026, month=3, day=1)
    return [
        Organization(organization_id=each, last_exchange_date=last) for each in organization_ids
    ]


def make(
    *organizations: Organization,
    question: Question | None = None,
    pairings: tuple[Pairing, ...] = (),
    roster: tuple[Organization, ...] = (
        Organization(organization_id="elm-3", name="Elmwood Trust", registered=True),
    ),
) -> Any:
    question = question or Question(programme_id="default")
    coverage = Coverage(exchange_count=12, joint_count=2, unknown_minutes_count=5)
    kinds = [
        GetConcentrationResponse(coverage=Coverage(exchange_count=each, unknown_minutes_count=few))
        for each, few in ((4, 1), (6, 4), (2, 0))
    ]
    answers = QualityAnswers(
        GetStatusResponse(quarantine_count=0, waiting_count=3),
        ListQuarantineResponse(),
        ListOrganizationsResponse(organizations=[*roster, *organizations]),
        GetPairingsResponse(pairings=pairings),
        ListBalancesResponse(balances=[Balance(organization_id="oft", exchange_count=9)]),
        ListBalancesResponse(
            balances=[
                Balance(organization_id="elm-3", given_unknown_count=5),
                Balance(organization_id="oft"),
            ],
            question=question,
            coverage=coverage,
        ),
        ListBalancesResponse(
            balances=[Balance(organization_id="elm-3", given=8), Balance(organization_id="oft")]
        ),
        ListExchangesResponse(),
        [EXCHANGE_KIND_CALL, EXCHANGE_KIND_VISIT, EXCHANGE_KIND_VISIT],
        kinds,
    )
    return make_quality(answers, {}).data


class TestUnregisteredNames:
    def test_near_miss_is_suggested_with_its_command(self) -> None:
        [name] = make(*named("Elmwod Trust"))["names"]
        [suggestion] = name["suggestions"]
        assert (suggestion["label"], suggestion["is_same"]) == ("Elmwood Trust (elm-3)", False)
        assert suggestion["command"] == "mutua organization alias 'Elmwod Trust' elm-3"
        assert name["command"] == "mutua organization add 'Elmwod Trust'"

    def test_other_case_is_the_same_spelling_and_near_misses_are_left_out(self) -> None:
        roster = tuple(
            Organization(organization_id=each, name=name, registered=True)
            for each, name in (("elm-3", "Elmwood Trust"), ("elm-4", "Elmwood Trusts"))
        )
        [name] = make(*named("ELMWOOD TRUST"), roster=roster)["names"]
        assert [(each["id"], each["is_same"]) for each in name["suggestions"]] == [("elm-3", True)]

    def test_names_with_suggestions_come_first_then_frequent_ones(self) -> None:
        names = make(*named("rare", "oft", "Elmwood Trst"))["names"]
        assert [(each["id"], each["exchange_count"]) for each in names] == [
            ("Elmwood Trst", 0),
            ("oft", 9),
            ("rare", 0),
        ]

    def test_name_of_a_pairing_alone_is_listed(self) -> None:
        data = make(pairings=(Pairing(a="elm-3", b="oak"),))
        assert [(each["id"], each["last_exchange"]) for each in data["names"]] == [("oak", "")]

    def test_option_like_name_is_no_option_of_its_command(self) -> None:
        [name] = make(*named("-x"))["names"]
        assert name["command"] == "mutua organization add -- -x"

    def test_all_are_counted_and_the_most_frequent_are_listed(self) -> None:
        data = make(*named(*(f"new {number}" for number in range(MAX_NAMES)), "oft"))
        assert (data["name_count"], len(data["names"])) == (MAX_NAMES + 1, MAX_NAMES)
        assert "oft" in [each["id"] for each in data["names"]]

    def test_roster_that_is_missing_is_said(self) -> None:
        data = make(*named("oft"), roster=())
        assert not data["has_roster"]
        assert data["commands"]["roster"] == "mutua import organizations FILE"


class TestMissingMinutes:
    def test_kinds_with_most_come_first(self) -> None:
        rows = make()["missing_by_kind"]
        assert [(each["id"], each["missing_count"], each["exchange_count"]) for each in rows] == [
            ("visit", 4, 6),
            ("call", 1, 4),
        ]

    def test_giver_has_the_exchanges_that_it_gave(self) -> None:
        [row] = make()["missing_by_giver"]
        assert (row["label"], row["missing_count"], row["exchange_count"]) == (
            "Elmwood Trust",
            5,
            8,
        )

    def test_joint_exchanges_are_left_out(self) -> None:
        assert make()["missing"]["exchange_count"] == 10

    def test_follow_the_lens(self) -> None:
        data = make(question=Question(programme_id="north", lens=LENS_ATTENTION))
        assert data["minutes"] == "minutes that receivers spent"
        assert data["commands"]["minutes"] == (
            "mutua --programme north correct EXCHANGE --receiver-minutes 30"
        )


class TestAsideRecords:
    def test_are_grouped_by_reason_with_first_and_last_day(self) -> None:
        records = [
            QuarantinedRecord(
                offset=number,
                reason=reason,
                detail="'A' is itself registered",
                remedy="correct it",
                record_time=Timestamp(seconds=number * DAY_SECONDS),
                event=Event(alias_added=AliasAdded(alias="A")) if number else None,
            )
            for number, reason in (
                (0, QUARANTINE_REASON_UNREADABLE),
                (1, QUARANTINE_REASON_NOT_APPLICABLE),
                (4, QUARANTINE_REASON_NOT_APPLICABLE),
            )
        ]
        unreadable, other = group_records(records, "default")
        assert [each["fact"] for each in unreadable["records"]] == [""]
        assert (other["reason"], other["remedy"]) == ("not applicable", "correct it")
        assert (other["first_day"], other["last_day"]) == ("2 January 1970", "5 January 1970")
        assert [(each["fact"], each["command"]) for each in other["records"]] == [
            ("alias added", "mutua quarantine show 1"),
            ("alias added", "mutua quarantine show 4"),
        ]


class TestStraddlingSentences:
    def test_say_whether_they_are_counted(self) -> None:
        coverage = Coverage(straddling_counted_count=1, straddling_quarter_count=2)
        counted, left_out = describe_straddling(coverage)
        assert counted.startswith("1 exchange is known to a month or quarter that ends after")
        assert left_out == (
            "2 exchanges are known to a quarter that begins before the window, and not counted "
            "here. Begin with that quarter to count them."
        )
