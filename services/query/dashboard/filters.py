"""The question of a page with other filters."""

from __future__ import annotations

from typing import Any, cast

from mutua.v1.query_service_pb2 import Question


def with_filters(question: Question, **filters: Any) -> Question:
    """The same question with these fields instead; None clears a field."""
    other: Any = Question()
    other.CopyFrom(question)
    for name in filters:
        other.ClearField(name)
    other.MergeFrom(Question(**filters))
    return cast("Question", other)


def unfiltered(question: Question) -> Question:
    """The question for the whole programme."""
    return Question(programme_id=question.programme_id, identity=question.identity)
