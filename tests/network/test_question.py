"""A resolved question has the answer of the original question."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mutua.v1 import query_service_pb2 as pb
from mutua.v1.event_pb2 import Event
from services.adapters.wire.question import from_question, to_question
from services.ledger.errors import ImpossibleQuestionError
from services.network.balances import compute_balances
from services.network.concentration import compute_concentration
from services.network.identity_view import IdentityView
from services.network.network import compute_network
from services.network.pairs import compute_pairs
from tests.network.column_history import advance_by_slabs
from tests.strategies import histories, questions

ANSWERS = (compute_balances, compute_pairs, compute_network, compute_concentration)


@settings(max_examples=60, deadline=None)
@given(histories(exchanges=6, max_facts=14), st.lists(questions(), min_size=1, max_size=5))
def test_resolved_question_has_same_answer(
    events: list[Event], messages: list[pb.Question]
) -> None:
    *_, (columns, _) = advance_by_slabs(events, [])
    for question in (to_question(each, today=7) for each in messages):
        view = IdentityView(columns, question.identity)
        answered = from_question(view.resolve_question(question))
        again = to_question(answered, today=9)
        assert again == view.resolve_question(question)
        assert view.resolve_question(again) == again
        for find in ANSWERS:
            try:
                expected = find(view, question)
            except ImpossibleQuestionError:
                continue
            answer = find(view, again)
            assert list(answer.rows) == list(expected.rows)
            assert (answer.coverage, answer.warnings) == (expected.coverage, expected.warnings)
        unspecified = [
            field.name
            for field in answered.DESCRIPTOR.fields
            if field.enum_type is not None
            and not field.is_repeated
            and getattr(answered, field.name) == 0
        ]
        assert unspecified == []
