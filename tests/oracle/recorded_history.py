"""Recorded histories with their expected answers: tests/histories/*.json, written by hand.

A history is never regenerated. When one no longer holds, either the code is wrong or a rule was
changed by decision; then the history is changed by hand, with the decision.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2 import Question

FOLDER = Path(__file__).parent.parent / "histories"
LATER_FIELDS = {
    "given_unknown_count",
    "received_unknown_count",
    "reasons",
    "isolate",
    "straddling_counted_count",
    "straddling_month_count",
    "straddling_quarter_count",
    "internal_count",
    "possible_double_count",
    "p_value",
    "q_value",
    "interval_low",
    "interval_high",
    "informants",
}
"""Fields that are newer than the first histories, which do not have them."""


@dataclass(frozen=True, slots=True)
class ExpectedAnswer:
    """Rows as JSON of the contract; None if the history has no expectation."""

    question: Question
    balances: list[dict[str, Any]] | None
    pairs: list[dict[str, Any]] | None
    network: dict[str, list[dict[str, Any]]] | None
    coverage: dict[str, int] | None
    warnings: list[str] | None


@dataclass(frozen=True, slots=True)
class RecordedHistory:
    """Events in log order with record_time and recorded_by; one outcome an event, as it is at the
    end of the log; exchanges by id, each {"state": ..., "revisions": [event ids]}; what there was
    nothing to report of: organization, month, who said so; what the programme is configured to."""

    name: str
    why: str
    events: list[Event]
    outcomes: list[str]
    exchanges: dict[str, dict[str, Any]]
    nothing_to_report: list[tuple[str, str, str]]
    topic_labels: dict[str, str]
    working_day_minutes: int | None
    answers: list[ExpectedAnswer]

    def __str__(self) -> str:
        return self.name


def load_histories() -> list[RecordedHistory]:
    """All histories by name."""
    return [_history(json.loads(path.read_text("utf-8"))) for path in sorted(FOLDER.glob("*.json"))]


def list_expected_answers(histories: list[RecordedHistory]) -> list[Any]:
    """Every history with each of its expected answers, as parameters of a test."""
    return [
        pytest.param(history, answer, id=f"{history}-{number}")
        for history in histories
        for number, answer in enumerate(history.answers)
    ]


def remove_later_fields(
    rows: list[dict[str, Any]], expected: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The rows without those later fields that no expected row mentions."""
    silent = LATER_FIELDS - {name for row in expected for name in row}
    return [{name: row[name] for name in row if name not in silent} for row in rows]


def assert_rows(rows: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert remove_later_fields(rows, expected) == expected


def assert_graph(
    graph: dict[str, list[dict[str, Any]]], expected: dict[str, list[dict[str, Any]]]
) -> None:
    assert_rows(graph["edges"], expected["edges"])
    assert_rows(graph["nodes"], expected["nodes"])


def _history(data: dict[str, Any]) -> RecordedHistory:
    expect = data["expect"]
    return RecordedHistory(
        name=data["name"],
        why=data["why"],
        events=[ParseDict(event, Event()) for event in data["events"]],
        outcomes=expect["outcomes"],
        exchanges=expect["exchanges"],
        nothing_to_report=[tuple(report) for report in expect.get("nothing_to_report", [])],
        topic_labels=expect.get("topic_labels", {}),
        working_day_minutes=expect.get("working_day_minutes"),
        answers=[_answer(answer) for answer in expect["questions"]],
    )


def _answer(data: dict[str, Any]) -> ExpectedAnswer:
    return ExpectedAnswer(
        question=ParseDict(data["question"], Question()),
        balances=data.get("balances"),
        pairs=data.get("pairs"),
        network=data.get("network"),
        coverage=data.get("coverage"),
        warnings=data.get("warnings"),
    )
