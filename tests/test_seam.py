"""Every rpc and filter is in every register that `services/README.md` lists."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, cast

import click
import pytest
from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor

from mutua import AsyncClient, Client
from mutua.async_watch import AsyncWatches
from mutua.v1 import analysis_service_pb2 as analysis_pb
from mutua.v1 import query_service_pb2 as pb
from mutua.watch import Watches
from mutua.watched_rows import WATCHED_ROWS
from services.adapters.wire.question import to_question
from services.cli import question_options
from services.cli.watch import watch
from services.cli.watch_sentences import DESCRIBE
from services.ledger.errors import UnimplementedError
from services.ledger.ports import ReadableLog
from services.ledger.question import Question
from services.query.position_tracker import PositionTracker
from services.query.questions import register_questions
from services.query.watch.register import SERVICE, WATCHES

ROOT = Path(__file__).parent.parent
RPCS = [
    *pb.DESCRIPTOR.services_by_name["QueryService"].methods,
    *analysis_pb.DESCRIPTOR.services_by_name["AnalysisService"].methods,
]
FILTERS = [each for each in pb.Question.DESCRIPTOR.fields if each.name != "programme_id"]


def name(subject: Any) -> str:
    return str(subject.name)


@pytest.mark.parametrize("rpc", RPCS, ids=name)
def test_rpc_is_in_every_layer(rpc: MethodDescriptor) -> None:
    log, positions = cast("ReadableLog", None), cast("PositionTracker", None)
    assert rpc.name in register_questions(log=log, positions=positions, model_version=1)
    method = _method(rpc)
    for client in (Client, AsyncClient):
        assert hasattr(client, method), f"{client.__name__} lacks {method}"
    commands = "".join(path.read_text() for path in ROOT.glob("services/cli/*.py"))
    lists = method.replace("get_", "list_") + "s"
    assert f".{method}" in commands or f".{lists}" in commands, f"no command asks {method}"


@pytest.mark.parametrize("rpc", list(SERVICE.methods), ids=name)
def test_watch_is_in_every_layer(rpc: MethodDescriptor) -> None:
    assert rpc.name in WATCHES
    for watched in WATCHED_ROWS[rpc.name]:
        fields = rpc.output_type.fields_by_name
        assert fields[watched.field].message_type is watched.row_type.DESCRIPTOR
        assert watched.removed_field in fields or not watched.key_fields
        assert watched.row_type in DESCRIBE, f"no sentence for {watched.row_type}"
    method = _method(rpc).removeprefix("watch_")
    blocking, awaited = getattr(Watches, method), getattr(AsyncWatches, method)
    assert blocking.__doc__ == awaited.__doc__ != None  # noqa: E711
    assert inspect.signature(blocking).parameters == inspect.signature(awaited).parameters
    assert method in watch.commands


@pytest.mark.parametrize("rpc", RPCS, ids=name)
def test_both_clients_have_every_field_of_a_request(rpc: MethodDescriptor) -> None:
    """As help() and editors show them, with the words that explain them."""
    method = _method(rpc)
    blocking, awaited = getattr(Client, method), getattr(AsyncClient, method)
    fields = {field.name for field in rpc.input_type.fields} - {"programme_id", "page_token"}
    if "question" in fields:
        fields |= {each.name for each in FILTERS}
    if method in ("get_network", "get_graph"):  # they join their pages
        fields -= {"page_size"}
    if method == "get_exchange":  # joins its revisions
        fields -= {"before_event_id"}
    parameters = inspect.signature(blocking).parameters
    assert set(parameters) == {"self", *fields}
    assert parameters == inspect.signature(awaited).parameters
    assert blocking.__doc__ == awaited.__doc__ != None  # noqa: E711


@pytest.mark.parametrize("field", FILTERS, ids=name)
def test_filter_has_an_option_or_is_refused(field: FieldDescriptor) -> None:
    options: list[click.Option] = getattr(
        question_options.takes_question(lambda *_: None), "__click_params__", []
    )
    filtered, plain = pb.Question(programme_id="gde"), pb.Question(programme_id="gde")
    text_format.Merge(f"{field.name}: {_value(field)}", filtered)
    if field.name in {option.name for option in options}:  # options are named as their fields
        refused_fields = _list_refused_fields(filtered)
        assert refused_fields in (
            [],
            [field.name],
        )  # an enum may have unimplemented values
        assert refused_fields or _read_question(filtered) != _read_question(plain)
    else:
        assert _list_refused_fields(filtered) == [field.name]


def _method(rpc: MethodDescriptor) -> str:
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in rpc.name)[1:]


def _read_question(question: pb.Question) -> Question:
    return to_question(question, today=0)


def _list_refused_fields(question: pb.Question) -> list[str]:
    """The fields that are declared but not implemented."""
    try:
        _read_question(question)
    except UnimplementedError as error:
        return [each.field.removeprefix("question.") for each in error.violations]
    return []


def _value(field: FieldDescriptor) -> str:
    """A value in text format that is not the default."""
    if field.enum_type is not None:
        return str(field.enum_type.values[2].name)
    if field.cpp_type == FieldDescriptor.CPPTYPE_INT32:
        return "7"
    if field.message_type is None:
        return '"a"'
    fields = field.message_type.fields_by_name
    return "{year: 2026, month: 1, day: 1}" if "year" in fields else "{}"
