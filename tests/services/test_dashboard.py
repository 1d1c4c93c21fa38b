"""Views of the dashboard as functions of answers, without a browser."""

from __future__ import annotations

import asyncio
import gzip
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.datastructures import Headers

from mutua.v1.analysis_service_pb2 import VERDICT_ABOVE_CHANCE, Reciprocity, Yardstick
from mutua.v1.query_service_pb2 import (
    LENS_BURDEN,
    Balance,
    Batch,
    Coverage,
    GetBalanceResponse,
    ListBalancesResponse,
    ListOrganizationsResponse,
    Organization,
    Question,
)
from mutua.v1.types_pb2 import EXCHANGE_KIND_CALL, EXCHANGE_KIND_VISIT, Date
from services.query.dashboard.balances import BalancesAnswers, make_balances
from services.query.dashboard.compression import Compressed, compress
from services.query.dashboard.directory import Directory, shorten
from services.query.dashboard.mutual import describe_verdict
from services.query.dashboard.recording import make_batches
from services.query.dashboard.request import parse_view_request
from services.query.dashboard.trend import TrendAnswers, make_trend
from services.query.dashboard.view_cache import ViewCache
from services.query.dashboard.views import VIEWS
from services.query.dashboard.windows import Extent, find_end, list_month_questions, with_window
from services.query.dashboard.wording import (
    describe_amounts,
    describe_question,
    describe_recording,
    describe_warnings,
)

EXTENT = Extent(date(2019, 1, 15), date(2019, 12, 20))
TODAY = date(2026, 11, 30)


class TestQuestionInWords:
    def test_without_filters(self) -> None:
        words = describe_question("Who gave", Question())
        assert words == "Who gave? In exchanges, over all time."

    def test_names_every_filter(self) -> None:
        question = with_window(Question(), date(2019, 2, 1), date(2019, 11, 1))
        question.lens = LENS_BURDEN
        question.kinds.extend([EXCHANGE_KIND_CALL, EXCHANGE_KIND_VISIT])
        question.topics.append("training")
        assert describe_question("Who gave", question) == (
            "Who gave? In minutes that givers spent, from 1 February 2019 to 31 October 2019; "
            "kind call or visit only; topic training only."
        )


class TestCoverageInWords:
    def test_counts_who_has_not_recorded(self) -> None:
        assert describe_recording(Coverage(roster_count=60, recorded_count=43)) == (
            "43 of 60 organizations have recorded one of these exchanges; 17 have not, so totals "
            "may be low."
        )

    def test_one_of_one_organization(self) -> None:
        words = describe_recording(Coverage(roster_count=1, recorded_count=1))
        assert words == "All 1 organization recorded one of these exchanges."

    def test_without_a_roster(self) -> None:
        assert describe_recording(Coverage()).startswith("No organization is registered")

    def test_minutes_and_joint_exchanges(self) -> None:
        coverage = Coverage(exchange_count=11, joint_count=1, unknown_minutes_count=3)
        assert describe_amounts(coverage) == [
            "3 of 10 directed exchanges have no minutes.",
            "1 joint exchange without giver and receiver: a contact, and no amount.",
        ]

    def test_unknown_warning_is_readable(self) -> None:
        answer = SimpleNamespace(warnings=["NEW_WORD"], coverage=Coverage())
        assert describe_warnings(answer) == ["New word."]


