"""What was added is known everywhere it has to be; `services/README.md` says where that is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor

from mutua import AsyncClient, Client
from mutua.v1 import query_service_pb2 as pb
from mutua.v1.query_service_pb2_grpc import QueryServiceServicer
from services.adapters.wire.question import to_question
from services.cli import asking
from services.ledger.errors import NotBuilt
from services.ledger.question import Question
from services.query.service import QueryService

ROOT = Path(__file__).parent.parent
RPCS = list(pb.DESCRIPTOR.services_by_name["QueryService"].methods)
FILTERS = [each for each in pb.Question.DESCRIPTOR.fields if each.name != "programme_id"]


def name(subject: Any) -> str:
    return str(subject.name)


@pytest.mark.parametrize("rpc", RPCS, ids=name)
def test_a_question_can_be_asked_and_is_answered(rpc: MethodDescriptor) -> None:
    assert getattr(QueryService, rpc.name) is not getattr(QueryServiceServicer, rpc.name)
    method = "".join(f"_{each.lower()}" if each.isupper() else each for each in rpc.name)[1:]
    for client in (Client, AsyncClient):
        assert hasattr(client, method), f"{client.__name__} lacks {method}"
    commands = "".join(path.read_text() for path in ROOT.glob("services/cli/*.py"))
    lists = method.replace("get_", "list_") + "s"
    assert f".{method}" in commands or f".{lists}" in commands, f"no command asks {method}"


@pytest.mark.parametrize("field", FILTERS, ids=name)
def test_a_filter_can_be_typed_and_is_answered_or_refused(field: FieldDescriptor) -> None:
    options: list[click.Option] = getattr(asking.asks(lambda *_: None), "__click_params__", [])
    assert field.name in {option.name for option in options}, "options are named as their fields"
    asked, plain = pb.Question(programme_id="gde"), pb.Question(programme_id="gde")
    text_format.Merge(f"{field.name}: {_value(field)}", asked)
    assert _refused(asked) == [field.name] or _read(asked) != _read(plain)


def _read(question: pb.Question) -> Question:
    return to_question(question, today=0)


def _refused(question: pb.Question) -> list[str]:
    """The fields that are declared and not answered yet."""
    try:
        _read(question)
    except NotBuilt as refused:
        return [each.field.removeprefix("question.") for each in refused.violations]
    return []


def _value(field: FieldDescriptor) -> str:
    """As text, one that is not what is meant where there is none."""
    if field.enum_type is not None:
        return str(field.enum_type.values[2].name)
    if field.message_type is None:
        return '"a"'
    fields = field.message_type.fields_by_name
    return "{year: 2026, month: 1, day: 1}" if "year" in fields else "{}"
