"""The numbers of a report equal the answers of the services, at one position."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mutua import Client
from mutua.v1.query_service_pb2 import LENS_BURDEN, Question
from mutua.v1.types_pb2 import Date
from services.report import answers
from services.report.answers import ReportUnsettledError, ask_report
from services.report.one_sided_pairs import MAX_Q
from services.report.report import build_report
from tests.cli.conftest import RunCommand
from tests.cli.conftest import run as run
from tests.services import facts

QUESTIONS = {
    "everything": Question(),
    "minutes": Question(lens=LENS_BURDEN),
    "a window": Question(
        from_date=Date(year=2026, month=2, day=1), to_date=Date(year=2026, month=4, day=1)
    ),
    "an empty window": Question(from_date=Date(year=2026, month=10, day=1)),
}


@pytest.fixture(params=list(QUESTIONS))
def question(request: pytest.FixtureRequest) -> Question:
    return QUESTIONS[request.param]


class TestReport:
    def test_numbers_are_those_of_the_services(self, client: Client, question: Question) -> None:
        report = build_report(ask_report(client, question, seed=3))
        [row] = client.get_reciprocity(question, seed=3).reciprocities
        if row.HasField("weighted_reciprocity"):
            assert report.mutuality.returned == row.weighted_reciprocity
            assert report.mutuality.ceiling == row.ceiling
            assert [band.low for band in report.mutuality.bands] == [
                row.spread.low,
                row.shuffle.low,
            ]
            shares = [part.share for part in report.split]
            assert shares == [row.direct, row.circulating, row.relayed, row.one_way]
        else:
            assert report.mutuality.returned is None
            assert report.split == ()
        balances = {each.organization_id: each for each in client.list_balances(question)}
        for bar in report.bars.bars:
            balance = balances[bar.organization_id]
            assert (bar.given, bar.received) == (balance.given, balance.received)
        assert {bar.organization_id for bar in report.bars.bars} == {
            each.organization_id for each in balances.values() if each.given or each.received
        }
        curves = client.get_concentration(question).concentrations
        assert [list(curve.points) for curve in report.curves] == [
            list(curve.lorenz) for curve in curves
        ]

    def test_network_has_the_ties_of_the_services(self, client: Client, question: Question) -> None:
        network = build_report(ask_report(client, question)).network
        edges = Counter(
            {
                (each.giver_id, each.receiver_id): each.weight
                for each in client.get_network(question).edges
            }
        )
        assert network.tie_count == len(edges)
        for tie in network.ties:
            ends = (network.nodes[end].organization_id for end in (tie.giver, tie.receiver))
            assert edges[tuple(ends)] == tie.weight  # type: ignore[index]

    def test_pairs_are_the_first_with_evidence(self, client: Client) -> None:
        report = build_report(ask_report(client, Question()))
        expected = [each for each in client.list_asymmetry() if each.q_value <= MAX_Q]
        assert report.pairs.one_sided_count == len(expected)
        assert [(row.given, row.received, row.q_value) for row in report.pairs.rows] == [
            (each.given, each.received, each.q_value) for each in expected[: answers.MAX_PAIRS]
        ]

    def test_trend_is_the_series(self, client: Client) -> None:
        report = build_report(ask_report(client, Question(), period="month"))
        series = client.analysis.reciprocity(by="month")
        assert [point.returned for point in report.trend.points] == [
            row.weighted_reciprocity for row in series
        ]
        assert report.trend.points[0].label == "Jan 2026"

    def test_subset_agrees_with_its_own_measures(self, client: Client) -> None:
        question = Question()
        question.where.add(attribute="region", value="North")
        report = build_report(ask_report(client, question))
        [row] = client.get_reciprocity(question).reciprocities
        assert sum(bar.given for bar in report.bars.bars) == row.total
        assert report.network.tie_count == row.tie_count
        family = list(client.list_asymmetry(question))
        assert report.pairs.family_count == len(family)
        assert report.pairs.one_sided_count == sum(each.q_value <= MAX_Q for each in family)


class _ArrivingFacts:
    """A client during whose questions facts arrive, as often as `count` says."""

    def __init__(self, client: Client, count: int) -> None:
        self._client = client
        self.count = count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_network(self, *arguments: Any, **fields: Any) -> Any:
        if self.count:
            self.count -= 1
            self._client.get_status(
                min_position=self._client.record([facts.exchange("o01", "o02")])
            )
        return self._client.get_network(*arguments, **fields)


class TestPosition:
    def test_all_is_asked_again_when_facts_arrive(self, client: Client) -> None:
        arriving: Any = _ArrivingFacts(client, 1)
        report = ask_report(arriving, Question())
        assert arriving.count == 0
        assert report.position == client.get_status().projection_position
        assert (
            sum(each.exchange_count for each in report.edges) == report.reciprocity.exchange_count
        )

    def test_report_that_never_settles_is_refused(self, client: Client) -> None:
        arriving: Any = _ArrivingFacts(client, 99)
        with pytest.raises(ReportUnsettledError, match="ask again"):
            ask_report(arriving, Question())


class TestCommand:
    def test_writes_the_file_whole(self, client: Client, address: str, run: RunCommand) -> None:
        result = run(
            *("--server", address, "--programme", "gde", "report"),
            *("--out", "board.html", "--title", "Q2 <2026>", "--lens", "burden", "--by", "quarter"),
        )
        assert result.code == 0, result.err
        page = Path("board.html").read_text()
        assert "<h1><bdi>Q2 &lt;2026&gt;</bdi></h1>" in page
        assert "minutes that givers spent" in page.lower()
        assert [path.name for path in Path().iterdir()] == ["board.html"]

    @pytest.mark.parametrize(
        ("words", "problem"),
        [
            (("--out", "a.html", "--allocation", "full"), "split"),
            (("--out", "a.html", "--where", "regin=North"), "did you mean region"),
            (("--out", "a.html", "--organization", "nobody"), "no organization is called"),
            (
                (
                    "--out",
                    "no/such/a.html",
                ),
                "no/such/a.html",
            ),
            ((), "--out"),
        ],
    )
    def test_bad_input_leaves_no_file(
        self, client: Client, address: str, run: RunCommand, words: tuple[str, ...], problem: str
    ) -> None:
        result = run("--server", address, "--programme", "gde", "report", *words)
        assert result.code in (1, 2)
        assert problem in result.err
        assert list(Path().iterdir()) == []
