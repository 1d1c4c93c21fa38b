"""Isolates: whom nobody saw in the window, and whom only a filter leaves without exchanges."""

from __future__ import annotations

import pytest

from mutua.v1.types_pb2 import EXCHANGE_KIND_MESSAGE
from services.ledger import answers
from services.ledger.question import NONE_OF_THESE, NOTHING_SEEN, Question
from services.ledger.words import Identity, Kind
from services.network import balances, network
from services.network.frame import Frame
from tests.ledger.product import folded
from tests.network.columns import advancing
from tests.network.test_concentration import alias, registered
from tests.reports import report
from tests.strategies import PROGRAMME

EVENTS = [
    report(0, "alder", "birch"),
    report(1, "alder", "cedar", kind=EXCHANGE_KIND_MESSAGE),
    report(2, "damson", "Damson Trust"),
    alias(3, "Damson Trust", "damson"),
    *(
        registered(number, name)
        for number, name in enumerate(("alder", "birch", "cedar", "damson", "elder"), 4)
    ),
]


@pytest.mark.parametrize(
    ("kinds", "without"),
    [
        ((), {"damson": NONE_OF_THESE, "elder": NOTHING_SEEN}),
        ((Kind.CALL,), {"cedar": NONE_OF_THESE, "damson": NONE_OF_THESE, "elder": NOTHING_SEEN}),
    ],
)
def test_only_organizations_without_any_exchange_are_isolates(
    kinds: tuple[Kind, ...], without: dict[str, str]
) -> None:
    """Who has only an internal exchange, or others than the question asks for, is none."""
    question = Question(programme_id=PROGRAMME, kinds=kinds)
    *_, (columns, _) = advancing(EVENTS, [])
    frame, ledger = Frame(columns, Identity.AS_NOW), folded(EVENTS).ledger
    for rows in (
        balances.balances(frame, question).rows,
        answers.balances(ledger, question).rows,
        network.network(frame, question).nodes,
        answers.network(ledger, question).nodes,
    ):
        last_reasons = {row.organization_id: row.reasons[-1:] for row in rows}
        reasons = {name: found[0] for name, found in last_reasons.items() if found}
        assert {name: reasons[name] for name in without} == without
        assert [row.organization_id for row in rows if row.isolate] == ["elder"]
        assert {row.organization_id for row in rows if not row.exchange_count} == {*without}
