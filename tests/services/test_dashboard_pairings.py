"""The pairings of the dashboard as functions of answers, without a browser."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from mutua.v1.event_pb2 import PAIRING_CHOICE_CENTRE, ExchangeContent
from mutua.v1.query_service_pb2 import (
    Exchange,
    GetPairingsResponse,
    ListExchangesResponse,
    ListOrganizationsResponse,
    ListPairsResponse,
    Organization,
    Pair,
    Pairing,
    Question,
    Revision,
)
from mutua.v1.types_pb2 import (
    EXCHANGE_KIND_DOCUMENT,
    EXCHANGE_KIND_MEETING,
    EXCHANGE_KIND_OTHER,
    EXCHANGE_KIND_VISIT,
    OCCUR_PRECISION_MONTH,
    OCCUR_PRECISION_QUARTER,
    Date,
    ExchangeKind,
)
from services.ledger.errors import ImpossibleQuestionError
from services.query.dashboard.commands import make_command
from services.query.dashboard.pairings import PairingsAnswers, make_pairings
from services.query.dashboard.windows import from_civil, with_window

TODAY = date(2026, 11, 30)
CHOICES = {"contact": "", "sort": ""}
ORGANIZATIONS = ListOrganizationsResponse(
    organizations=[
        Organization(
            organization_id="a",
            name="Ash",
            aliases=["ash"],
            first_exchange_date=Date(year=2026, month=1, day=1),
            last_exchange_date=Date(year=2026, month=11, day=29),
        ),
        Organization(organization_id="b", name="Birch"),
    ]
)


def pairing(a: str = "a", b: str = "b", *, to_date: date | None = None, **fields: Any) -> Pairing:
    end = None if to_date is None else from_civil(to_date)
    fields = {"from_date": from_civil(date(2026, 1, 1)), **fields}
    return Pairing(a=a, b=b, to_date=end, **fields)


def exchange(
    giver: str = "",
    receiver: str = "",
    *,
    on: str,
    kind: ExchangeKind.ValueType = EXCHANGE_KIND_MEETING,
    parties: tuple[str, ...] = (),
    **fields: Any,
) -> Exchange:
    content = ExchangeContent(
        giver_ids=[giver] if giver else [],
        receiver_ids=[receiver] if receiver else [],
        party_ids=parties,
        kind=kind,
    )
    revision = Revision(content=content, **fields)
    revision.occur_time.FromJsonString(f"{on}T00:00:00Z")
    return Exchange(revisions=[revision])


def make(
    *exchanges: Exchange,
    pairings: tuple[Pairing, ...] = (pairing(),),
    question: Question | None = None,
    **choices: str,
) -> Any:
    pairs = [Pair(giver_id="b", receiver_id="a", given=5, received=2, given_days=4)]
    answers = PairingsAnswers(
        GetPairingsResponse(pairings=pairings),
        ORGANIZATIONS,
        ListPairsResponse(pairs=pairs, as_of_date=from_civil(TODAY), question=question),
        ListExchangesResponse(exchanges=exchanges),
    )
    return make_pairings(answers, {**CHOICES, **choices}).data


def make_row(*exchanges: Exchange, **options: Any) -> Any:
    [row] = make(*exchanges, **options)["rows"]
    return row


class TestSides:
    def test_each_has_what_it_gave(self) -> None:
        sides = make_row()["sides"]
        assert [(side["label"], side["given"]) for side in sides] == [("Ash", 2), ("Birch", 5)]

    def test_pairing_without_an_exchange_has_zeros(self) -> None:
        row = make_row(pairings=(pairing("a", "c"),))
        assert [side["given"] for side in row["sides"]] == [0, 0]
        assert (row["last_contact"], row["days_ago"], row["rung"]) == ("", None, None)


class TestContact:
    def test_latest_in_either_direction_counts(self) -> None:
        row = make_row(exchange("a", "b", on="2026-10-01"), exchange("b", "a", on="2026-09-01"))
        assert (row["last_contact"], row["days_ago"]) == ("1 October 2026", 60)

    def test_joint_exchange_and_alias_count(self) -> None:
        row = make_row(exchange(on="2026-11-20", parties=("ash", "c", "b")))
        assert (row["days_ago"], row["joint_count"]) == (10, 1)

    def test_internal_exchange_is_none(self) -> None:
        internal = exchange("a", "b", on="2026-11-20")
        internal.revisions[0].content.receiver_ids.append("ash")
        assert make_row(internal)["days_ago"] is None

    def test_quarter_counts_from_its_first_day_and_is_quiet_from_its_last(self) -> None:
        row = make_row(exchange("a", "b", on="2026-07-01", occur_precision=OCCUR_PRECISION_QUARTER))
        assert row["last_contact"] == "July to September 2026"
        assert (row["days_ago"], row["is_exact"], row["is_quiet"]) == (152, False, True)

    def test_day_within_a_quarter_is_the_last_contact(self) -> None:
        row = make_row(
            exchange("a", "b", on="2026-07-01", occur_precision=OCCUR_PRECISION_QUARTER),
            exchange("a", "b", on="2026-08-01"),
        )
        assert (row["last_contact"], row["is_exact"]) == ("1 August 2026", True)

    def test_quarter_that_has_not_ended_is_not_quiet(self) -> None:
        row = make_row(
            exchange("a", "b", on="2026-09-01"),
            exchange("a", "b", on="2026-07-01", occur_precision=OCCUR_PRECISION_QUARTER),
            exchange("a", "b", on="2026-08-01", occur_precision=OCCUR_PRECISION_MONTH),
            exchange("a", "b", on="2026-10-01", occur_precision=OCCUR_PRECISION_QUARTER),
        )
        assert (row["days_ago"], row["is_quiet"]) == (60, False)

    def test_reaches_back_beyond_the_window_and_rungs_do_not(self) -> None:
        question = with_window(Question(), date(2026, 11, 1), None)
        row = make_row(exchange("a", "b", on="2026-08-01"), question=question)
        assert (row["last_contact"], row["rung"]) == ("1 August 2026", None)


class TestRung:
    def test_highest_kind_counts(self) -> None:
        row = make_row(
            exchange("a", "b", on="2026-10-01", kind=EXCHANGE_KIND_VISIT),
            exchange("a", "b", on="2026-10-02", kind=EXCHANGE_KIND_DOCUMENT),
            exchange("a", "b", on="2026-10-03", kind=EXCHANGE_KIND_OTHER),
        )
        assert (row["rung"], row["rung_label"]) == (5, "visit")
        assert row["rungs"] == [1, 0, 0, 0, 1, 0]


class TestQuiet:
    @pytest.mark.parametrize(("day", "is_quiet"), [("2026-10-01", True), ("2026-10-02", False)])
    def test_begins_after_60_days(self, day: str, *, is_quiet: bool) -> None:
        assert make_row(exchange("a", "b", on=day))["is_quiet"] is is_quiet

    def test_new_pairing_is_not(self) -> None:
        new = pairing(from_date=from_civil(date(2026, 11, 1)))
        assert not make_row(pairings=(new,))["is_quiet"]

    def test_can_be_chosen(self) -> None:
        pairings = (pairing(), pairing("a", "c"))
        data = make(exchange("a", "b", on="2026-11-20"), pairings=pairings, contact="quiet")
        assert [row["sides"][1]["id"] for row in data["rows"]] == ["c"]
        assert (data["count"], data["quiet_count"]) == (2, 1)

    def test_longest_without_contact_comes_first(self) -> None:
        pairings = (pairing(), pairing("a", "c"))
        data = make(exchange("a", "b", on="2026-11-20"), pairings=pairings, sort="contact")
        assert [row["sides"][1]["id"] for row in data["rows"]] == ["c", "b"]

    def test_unknown_choice_is_refused(self) -> None:
        with pytest.raises(ImpossibleQuestionError, match="choose one of every, quiet"):
            make(contact="none")


class TestDays:
    def test_ended_pairing_is_apart(self) -> None:
        data = make(
            pairings=(pairing(to_date=date(2026, 11, 30), chosen_by=PAIRING_CHOICE_CENTRE),)
        )
        assert data["rows"] == []
        [row] = data["ended"]
        assert (row["bound"], row["chosen_by"], row["is_quiet"]) == (
            "1 January 2026 to 29 November 2026",
            "chosen by the centre",
            False,
        )

    def test_pairing_to_come_is_no_quiet_one(self) -> None:
        row = make_row(pairings=(pairing(from_date=from_civil(date(2027, 1, 1))),))
        assert (row["bound"], row["is_quiet"]) == ("from 1 January 2027", False)


class TestCommand:
    def test_names_a_programme_that_is_not_the_default(self) -> None:
        assert make_command("default", "import") == "mutua import"
        assert make_command("north", "add", "a b") == "mutua --programme north add 'a b'"
