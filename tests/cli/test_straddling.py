"""Exchanges known to a month or quarter that lies partly outside the window."""

import pytest

from mutua.v1.query_service_pb2 import Coverage, Question
from mutua.v1.types_pb2 import Date
from services.cli.messages import straddling_line
from tests.cli.conftest import RunCommand, recorded_once

KNOWN = "known only to a month or quarter that lies partly outside the window"


@recorded_once
def straddling_exchanges(run: RunCommand) -> None:
    for day in ("2026-03", "2026-Q1", "2026-03-20", "2026-04", "2026-Q2"):
        assert run("log", "--from", "A", "--to", "B", "--kind", "call", "--on", day).code == 0


@pytest.mark.parametrize(
    ("window", "exchange_count", "line"),
    [
        (
            ("--from", "2026-03-15", "--to", "2026-05"),
            3,
            (
                f"3 exchanges are {KNOWN}: 1 is counted here, 1 is counted in 2026-03, "
                "1 is counted in 2026-Q1."
            ),
        ),
        (
            ("--from", "2026-03", "--to", "2026-04"),
            2,
            (f"1 exchange is {KNOWN}: it is counted in 2026-Q1."),
        ),
        (
            (
                "--to",
                "2026-04-10",
            ),
            5,
            (f"2 exchanges are {KNOWN}: 2 are counted here."),
        ),
        (
            ("--from", "2026-05"),
            0,
            (f"1 exchange is {KNOWN}: it is counted in 2026-Q2."),
        ),
    ],
)
def test_line_has_the_period_that_counts_each_exchange(
    straddling_exchanges: RunCommand, window: tuple[str, ...], exchange_count: int, line: str
) -> None:
    for command in ("balances", "pairs", "network", "exchanges"):
        assert line in straddling_exchanges(command, *window).out.splitlines()
    coverage = straddling_exchanges("balances", *window, "--format", "json").answer["coverage"]
    assert coverage["exchange_count"] == exchange_count
    assert coverage["straddling_count"] == sum(
        coverage[f"straddling_{where}_count"] for where in ("counted", "month", "quarter")
    )


def test_exchanges_partly_outside_the_window_are_marked(straddling_exchanges: RunCommand) -> None:
    rows = straddling_exchanges(
        "exchanges", "--from", "2026-03", "--to", "2026-04-10"
    ).out.splitlines()[2:6]
    marks = [(row.split()[1], row.endswith("partly outside, counted here")) for row in rows]
    assert marks == [
        ("2026-03", False),
        ("2026-03-20", False),
        ("2026-04", True),
        ("2026-Q2", True),
    ]
    assert "window" not in straddling_exchanges("exchanges").out.splitlines()[0]


def test_quarter_is_that_of_the_first_day() -> None:
    for month, quarter in ((1, 1), (3, 1), (4, 2), (12, 4)):
        question = Question(from_date=Date(year=2026, month=month, day=9))
        line = straddling_line(
            Coverage(straddling_count=1_200, straddling_quarter_count=1_200), question
        )
        assert line.endswith(f": 1,200 are counted in 2026-Q{quarter}.")
