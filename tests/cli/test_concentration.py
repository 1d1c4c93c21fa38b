"""The output of `mutua concentration`."""

import csv
import io
import re

import pytest

from mutua.v1.query_service_pb2 import (
    DIRECTION_GIVING,
    DIRECTION_RECEIVING,
    Concentration,
)
from services.cli.concentration import count_holders_of_half
from tests.cli.conftest import RunCommand
from tests.cli.fake_programme import FakeProgrammeServer


@pytest.fixture
def concentrated(programme: FakeProgrammeServer) -> FakeProgrammeServer:
    """One of four organizations gave nearly everything; the amounts received are unknown."""
    programme.concentrations = [
        Concentration(
            direction=DIRECTION_GIVING,
            organization_count=4,
            total=1200,
            gini=0.7,
            top_three_share=1,
            lorenz=[0, 0, 0.02, 0.1, 1],
            metric_version=1,
            spill_over=45,
        ),
        Concentration(
            direction=DIRECTION_RECEIVING,
            organization_count=4,
            total=0,
            reasons=["NO_KNOWN_AMOUNT", "TOO_FEW_EXCHANGES"],
            metric_version=1,
        ),
    ]
    return programme


def test_table_has_figures_and_words(ask: RunCommand, concentrated: FakeProgrammeServer) -> None:
    text = ask("concentration", "--lens", "burden").out
    header, _, gave, received = text.splitlines()[:4]
    assert re.split(r"  +", header.strip()) == [
        "organizations", "total, minutes", "Gini", "top three", "half with", "in words",
    ]  # fmt: skip
    assert re.split(r"  +", gave.strip()) == [
        "giving", "4", "1,200", "0.70", "100%", "1",
        "of which 45 minutes went to organizations outside the population",
    ]  # fmt: skip
    assert re.split(r"  +", received.strip()) == [
        "receiving", "4", "0", "no known amount, too few",
    ]  # fmt: skip
    assert "Neither side is better" in text
    assert "3 of 4 organizations on the roster recorded something" in text


def test_json_and_csv_have_names_of_contract(
    ask: RunCommand, concentrated: FakeProgrammeServer
) -> None:
    answer = ask("concentration", "--format", "json").answer
    assert next(iter(answer)) == "concentrations"
    gave, received = answer["concentrations"]
    assert (gave["direction"], gave["lorenz"]) == ("DIRECTION_GIVING", [0, 0, 0.02, 0.1, 1])
    assert received.keys() & {"gini", "top_three_share"} == set()
    rows = list(csv.DictReader(io.StringIO(ask("concentration", "--format", "csv").out)))
    assert [row["gini"] for row in rows] == ["0.7", ""]
    assert rows[0]["lorenz"] == "0.0;0.0;0.02;0.1;1.0"


def test_order_by_is_refused(ask: RunCommand, concentrated: FakeProgrammeServer) -> None:
    result = ask("concentration", "--order-by", "gini")
    assert (result.code, result.out) == (2, "")


@pytest.mark.parametrize(
    ("lorenz", "count"),
    [([0, 1], 1), ([0, 0.5, 1], 1), ([0, 0.25, 0.5, 0.75, 1], 2), ([0, 0, 0.4, 1], 1)],
)
def test_count_of_holders_of_half_is_the_lowest(lorenz: list[float], count: int) -> None:
    assert count_holders_of_half(lorenz) == count


def test_recorded_exchanges_are_measured(run: RunCommand) -> None:
    for receiver, times in (("B", 3), ("C", 2)):
        for _ in range(times):
            run("log", "--from", "A", "--to", receiver, "--kind", "call", "--minutes", "10")
    gave, received = run("concentration", "--format", "json").answer["concentrations"]
    assert (gave["organization_count"], gave["total"]) == (3, 5)
    assert gave["gini"] == pytest.approx(2 / 3)
    assert gave["lorenz"] == [0, 0, 0, 1]
    assert received["gini"] == pytest.approx(0.4)
    burden = ("--lens", "burden", "--allocation", "once")
    gave, received = run("concentration", *burden, "--format", "json").answer["concentrations"]
    assert (gave["total"], received["reasons"]) == (50, ["NOT_BORNE"])
    assert "total" not in received
    refusal = run("concentration", "--allocation", "full", "--format", "json")
    assert (refusal.code, "QUESTION_IMPOSSIBLE" in refusal.err) == (1, True)
