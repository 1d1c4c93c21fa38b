"""A half-life of balances through gRPC, the client and the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from mutua import Client, MutuaError
from tests.cli.conftest import RunCommand
from tests.cli.conftest import run as run
from tests.services import facts


@pytest.fixture
def programme(client: Client) -> Client:
    events = [facts.exchange("a", "b", on=f"2026-0{month}-01T00:00:00Z") for month in (1, 2, 3)]
    client.get_status(min_position=client.record(events))
    return client


def test_balances_decay_and_echo_it(programme: Client) -> None:
    answer = programme.list_balances(to_date="2026-03-01", half_life_days=28)
    given = {row.organization_id: row.given for row in answer}
    assert given["a"] == pytest.approx(2 ** (-59 / 28) + 2 ** (-28 / 28), abs=2e-6)
    assert answer.question.half_life_days == 28
    one = programme.get_balance("a", to_date="2026-03-01", half_life_days=28)
    assert one.balance.given == given["a"]


def test_balances_without_half_life_stay_whole(programme: Client) -> None:
    answer = programme.list_balances()
    assert [row.given for row in answer] == [3, 0]
    assert not answer.question.HasField("half_life_days")


@pytest.mark.parametrize(
    "ask",
    [
        lambda client, **filters: list(client.list_pairs(**filters)),
        lambda client, **filters: list(client.list_asymmetry(**filters)),
        lambda client, **filters: client.get_network(**filters),
        lambda client, **filters: client.get_reciprocity(**filters),
    ],
)
def test_other_questions_refuse_it_by_name(client: Client, ask: Callable[..., Any]) -> None:
    with pytest.raises(MutuaError) as refused:
        ask(client, half_life_days=30)
    assert refused.value.code is grpc.StatusCode.UNIMPLEMENTED
    assert [each.field for each in refused.value.field_violations] == ["question.half_life_days"]


@pytest.mark.parametrize("days", [0, -1, 36_501])
def test_days_out_of_range_are_refused(client: Client, days: int) -> None:
    with pytest.raises(MutuaError, match="between 1 and 36,500") as refused:
        list(client.list_balances(half_life_days=days))
    assert refused.value.reason == "QUESTION_IMPOSSIBLE"


def test_client_refuses_what_is_no_number(client: Client) -> None:
    with pytest.raises(MutuaError, match="not a whole number"):
        list(client.list_balances(half_life_days="a year"))  # type: ignore[arg-type]


def test_command_shows_parts(run: RunCommand) -> None:
    run("log", "--from", "a", "--to", "b", "--kind", "call", "--on", "2026-01-01")
    result = run("balances", "--half-life", "31", "--to", "2026-02-01")
    assert "lens count, half-life 31 days" in result.out
    assert "0.5" in result.out
    answer = run("balances", "--half-life", "31", "--to", "2026-02-01", "--format", "json").answer
    assert answer["question"]["half_life_days"] == 31
    assert answer["balances"][0]["given"] == 0.5
    assert run("balances", "--half-life", "0").code == 2
    assert run("pairs", "--half-life", "31").code == 2
