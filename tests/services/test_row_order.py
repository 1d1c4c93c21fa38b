"""`order_by` sorts every list across pages, whether its rows are objects or columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutua.v1 import query_service_pb2 as pb
from mutua.v1.event_pb2 import Event
from mutua.v1.types_pb2 import Date
from services.ledger.errors import ImpossibleQuestionError
from services.query.flows import get_network, list_balances, list_pairs
from services.query.organizations import list_organizations
from services.query.row_order import RowOrder, parse_order
from tests.services.query_runner import query_runner
from tests.strategies import PROGRAMME, histories

SETTINGS = settings(max_examples=12, deadline=None)
LISTS: dict[str, tuple[Any, Any, Any]] = {
    # row: (answer, request, the list of the response)
    "Balance": (list_balances, pb.ListBalancesRequest, pb.Balance),
    "Pair": (list_pairs, pb.ListPairsRequest, pb.Pair),
    "Edge": (get_network, pb.GetNetworkRequest, pb.Edge),
    "Organization": (list_organizations, pb.ListOrganizationsRequest, pb.Organization),
}


def fields(row: Any) -> list[str]:
    return [
        field.name
        for field in row.DESCRIPTOR.fields
        if not field.is_repeated and (field.message_type in (None, Date.DESCRIPTOR))
    ]


@pytest.mark.parametrize("name", LISTS)
@SETTINGS
@given(data=st.data(), events=histories(exchanges=6, max_facts=14))
def test_every_field_sorts_every_list(name: str, data: st.DataObject, events: list[Event]) -> None:
    respond, request_of, row = LISTS[name]
    orders = st.lists(
        st.tuples(st.sampled_from(fields(row)), st.booleans()),
        max_size=3,
        unique_by=lambda term: term[0],
    )
    with query_runner(events) as runner:
        for terms in data.draw(st.lists(orders, min_size=4, max_size=4)):
            lens = data.draw(st.sampled_from(pb.Lens.values()))
            question = pb.Question(programme_id=PROGRAMME, lens=lens)
            whole = runner.list_rows(respond, request_of(question=question))
            request = request_of(
                question=question,
                order_by=" , ".join(f"{field}{' desc' * down}" for field, down in terms),
                page_size=data.draw(st.integers(1, 5)),
            )
            assert runner.list_rows(respond, request) == obviously_sorted(whole, terms)


def obviously_sorted(rows: Sequence[Any], terms: Sequence[tuple[str, bool]]) -> list[Any]:
    """Sorts by every term, the last one first; absent values come last."""
    ordered = list(rows)
    for field, descending in reversed(terms):
        is_optional = ordered[0].DESCRIPTOR.fields_by_name[field].has_presence if ordered else False
        present = [row for row in ordered if not is_optional or row.HasField(field)]
        absent = [row for row in ordered if is_optional and not row.HasField(field)]
        ordered = _by(present, field, descending=descending) + absent
    return ordered


def _by(rows: list[Any], field: str, *, descending: bool) -> list[Any]:
    def value(row: Any) -> Any:
        field_value = getattr(row, field)
        return (
            (field_value.year, field_value.month, field_value.day)
            if isinstance(field_value, Date)
            else field_value
        )

    values = sorted({value(row) for row in rows}, reverse=descending)
    return [row for each in values for row in rows if value(row) == each]


@pytest.mark.parametrize(
    ("order_by", "terms"),
    [
        ("", []),
        ("  ", []),
        ("net", [("net", False)]),
        (" net   desc ,giver_id", [("net", True), ("giver_id", False)]),
    ],
)
def test_order_by_is_parsed(order_by: str, terms: list[tuple[str, bool]]) -> None:
    assert list(parse_order(order_by, ["giver_id", "net"])) == terms


@pytest.mark.parametrize(
    ("order_by", "problem"),
    [
        ("gross", "'gross'; name fields"),
        ("net asc", "'net asc'; name fields"),
        ("net,", "''; name fields"),
        ("net descending", "giver_id, net"),
        ("net, net desc", "names net twice"),
    ],
)
def test_invalid_order_by_is_refused(order_by: str, problem: str) -> None:
    with pytest.raises(ImpossibleQuestionError, match=problem):
        parse_order(order_by, ["giver_id", "net"])


def test_page_continues_after_a_removed_row() -> None:
    order = RowOrder(
        pb.Pair.DESCRIPTOR, ("giver_id", "receiver_id"), lambda row: row
    ).with_order_by("net desc")
    rows = [
        pb.Pair(giver_id=each, receiver_id="z", net=net)
        for each, net in zip("abc", (3, 1, 2), strict=True)
    ]
    places = order.argsort(rows)
    assert [
        order.find_start(key, rows, places) for key in (None, [9, "x", "x"], [2, "b", "z"])
    ] == [
        0,
        0,
        1,
    ]
    assert order.find_start([2.0, "c", "z"], rows, places) == 2
    assert order.find_start([0, "a", "a"], rows, places) == 3
