"""Isolates have no exchange in the window; a filter does not make an isolate."""

from __future__ import annotations

import pytest

from mutua.v1.types_pb2 import EXCHANGE_KIND_MESSAGE
from services.ledger import reference_answers
from services.ledger.enums import Identity, Kind
from services.ledger.question import NONE_OF_THESE, NOTHING_SEEN, Question
from services.network import balances, network
from services.network.identity_view import IdentityView
from tests.ledger.folded_ledger import fold_events
from tests.network.column_history import advance_by_slabs
from tests.network.test_concentration import make_alias, make_registration
from tests.reports import report
from tests.strategies import PROGRAMME

EVENTS = [
    report(0, "alder", "birch"),
    report(1, "alder", "cedar", kind=EXCHANGE_KIND_MESSAGE),
    report(2, "damson", "Damson Trust"),
    make_alias(3, "Damson Trust", "damson"),
    *(
        make_registration(number, name)
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
def test_isolates_have_no_exchange_of_any_kind(
    kinds: tuple[Kind, ...], without: dict[str, str]
) -> None:
    """An organization with only internal or filtered exchanges is not an isolate."""
    question = Question(programme_id=PROGRAMME, kinds=kinds)
    *_, (columns, _) = advance_by_slabs(EVENTS, [])
    view, ledger = IdentityView(columns, Identity.AS_NOW), fold_events(EVENTS).ledger
    for rows in (
        balances.compute_balances(view, question).rows,
        reference_answers.compute_balances(ledger, question).rows,
        network.compute_network(view, question).nodes,
        reference_answers.compute_network(ledger, question).nodes,
    ):
        last_reasons = {row.organization_id: row.reasons[-1:] for row in rows}
        reasons = {name: words[0] for name, words in last_reasons.items() if words}
        assert {name: reasons[name] for name in without} == without
        assert [row.organization_id for row in rows if row.isolate] == ["elder"]
        assert {row.organization_id for row in rows if not row.exchange_count} == {*without}
