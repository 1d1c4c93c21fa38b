"""What the report says, from answers that are made up here."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from mutua.measures import LastExchange, OneLeftOut, ReciprocityMeasures, YardstickBand
from mutua.v1.analysis_service_pb2 import PaidBack, PairAsymmetry
from mutua.v1.query_service_pb2 import (
    ALLOCATION_SPLIT,
    IDENTITY_AS_NOW,
    LENS_BURDEN,
    AttributeFilter,
    Coverage,
    Organization,
    Pair,
    Question,
)
from mutua.v1.types_pb2 import Date
from services.report.answers import choose_period
from services.report.attention import list_attention
from services.report.charts.network import SIZES, MapSize, draw_network, measure_text
from services.report.command_line import write_command
from services.report.coverage import describe_reporting
from services.report.findings import FINDINGS, list_findings
from services.report.layout import place_organizations, separate
from services.report.mutuality import describe_mutuality
from services.report.network_map import MAX_NODES, MAX_TIES
from services.report.page import render_page
from services.report.report import build_report, describe_window
from services.report.text import Names, Unit, clean_name, format_share
from tests.report.report_answers import MEASURED, make_answers, make_structure

COUNT, MINUTES = Unit(is_minutes=False), Unit(is_minutes=True)
RING = {f"o{n}": f"Organization {n}" for n in range(8)}
PARTLY_RECORDED = (
    "2 of 3 organizations recorded an exchange in this window; 1 did not, so that their totals "
    "may be low."
)
RING_TIES = [(f"o{n}", f"o{(n + 1) % 8}", float(n + 1)) for n in range(8)]


class TestNames:
    def test_id_stands_in_for_a_missing_name(self) -> None:
        names = Names([Organization(organization_id="T-1")])
        assert (names["T-1"], names["T-2"]) == ("T-1", "T-2")

    def test_equal_names_get_their_ids(self) -> None:
        names = Names([Organization(organization_id=each, name="Oakdale") for each in ("a", "b")])
        assert (names["a"], names["b"]) == ("Oakdale (a)", "Oakdale (b)")

    def test_numbers_in_names_are_in_order(self) -> None:
        names = Names([])
        assert names.sort(["Site 10", "site 2", "Site"]) == ["Site", "site 2", "Site 10"]

    @pytest.mark.parametrize(
        ("name", "shown"),
        [
            ("\u202egnirts\u202c \u2067x\u2069", "gnirts x"),
            ("two\n lines\x07", "two lines"),
            ("W" * 10_000, "W" * 79 + "…"),
            ("<b>&amp;", "<b>&amp;"),
        ],
    )
    def test_name_is_one_short_line_without_controls(self, name: str, shown: str) -> None:
        assert clean_name(name) == shown


class TestText:
    @pytest.mark.parametrize(
        ("unit", "amount", "text"),
        [
            (COUNT, 1_204.0, "1,204"),
            (MINUTES, 45.0, "45 min"),
            (MINUTES, 450.0, "7.5 h"),
            (MINUTES, 72_000.0, "1,200 h"),
            (MINUTES, None, "–"),
        ],
    )
    def test_amount_has_its_unit(self, unit: Unit, amount: float | None, text: str) -> None:
        assert unit.format(amount) == text

    def test_small_share_is_not_zero(self) -> None:
        assert [format_share(each) for each in (None, 0.0, 0.004, 0.456)] == [
            "–",
            "0%",
            "< 1%",
            "46%",
        ]

    def test_window_includes_its_last_day(self) -> None:
        first, after = Date(year=2026, month=1, day=1), Date(year=2026, month=7, day=1)
        assert describe_window(Question(from_date=first, to_date=after)) == (
            "1 January 2026 to 30 June 2026"
        )
        assert describe_window(Question()) == "All time"

    def test_command_has_the_filters_of_the_question(self) -> None:
        question = Question(
            programme_id="gde",
            lens=LENS_BURDEN,
            allocation=ALLOCATION_SPLIT,
            identity=IDENTITY_AS_NOW,
            from_date=Date(year=2026, month=1, day=1),
            topics=["it and data"],
            where=[AttributeFilter(attribute="region", value="North West")],
        )
        assert write_command(question, "reciprocity", "--seed", "3") == (
            "mutua --programme gde reciprocity --lens burden --from 2026-01-01 "
            "--topic 'it and data' --where 'region=North West' --seed 3"
        )


class TestPeriod:
    @pytest.mark.parametrize(
        ("last", "exchange_count", "period"),
        [((2026, 6), 400, "month"), ((2026, 6), 100, "quarter"), ((2036, 6), 9_000, "year")],
    )
    def test_is_the_shortest_with_enough_exchanges(
        self, last: tuple[int, int], exchange_count: int, period: str
    ) -> None:
        organization = Organization(
            first_exchange_date=Date(year=2026, month=1, day=1),
            last_exchange_date=Date(year=last[0], month=last[1], day=1),
        )
        assert choose_period((organization,), exchange_count) == period


class TestMutuality:
    def test_verdict_is_the_headline(self) -> None:
        mutuality = describe_mutuality(MEASURED, COUNT)
        assert mutuality.headline == "More mutual than chance."
        assert "At most 70% could be" in mutuality.sentences[0]
        assert [band.name for band in mutuality.bands] == ["Spread", "Shuffle"]

    def test_reason_stands_where_there_is_no_verdict(self) -> None:
        row = replace(MEASURED, verdict=None, reasons=("MANY_UNKNOWN",), spread=None)
        mutuality = describe_mutuality(row, MINUTES)
        assert mutuality.headline == "No verdict, because many minutes are unknown."
        assert [band.name for band in mutuality.bands] == ["Shuffle"]

    def test_empty_window_says_so(self) -> None:
        report = build_report(make_answers({}))
        assert report.mutuality.headline == "No exchange was recorded in this window."
        assert report.findings == ()
        assert report.split == ()


class TestFindings:
    def test_every_finding_can_be_found(self) -> None:
        answers = make_answers(RING, RING_TIES, reciprocity=MEASURED)
        pairs = [
            Pair(giver_id="o1", receiver_id="o2", q_value=q, informants=1) for q in (0.01, 0.9)
        ]
        for each in answers.concentrations:
            each.gini, each.top_three_share = 0.5, 0.6
        structure = replace(
            make_structure([*RING], isolates=["o9"], sources={"o1": "o0"}),
            newcomer_count=1,
            stopped_count=0,
        )
        without = OneLeftOut("o1", 0.3)
        full = replace(
            answers,
            pairs=tuple(pairs),
            structure=structure,
            series=(_of_month(MEASURED, 1), _of_month(MEASURED, 2)),
            reciprocity=replace(MEASURED, lowest_without=without, highest_without=without),
        )
        unjudged = replace(full, reciprocity=replace(MEASURED, verdict=None, reasons=("X",)))
        found = {
            find.__name__
            for find in FINDINGS
            if find(full, Names(full.organizations)) or find(unjudged, Names(full.organizations))
        }
        assert found == {find.__name__ for find in FINDINGS}
        for finding in list_findings(full, Names(full.organizations)):
            assert finding.evidence
            assert finding.limits

    def test_missing_verdict_has_its_reason(self) -> None:
        row = replace(MEASURED, verdict=None, reasons=("TOO_FEW_EXCHANGES",))
        report = build_report(make_answers(RING, RING_TIES, reciprocity=row))
        assert "TOO_FEW_EXCHANGES" in report.findings[0].evidence


class TestBars:
    def test_are_by_name_or_by_amount(self) -> None:
        names = {"a": "Zeta", "b": "Beta", "c": "alpha"}
        answers = make_answers(names, [("a", "b", 3.0), ("b", "c", 9.0)])
        by_name, by_amount = build_report(answers), build_report(answers, bar_order="amount")
        assert [bar.name for bar in by_name.bars.bars] == ["alpha", "Beta", "Zeta"]
        assert [(bar.given, bar.received) for bar in by_amount.bars.bars] == [
            (9.0, 3.0),
            (0.0, 9.0),
            (3.0, 0.0),
        ]


class TestNetwork:
    def test_large_one_shows_the_busiest(self) -> None:
        names = {f"o{n:04}": "" for n in range(1_000)}
        ties = [(f"o{n // 5:04}", f"o{n:04}", float(n % 7 + 1)) for n in range(1, 1_000)]
        network = build_report(make_answers(names, ties)).network
        assert len(network.nodes) == MAX_NODES
        assert network.other_count == 1_000 - MAX_NODES
        assert len(network.ties) <= MAX_TIES
        assert network.tie_count == 999
        weights = [tie.weight for tie in network.ties]
        assert weights == sorted(weights, reverse=True)

    def test_isolates_stand_on_the_shelf_by_name(self) -> None:
        names = {"a": "A", "b": "B", "y": "Yew", "z": "Ash"}
        network = build_report(make_answers(names, [("a", "b", 1.0)], isolates=["y", "z"])).network
        assert [name for name, _ in network.isolates] == ["Ash", "Yew"]

    @pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)
    def test_labels_do_not_collide(self, size: MapSize) -> None:
        names = {f"o{n}": f"Organization number {n}" for n in range(40)}
        ties = [(f"o{n}", f"o{(n * 7 + 3) % 40}", float(n + 1)) for n in range(40)]
        network = build_report(make_answers(names, ties)).network
        svg = ElementTree.fromstring(draw_network(network, size))
        boxes = []
        for text in svg.iter("text"):
            width = measure_text((text.text or "").strip("\u2068\u2069"))
            x, y = float(text.get("x", "")), float(text.get("y", ""))
            start = {"start": x, "middle": x - width / 2, "end": x - width}[
                text.get("text-anchor", "")
            ]
            boxes.append((start, y - 10, start + width, y + 3))
        assert len(boxes) > 5
        for place, one in enumerate(boxes):
            for other in boxes[:place]:
                apart = one[0] >= other[2] or other[0] >= one[2]
                assert apart or one[1] >= other[3] or other[1] >= one[3]


class TestLayout:
    def test_is_the_same_for_equal_ties(self) -> None:
        ties = [(n, (n * 3 + 1) % 20, float(n + 1)) for n in range(20)]
        first, second = place_organizations(20, ties), place_organizations(20, list(ties))
        assert np.array_equal(first, second)
        assert first.min() >= 0
        assert first.max() <= 1

    def test_tied_organizations_are_closer(self) -> None:
        ties = [(a, b, 5.0) for start in (0, 5) for a in range(start, start + 5) for b in range(a)]
        ties = [tie for tie in ties if tie[1] >= tie[0] // 5 * 5] + [(0, 5, 1.0)]
        points = place_organizations(10, ties)
        within = np.linalg.norm(points[1] - points[2])
        between = np.linalg.norm(points[1] - points[7])
        assert within < between

    @pytest.mark.parametrize("count", [0, 1, 2, 3])
    def test_few_or_unconnected_organizations_have_places(self, count: int) -> None:
        points = place_organizations(count, [])
        assert points.shape == (count, 2)
        assert np.isfinite(points).all()

    def test_circles_in_one_place_are_moved_apart(self) -> None:
        points = separate(np.full((4, 2), 50.0), np.full(4, 5.0), (100.0, 100.0))
        lengths = np.linalg.norm(points[:, None] - points[None], axis=2)
        assert lengths[np.triu_indices(4, 1)].min() > 5


class TestPairs:
    def test_only_pairs_beyond_chance_are_listed(self) -> None:
        rows = [
            PairAsymmetry(
                giver_id="o1",
                receiver_id="o2",
                given=9.0,
                given_days=8,
                contact_days=9,
                received_days=1,
                q_value=q,
                paid_back=PaidBack(amount=2.0, path_ids=["o2", "o3", "o4", "o5", "o1"]),
            )
            for q in (0.01, 0.2)
        ]
        answers = replace(
            make_answers(RING, RING_TIES),
            asymmetries=tuple(rows),
            pairs=(Pair(q_value=0.01), Pair(q_value=0.2), Pair()),
        )
        pairs = build_report(answers).pairs
        [pair] = pairs.rows
        assert (pairs.family_count, pairs.one_sided_count, pairs.pair_count) == (2, 1, 3)
        assert (pair.days_one_way, pair.contact_days, pair.paid_back) == (8, 9, 2.0)
        assert pair.way == ("Organization 3", "2 others")


class TestAttention:
    def test_lists_are_in_the_order_of_names(self) -> None:
        names = Names(
            [Organization(organization_id=i, name=n) for i, n in (("a", "Z"), ("b", "Y"))]
        )
        structure = replace(
            make_structure([], isolates=["a", "b"]),
            stopped_count=1,
            stopped_organizations=(LastExchange("a", date(2025, 3, 5)),),
        )
        isolates, _, stopped, _ = list_attention(structure, names)
        assert [each.name for each in isolates.listed] == ["Y", "Z"]
        assert stopped.listed[0].remark == "last 5 March 2025"

    def test_undefined_list_says_why(self) -> None:
        _, _, stopped, _ = list_attention(make_structure([]), Names([]))
        assert stopped.total is None
        assert "no first day" in stopped.absence


class TestCoverage:
    @pytest.mark.parametrize(
        ("coverage", "sentence"),
        [
            (Coverage(), "No roster is known, so that silence cannot be seen."),
            (Coverage(roster_count=3, recorded_count=2), PARTLY_RECORDED),
            (
                Coverage(roster_count=3, exchange_count=4),
                "None of 3 organizations recorded an exchange in this window: others did for them.",
            ),
        ],
    )
    def test_says_who_recorded(self, coverage: Coverage, sentence: str) -> None:
        assert describe_reporting(coverage) == sentence


class TestSubset:
    def test_flows_are_those_among_the_members(self) -> None:
        answers = make_answers(RING, RING_TIES, reciprocity=replace(MEASURED, gini_given=0.2))
        question = Question()
        question.CopyFrom(answers.question)
        question.where.add(attribute="region", value="North")
        structure = make_structure(["o1", "o2"], isolates=["o5"])
        report = build_report(replace(answers, question=question, structure=structure))
        assert [(bar.organization_id, bar.given) for bar in report.bars.bars] == [
            ("o1", 2.0),
            ("o2", 0.0),
        ]
        assert report.network.tie_count == 1
        assert report.curves[0].points == (0.0, 0.0, 0.0, 1.0)
        assert report.curves[1].points == ()


class TestPage:
    @pytest.mark.parametrize("count", [0, 1, 2, 30])
    def test_every_size_has_a_page(self, count: int) -> None:
        names = {f"o{n}": f"Organization {n}" for n in range(count)}
        ties = [(f"o{n}", f"o{n + 1}", 2.0) for n in range(count - 1)]
        page = render_page(build_report(make_answers(names, ties)))
        assert page.startswith("<!doctype html>")
        assert "<script" not in page

    def test_is_the_same_for_equal_answers(self) -> None:
        answers = make_answers(RING, RING_TIES, reciprocity=MEASURED)
        assert render_page(build_report(answers)) == render_page(build_report(answers))

    def test_markup_in_names_is_text(self) -> None:
        name = "</svg></style><script>alert(1)</script>"
        page = render_page(
            build_report(make_answers({"a": name, "b": "{{ 7 * 7 }}"}, [("a", "b", 1.0)]))
        )
        assert "<script" not in page
        assert "&lt;script&gt;" in page
        assert "{{ 7 * 7 }}" in page

    def test_measure_that_is_absent_is_not_zero(self) -> None:
        row = replace(MEASURED, spread=None, shuffle=YardstickBand(0.2, 0.1, 0.3), ceiling=0.7)
        page = render_page(build_report(make_answers(RING, RING_TIES, reciprocity=row)))
        assert "Chance: shuffle" in page
        assert "Chance: spread" not in page


def _of_month(row: ReciprocityMeasures, month: int) -> ReciprocityMeasures:
    return replace(row, from_date=date(2026, month, 1))
