"""One-sided pairs and topics from columns: evidence, what the network pays back, and topics."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn as Draw

from mutua.v1 import query_service_pb2 as pb
from mutua.v1.event_pb2 import Event
from mutua.v1.types_pb2 import OCCUR_PRECISION_DAY, OCCUR_PRECISION_MONTH
from services.adapters.wire.question import to_question
from services.ledger import reference_answers
from services.ledger.allocation import MILLION
from services.ledger.enums import Allocation, Identity, Lens
from services.ledger.errors import ImpossibleQuestionError
from services.ledger.question import MANY_UNKNOWN, TOPICS_OVERLAP, Pair, Question
from services.network.asymmetry import (
    TopicAsymmetry,
    compute_every_pair,
    compute_family,
    compute_topics,
    find_paybacks,
)
from services.network.identity_view import IdentityView
from services.network.pairs import compute_pairs
from tests import dpdk
from tests.ledger.folded_ledger import fold_events, to_json_rows
from tests.network.column_history import advance_by_slabs
from tests.network.test_real_data import EVERYTHING, view_dpdk
from tests.oracle import answers as oracle
from tests.oracle import fold
from tests.reports import GIVER, RECEIVER, report
from tests.strategies import PROGRAMME, histories, questions

QUESTION = Question(programme_id=PROGRAMME)
START = date(2024, 3, 1)
rich_histories = histories(exchanges=6, max_facts=14)


def make_view(events: list[Event], identity: Identity = Identity.AS_NOW) -> IdentityView:
    *_, (columns, _) = advance_by_slabs(events, [])
    return IdentityView(columns, identity)


def on_day(number: int, giver: str, receiver: str, day: int) -> Event:
    return report(number, giver, receiver, day=START + timedelta(days=day))


@st.composite
def lively_histories(draw: Draw) -> list[Event]:
    """Three organizations over many days, so that pairs are in the family."""
    ways = ("ab", "ab", "ab", "ba", "bc", "ca", "ac")
    return [
        report(
            number,
            *draw(st.sampled_from(ways)),
            by=draw(st.sampled_from(("", "a", "b", "centre"))),
            day=START + timedelta(days=0 if is_coarse else draw(st.integers(0, 40))),
            precision=OCCUR_PRECISION_MONTH if is_coarse else OCCUR_PRECISION_DAY,
        )
        for number in range(draw(st.integers(0, 50)))
        for is_coarse in [draw(st.integers(0, 9)) == 0]
    ]


class TestEvidence:
    @settings(max_examples=40, deadline=None)
    @given(lively_histories(), st.sampled_from(((), ("a",), ("c", "nobody"))), st.booleans())
    def test_equals_the_oracle(
        self,
        events: list[Event],
        organization_ids: tuple[str, ...],
        has_window: bool,  # noqa: FBT001
    ) -> None:
        asked = pb.Question(programme_id=PROGRAMME, organization_ids=organization_ids)
        if has_window:
            asked.to_date.year, asked.to_date.month, asked.to_date.day = 2024, 3, 25
        answer = compute_pairs(make_view(events), to_question(asked, today=0))
        assert to_json_rows(answer) == oracle.compute_pairs(fold.fold(events), asked)

    @settings(max_examples=40, deadline=None)
    @given(rich_histories, questions())
    def test_equals_the_oracle_on_any_question(
        self, events: list[Event], asked: pb.Question
    ) -> None:
        question = to_question(asked, today=0)
        if question.allocation is Allocation.ONCE:
            return
        answer = compute_pairs(make_view(events, question.identity), question)
        assert to_json_rows(answer) == oracle.compute_pairs(fold.fold(events), asked)

    def test_is_weighed_among_all_pairs_whichever_are_requested(self) -> None:
        ways = [("a", "b", 9), ("a", "c", 8), ("b", "c", 6), ("c", "d", 5)]
        days = [(giver, receiver, day) for giver, receiver, n in ways for day in range(n)]
        view = make_view([on_day(number, *each) for number, each in enumerate(days)])
        whole = {row[:2]: row for row in compute_pairs(view, QUESTION).rows}
        [row] = compute_pairs(view, replace(QUESTION, organization_ids=("d",))).rows
        assert row == whole["c", "d"]
        assert (row.p_value, row.q_value, row.interval_low) == (None, None, None)
        some = compute_pairs(view, replace(QUESTION, organization_ids=("a",))).rows
        assert [*some] == [whole["a", "b"], whole["a", "c"]]
        assert whole["b", "c"].p_value == pytest.approx(2 / 2**6)
        assert whole["b", "c"].q_value == pytest.approx(2 / 2**6)
        assert whole["a", "b"].q_value == pytest.approx(3 / 2 * 2 / 2**8)

    def test_points_to_the_direction_with_more_days(self) -> None:
        """One burst of many exchanges is one day."""
        events = [on_day(number, "a", "b", 0) for number in range(20)]
        events += [on_day(20 + day, "b", "a", day) for day in range(7)]
        [row] = compute_pairs(make_view(events), QUESTION).rows
        assert (row.giver_id, row.given_days, row.received_days) == ("a", 1, 7)
        assert row.direction_differs
        assert row.interval_high is not None
        assert row.interval_high < 1
        assert row.p_value == pytest.approx(2 * 9 / 2**8)


class TestInformants:
    @pytest.mark.parametrize(
        ("forth", "back", "expected"),
        [
            ({"by": "a"}, {"by": "a"}, 1),
            ({"by": "a"}, {"by": "b"}, 2),
            ({"by": "centre"}, {"by": ""}, 1),
            ({"side": GIVER}, {"side": RECEIVER}, 1),
            ({"side": GIVER}, {"side": GIVER}, 2),
            ({"by": "a", "side": RECEIVER}, {"by": "a", "side": GIVER}, 2),
        ],
    )
    def test_are_the_organizations_that_reported(
        self, forth: dict[str, Any], back: dict[str, Any], expected: int
    ) -> None:
        view = make_view([report(0, "a", "b", **forth), report(1, "b", "a", **back)])
        [row] = compute_pairs(view, QUESTION).rows
        assert row.informants == expected

    def test_are_absent_unless_both_gave(self) -> None:
        [row] = compute_pairs(make_view([report(0, "a", "b", by="a")]), QUESTION).rows
        assert row.informants is None


class TestAsymmetry:
    @settings(max_examples=20, deadline=None)
    @given(lively_histories())
    def test_lists_the_rows_of_pairs(self, events: list[Event]) -> None:
        view = make_view(events)
        rows = [*compute_pairs(view, QUESTION).rows]
        assert [*compute_every_pair(view, QUESTION).rows] == rows
        family = [row for row in rows if row.contact_days >= 6]
        assert [*compute_family(view, QUESTION).rows] == family
        assert all((row.p_value is not None) == (row in family) for row in rows)

    @settings(max_examples=40, deadline=None)
    @given(rich_histories, questions())
    def test_payback_equals_maximum_flow_of_networkx(
        self, events: list[Event], asked: pb.Question
    ) -> None:
        question = replace(to_question(asked, today=0), allocation=Allocation.SPLIT)
        answer = compute_every_pair(make_view(events, question.identity), question)
        everyone = replace(question, organization_ids=())
        net = nx.DiGraph()
        for pair in reference_answers.compute_pairs(fold_events(events).ledger, everyone).rows:
            net.add_edge(pair.giver_id, pair.receiver_id, capacity=pair.given - pair.received)
        pairs = [*answer.rows]
        paybacks = find_paybacks(answer, pairs, lambda: None)
        for pair, payback in zip(pairs, paybacks, strict=True):
            if payback is None:
                assert pair.given == pair.received
                continue
            flow = nx.maximum_flow_value(net, pair.receiver_id, pair.giver_id)
            assert payback.amount == min(pair.given - pair.received, flow)
            assert (payback.path != ()) == (flow > 0)
            if payback.path:
                assert (payback.path[0], payback.path[-1]) == (pair.receiver_id, pair.giver_id)
                assert all(map(net.has_edge, payback.path, payback.path[1:]))

    @pytest.mark.parametrize("allocation", [Allocation.FULL, Allocation.ONCE])
    def test_allocations_that_do_not_add_up_are_refused(self, allocation: Allocation) -> None:
        question, view = replace(QUESTION, allocation=allocation), make_view([])
        for compute in (compute_family, compute_every_pair, compute_topics):
            with pytest.raises(ImpossibleQuestionError, match="ask for split"):
                compute(view, question)

    def test_of_nothing_has_no_rows(self) -> None:
        view = make_view([])
        assert [*compute_family(view, QUESTION).rows] == []
        assert [*compute_topics(view, QUESTION).rows] == []

    def test_checkpoint_ends_the_search_for_paybacks(self) -> None:
        answer = compute_every_pair(make_view([report(0, "a", "b")]), QUESTION)

        def stop() -> None:
            raise InterruptedError

        with pytest.raises(InterruptedError):
            list(find_paybacks(answer, [*answer.rows], stop))


class TestTopics:
    @settings(max_examples=40, deadline=None)
    @given(rich_histories, questions())
    def test_equal_pairs_of_one_topic(self, events: list[Event], asked: pb.Question) -> None:
        question = replace(
            to_question(asked, today=0), allocation=Allocation.SPLIT, organization_ids=()
        )
        answer = compute_topics(make_view(events, question.identity), question)
        ledger = fold_events(events).ledger
        exchanges = [
            each for each in reference_answers.select_exchanges(ledger, question) if each.legs
        ]
        topics = {topic for each in exchanges for topic in each.exchange.topics or ("",)}
        assert [row.topic for row in answer.rows] == sorted(
            topic for topic in topics if not question.topics or topic in question.topics
        )
        assert (TOPICS_OVERLAP in answer.warnings) >= any(
            len(each.exchange.topics) > 1 for each in exchanges
        )
        for row in answer.rows:
            if row.topic:
                self._compare(row, ledger, question)

    @staticmethod
    def _compare(row: TopicAsymmetry, ledger: Any, question: Question) -> None:
        one = replace(question, topics=(row.topic,))
        pairs = reference_answers.compute_pairs(ledger, one).rows
        exchanges = [each for each in reference_answers.select_exchanges(ledger, one) if each.legs]
        assert row.exchange_count == len(exchanges)
        assert row.pair_count == len(pairs)
        assert row.one_way_pair_count == sum(
            pair.given_count == 0 or pair.received_count == 0 for pair in pairs
        )
        assert row.total == sum(pair.given + pair.received for pair in pairs)
        assert row.net == sum(pair.given - pair.received for pair in pairs)

    def test_too_few_exchanges_have_no_share(self) -> None:
        events = [on_day(number, "a", "b", number) for number in range(5)]
        for event in events:
            event.exchange_recorded.exchange.topics.append("interfaces")
        [few] = compute_topics(make_view(events[:4]), QUESTION).rows
        assert (few.one_sided_share, few.reasons) == (None, ("TOO_FEW_EXCHANGES",))
        [enough] = compute_topics(make_view(events), QUESTION).rows
        assert (enough.one_sided_share, enough.reasons) == (1, ())

    def test_many_unknown_minutes_have_no_share(self) -> None:
        events = [on_day(number, "a", "b", number) for number in range(10)]
        for event in events[:7]:
            event.exchange_recorded.exchange.giver_minutes = 30
        answer = compute_topics(make_view(events), replace(QUESTION, lens=Lens.BURDEN))
        [row] = answer.rows
        assert (row.unknown_count, row.total) == (3, 210 * MILLION)
        assert row.reasons == (MANY_UNKNOWN,)
        assert MANY_UNKNOWN in answer.warnings


@dpdk.needs_real_data
class TestRealData:
    @pytest.mark.parametrize(
        ("giver_id", "receiver_id", "days", "p_value"),
        [
            ("6wind.com", "mellanox.com", (161, 221), 7.476e-12),
            ("intel.com", "huawei.com", (141, 190), 1.620e-11),
            ("smartsharesystems.com", "linux.microsoft.com", (34, 34), 1.164e-10),
        ],
    )
    def test_evidence(
        self, giver_id: str, receiver_id: str, days: tuple[int, int], p_value: float
    ) -> None:
        row = find_pair(giver_id, receiver_id)
        assert (row.given_days, row.contact_days) == days
        assert row.p_value == pytest.approx(p_value, rel=5e-4)

    @pytest.mark.parametrize(
        ("giver_id", "receiver_id", "net", "amount"),
        [
            ("nxp.com", "intel.com", 348, 17),
            ("intel.com", "networkplumber.org", 303, 87),
            ("smartsharesystems.com", "networkplumber.org", 120, 28),
            ("xilinx.com", "oktetlabs.ru", 220, 5),
            ("intel.com", "mellanox.com", 184, 35),
        ],
    )
    def test_payback(self, giver_id: str, receiver_id: str, net: int, amount: int) -> None:
        pair = find_pair(giver_id, receiver_id)
        [payback] = find_paybacks(compute_family(view_dpdk(), EVERYTHING), [pair], lambda: None)
        assert payback is not None
        assert pair.given - pair.received == net * MILLION
        assert payback.amount == amount * MILLION

    def test_one_sided_share_is_what_reciprocity_leaves(self) -> None:
        [row] = compute_topics(view_dpdk(), EVERYTHING).rows
        assert row.one_sided_share == pytest.approx(1 - 0.5859, abs=5e-5)


def find_pair(giver_id: str, receiver_id: str) -> Pair:
    [row] = (
        row
        for row in compute_pairs(view_dpdk(), EVERYTHING).rows
        if row[:2] == (giver_id, receiver_id)
    )
    return row