class TestWindows:
    def test_months_are_cut_to_the_window(self) -> None:
        question = with_window(Question(), date(2019, 2, 10), date(2019, 4, 5))
        months = list_month_questions(question, EXTENT)
        assert [(each.from_date.month, each.from_date.day) for each in months] == [
            (2, 10),
            (3, 1),
            (4, 1),
        ]
        assert months[-1].to_date == Date(year=2019, month=4, day=5)

    def test_no_months_without_exchanges(self) -> None:
        assert list_month_questions(Question(), None) == []

    def test_recent_days_end_today(self) -> None:
        running = Extent(date(2026, 1, 1), date(2026, 11, 20))
        assert find_end(Question(), running, TODAY) == date(2026, 12, 1)

    def test_recent_days_of_a_programme_that_is_over_end_with_it(self) -> None:
        assert find_end(Question(), EXTENT, TODAY) == date(2019, 12, 21)

    def test_recent_days_end_with_the_window(self) -> None:
        question = with_window(Question(), None, date(2019, 6, 1))
        assert find_end(question, EXTENT, TODAY) == date(2019, 6, 1)


class TestDirectory:
    def test_long_names_are_cut_to_one_line(self) -> None:
        label = shorten("A\n" * 5_000)
        assert len(label) == 80
        assert "\n" not in label
        assert label.endswith("…")

    def test_parties_are_in_name_order(self) -> None:
        directory = Directory(
            [Organization(organization_id="1", name="b"), Organization(organization_id="2")]
        )
        parties = directory.parties(["2", "1"])
        assert [each["label"] for each in parties] == ["2", "b"]


class TestBalances:
    def make(self) -> Any:
        balances = ListBalancesResponse(
            balances=[
                Balance(organization_id="a", given=1, received=2, net=-1, exchange_count=3),
                Balance(organization_id="b", given=9, received=0, net=9, exchange_count=9),
                Balance(organization_id="c", isolate=True),
            ]
        )
        organizations = ListOrganizationsResponse(
            organizations=[Organization(organization_id="a", name="Ash")]
        )
        return make_balances(BalancesAnswers(balances, organizations), {}).data

    def test_most_active_comes_first(self) -> None:
        assert [row["id"] for row in self.make()["rows"]] == ["b", "a"]

    def test_those_without_an_exchange_are_listed_apart(self) -> None:
        assert self.make()["silent"] == [{"id": "c", "label": "c"}]


class TestTrend:
    def test_alias_selects_its_organization(self) -> None:
        organizations = ListOrganizationsResponse(
            organizations=[Organization(organization_id="a", name="Ash")]
        )
        month = GetBalanceResponse(
            balance=Balance(organization_id="a", given=1, received=2),
            question=with_window(Question(), date(2019, 3, 1), date(2019, 4, 1)),
        )
        answers = TrendAnswers(organizations, month, [month])
        assert make_trend(answers, {"organization": "alias of a"}).data == {
            "selected": {"id": "a", "label": "Ash"},
            "months": [{"month": "2019-03", "given": 1.0, "received": 2.0}],
        }

    def test_has_no_months_without_an_organization(self) -> None:
        answers = TrendAnswers(ListOrganizationsResponse(), None, [])
        assert make_trend(answers, {"organization": ""}).data == {"selected": None, "months": []}


class TestVerdict:
    def test_states_both_yardsticks_and_the_ceiling(self) -> None:
        row = Reciprocity(
            weighted_reciprocity=0.5,
            ceiling=0.8,
            spread=Yardstick(low=0.1, high=0.2),
            shuffle=Yardstick(low=0.2, high=0.3),
            verdict=VERDICT_ABOVE_CHANCE,
        )
        assert describe_verdict(row) == (
            "50% is returned between the same two organizations. That is more than chance would "
            "return: 10% to 20% if everything were spread evenly, 20% to 30% if receivers were "
            "shuffled. The most that was possible is 80%, given what each gave and received."
        )

    def test_says_why_there_is_none(self) -> None:
        row = Reciprocity(weighted_reciprocity=0.5, reasons=["TOO_FEW_EXCHANGES"])
        assert describe_verdict(row).endswith("cannot be said: there are too few exchanges.")

    def test_without_a_flow(self) -> None:
        assert "Nothing was given" in describe_verdict(Reciprocity())


