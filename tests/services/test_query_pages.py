"""Lists stay stable across pages while facts are recorded, and answers are cached."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from mutua import Client
from mutua.v1 import query_service_pb2 as pb
from services.network.pairs import compute_pairs as list_rows
from services.query import flows
from tests.services import facts
from tests.services.facts import exchange
from tests.services.query_runner import get_rows

MOVED = "MODEL_MOVED"
FROM_COLUMNS = ("ListBalances", "ListPairs", "GetNetwork", "ListOrganizations")
EVERY = (*FROM_COLUMNS, "ListExchanges", "ListBatches", "ListQuarantine")


def ring(batch: str = "") -> list[Any]:
    """Exchanges that give at least five rows in every list."""
    events = [exchange(f"o{n}", f"o{(n + 1) % 5}", batch=f"{batch}{n}") for n in range(5)]
    # These records are quarantined, because their ids have other content.
    return events + [exchange("x", "y", event_id=each.event_id) for each in events]


def page(client: Client, method: str, **fields: Any) -> Any:
    request_of = getattr(pb, f"{method}Request")
    if "question" in request_of.DESCRIPTOR.fields_by_name:
        fields["question"] = pb.Question(programme_id=client.programme)
    else:
        fields["programme_id"] = client.programme
    return client._query.call(lambda link: getattr(link.query, method), request_of(**fields))


@pytest.fixture
def other(address: str) -> Iterator[Client]:
    with Client(address, programme=f"other-{uuid4().hex}") as client:
        yield client


@pytest.mark.parametrize("method", EVERY)
class TestLaterPage:
    def test_warns_after_new_facts(self, client: Client, method: str) -> None:
        client.record(ring())
        first = page(client, method, page_size=2, min_position=client.record(ring()))
        later = client.record([*ring("later "), exchange("o0", "zz")])
        second = page(
            client, method, page_size=2, page_token=first.next_page_token, min_position=later
        )
        assert MOVED not in first.warnings
        assert MOVED in second.warnings
        assert second.position == later
        assert get_rows(second)
        # Later pages continue the list of the second page.
        third = page(
            client, method, page_size=2, page_token=second.next_page_token, min_position=later
        )
        assert MOVED not in third.warnings

    def test_does_not_warn_after_facts_of_another_programme(
        self, client: Client, other: Client, method: str
    ) -> None:
        first = page(client, method, page_size=2, min_position=client.record(ring()))
        later = other.record(ring())
        second = page(
            client, method, page_size=2, page_token=first.next_page_token, min_position=later
        )
        assert (list(second.warnings), second.position) == (list(first.warnings), later)


@pytest.mark.parametrize("method", FROM_COLUMNS)
@pytest.mark.parametrize("order_by", ["", "exchange_count desc"])
def test_list_is_stable_while_facts_are_recorded(
    client: Client, method: str, order_by: str
) -> None:
    if order_by and method in ("ListPairs", "ListOrganizations"):
        order_by = "giver_id desc" if method == "ListPairs" else "organization_id desc"
    position = client.record([*ring(), facts.registration("silent")])
    whole = page(client, method, min_position=position, order_by=order_by)
    rows, token = [], ""
    while True:
        part = page(client, method, page_size=2, page_token=token, order_by=order_by)
        rows += get_rows(part)
        assert (part.position, part.coverage, list(part.warnings)) == (
            position,
            whole.coverage,
            [],
        )
        client.get_status(min_position=client.record([exchange("o4", "a"), exchange("b", "o0")]))
        if not (token := part.next_page_token):
            break
    assert rows == get_rows(whole)
    assert len(rows) >= 5


def test_answer_is_cached_until_its_programme_changes(
    client: Client, other: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    computations = list[str]()

    def count_computation(view: Any, question: Any) -> Any:
        computations.append(question.programme_id)
        return compute(view, question)

    compute = list_rows
    monkeypatch.setattr(flows, "compute_pairs", count_computation)
    position = client.record(ring())
    first = client.list_pairs(min_position=position)
    assert list(first) == list(client.list_pairs())
    list(client.list_pairs(page_size=2))
    assert len(computations) == 1
    later = other.record(ring())
    again = client.list_pairs(min_position=later)
    assert (list(again), again.position) == (list(first), later)
    assert len(computations) == 1
    list(client.list_pairs(pb.Question(lens=pb.LENS_BURDEN)))
    assert len(computations) == 2
    assert len(list(client.list_pairs(min_position=client.record([exchange("new", "o1")])))) == 6
    assert len(computations) == 3


def test_different_requests_get_different_answers(client: Client) -> None:
    position = client.record([exchange("A", "B"), exchange("C", "D")])
    balances = [client.get_balance(each, min_position=position).balance for each in "ABCDA"]
    assert [each.organization_id for each in balances] == list("ABCDA")
    lists = [client.list_pairs(order_by=each) for each in ("given", "received desc")]
    assert [len(list(each)) for each in lists] == [2, 2]