class TestRequest:
    def test_choices_are_apart_from_filters(self) -> None:
        asked = parse_view_request(VIEWS["trend"], b"organization=A%26B&lens=burden")
        assert asked.choices == {"organization": "A&B"}
        assert asked.question.lens == LENS_BURDEN
        assert not asked.question.organization_ids


class TestViewCache:
    def test_callers_at_the_same_time_share_one_computation(self) -> None:
        count = 0

        async def compute() -> Compressed:
            nonlocal count
            count += 1
            await asyncio.sleep(0)
            return compress(b"view")

        async def ask() -> list[Compressed]:
            cache = ViewCache()
            return await asyncio.gather(
                *(cache.get_or_compute("view", "tag", compute) for _ in range(9))
            )

        assert asyncio.run(ask()) == [compress(b"view")] * 9
        assert count == 1

    def test_callers_during_a_computation_share_the_next_one(self) -> None:
        count = 0

        async def ask() -> None:
            begun, going_on = asyncio.Event(), asyncio.Event()

            async def compute() -> Compressed:
                nonlocal count
                count += 1
                begun.set()
                await going_on.wait()
                return compress(b"view")

            cache = ViewCache()
            first = asyncio.create_task(cache.get_or_compute("view", "1", compute))
            await begun.wait()
            later = [
                asyncio.create_task(cache.get_or_compute("view", str(tag), compute))
                for tag in range(2, 9)
            ]
            await asyncio.sleep(0)
            going_on.set()
            await asyncio.gather(first, *later)

        asyncio.run(ask())
        assert count == 2

    def test_failure_is_not_kept(self) -> None:
        async def fail() -> Compressed:
            raise ValueError

        async def succeed() -> Compressed:
            return compress(b"view")

        async def ask() -> Compressed:
            cache = ViewCache()
            with pytest.raises(ValueError, match=r"^$"):
                await cache.get_or_compute("view", "tag", fail)
            return await cache.get_or_compute("view", "tag", succeed)

        assert asyncio.run(ask()) == compress(b"view")

    def test_oldest_views_are_removed(self) -> None:
        async def compute() -> Compressed:
            return compress(b"four")

        async def fill() -> int:
            cache = ViewCache(max_bytes=16)
            for tag in "abc":
                await cache.get_or_compute(tag, tag, compute)
            return cache.size

        assert asyncio.run(fill()) == 16


class TestCompression:
    def test_long_content_is_sent_in_gzip_if_it_is_taken(self) -> None:
        content = compress(b"view" * 1_000)
        body, headers = content.select(Headers({"accept-encoding": "br, gzip"}))
        assert headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(body) == content.content

    def test_content_is_sent_as_it_is_otherwise(self) -> None:
        body, headers = compress(b"view" * 1_000).select(Headers({}))
        assert body == b"view" * 1_000
        assert "Content-Encoding" not in headers

    def test_short_content_is_not_compressed(self) -> None:
        assert compress(b"view").select(Headers({"accept-encoding": "gzip"}))[0] == b"view"


class TestBatches:
    def test_generations_are_one_row_the_latest_first(self) -> None:
        def batch(name: str, generation: int, count: int, retracted: int, day: int) -> Batch:
            row = Batch(
                batch=name,
                generation=generation,
                exchange_count=count,
                retracted_count=retracted,
            )
            row.last_record_time.FromJsonString(f"2026-01-{day:02}T10:00:00Z")
            return row

        rows = make_batches(
            [
                batch("visits", 1, 5, 5, 2),
                batch("calls", 1, 3, 0, 4),
                batch("visits", 2, 6, 1, 9),
                batch("roster", 1, 0, 0, 10),
            ]
        )
        assert [(each["batch"], each["day"]) for each in rows] == [
            ("visits", "2026-01-09"),
            ("calls", "2026-01-04"),
        ]
        assert [(each["exchange_count"], each["counted_count"]) for each in rows] == [
            (6, 5),
            (3, 3),
        ]
