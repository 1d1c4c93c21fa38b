"""`GET /api/v1/openapi.json`: the routes in the form of OpenAPI 3.1, made from the contract."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)
from google.protobuf.timestamp_pb2 import Timestamp
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from mutua.v1 import ingest_service_pb2 as ingest
from mutua.v1.types_pb2 import Date
from services.adapters.http.entity_tag import matches
from services.adapters.http.parameters import DEFAULT_PROGRAMME, Parameter, list_parameters
from services.adapters.http.problems import PROBLEM_TYPE
from services.adapters.http.proto_comments import read_comments
from services.adapters.http.questions import API, name_route
from services.adapters.http.recording import EVENTS_PATH
from services.adapters.wire.json_form import encode_line

Schema = dict[str, Any]
PATH: Final = f"{API}/openapi.json"
_PAGES: Final = Path(__file__).parent / "reference"
_RECORD: Final = ingest.DESCRIPTOR.services_by_name["IngestService"].methods_by_name["RecordEvents"]
_PROBLEM: Final = {"$ref": "#/components/responses/Problem"}
_PAGE_TOKEN: Final = "next_page_token"
_SCALARS: Final[dict[int, Schema]] = {
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.TYPE_INT64: {"type": "integer", "format": "int64"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_UINT32: {"type": "integer", "minimum": 0, "maximum": 2**32 - 1},
}
_TEXTS: Final[dict[Descriptor, Schema]] = {
    Date.DESCRIPTOR: {"type": "string", "format": "date"},
    Timestamp.DESCRIPTOR: {"type": "string", "format": "date-time"},
}
_DESCRIPTION: Final = (
    "What organizations give to and receive from each other. Every answer has the position at "
    "which it was computed, and its ETag begins with it: the same request with If-None-Match is "
    "304 while nothing changed. With min_position an answer waits until that position is reached. "
    "All pages of a list are joined unless page_size or page_token is given. Errors are problem "
    "details (RFC 9457) with the reason of the contract."
)


def make_document_routes(services: Sequence[ServiceDescriptor]) -> Iterator[BaseRoute]:
    """The document, made when somebody asks for it, and a page that shows it."""

    @cache
    def render() -> bytes:
        return encode_line(build_document(services)).encode()

    async def send_document(request: Request) -> Response:
        body = await asyncio.to_thread(render)
        tag = f'"{sha256(body).hexdigest()[:32]}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if matches(request.headers.get("if-none-match", ""), tag):
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type="application/json")

    yield Route(PATH, send_document, methods=["GET"], name="GetOpenApi")
    yield Mount("/api/reference", StaticFiles(directory=_PAGES, html=True), name="reference")


def build_document(services: Sequence[ServiceDescriptor]) -> Schema:
    """The document for the rpcs of these services, for recording, and for itself."""
    rpcs = [rpc for service in services for rpc in service.methods]
    schemas = _Schemas()
    paths = {name_route(rpc): {"get": _describe_question(rpc, schemas)} for rpc in rpcs}
    paths[EVENTS_PATH] = {"post": _describe_recording(schemas)}
    paths[PATH] = {"get": _describe_document()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "mutua", "version": version("mutua"), "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": service.name} for service in (*services, _RECORD.containing_service)],
        "paths": paths,
        "components": {
            "schemas": {"Problem": _PROBLEM_SCHEMA, **schemas.by_name},
            "responses": {"Problem": _PROBLEM_RESPONSE},
            "headers": {"ETag": {"schema": {"type": "string"}}},
            "parameters": _HEADER_PARAMETERS,
        },
    }


def _describe_question(rpc: MethodDescriptor, schemas: _Schemas) -> Schema:
    parameters = [_describe_parameter(each) for each in list_parameters(rpc.input_type).values()]
    operation: Schema = {
        **_describe_rpc(rpc),
        "parameters": [*parameters, *_list_headers(rpc)],
        "responses": {"default": _PROBLEM},
    }
    if rpc.server_streaming:
        operation["responses"]["200"] = {
            "description": "Events named snapshot, delta, reset or progress. Their data is the "
            "message, and their id the token to resume from.",
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "x-event-data": schemas.refer_to(rpc.output_type),
                }
            },
        }
        return operation
    operation["responses"] |= {
        "200": {
            "description": "The answer.",
            "headers": {"ETag": {"$ref": "#/components/headers/ETag"}},
            "content": {"application/json": {"schema": schemas.refer_to(rpc.output_type)}},
        },
        "304": {"description": "Nothing has changed since the answer with this ETag."},
    }
    return operation


def _describe_recording(schemas: _Schemas) -> Schema:
    return {
        **_describe_rpc(_RECORD),
        "parameters": [{"$ref": "#/components/parameters/Mutua-Organization"}],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": schemas.refer_to(_RECORD.input_type, is_sent=True)}
            },
        },
        "responses": {
            "200": {
                "description": "The facts are durable.",
                "content": {"application/json": {"schema": schemas.refer_to(_RECORD.output_type)}},
            },
            "default": _PROBLEM,
        },
    }


def _describe_document() -> Schema:
    return {
        "operationId": "GetOpenApi",
        "summary": "This document.",
        "tags": ["Description"],
        "responses": {
            "200": {
                "description": "The document.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            }
        },
    }


def _describe_rpc(rpc: MethodDescriptor) -> Schema:
    comment = read_comments()[f"{rpc.containing_service.name}.{rpc.name}"]
    summary, _, _ = comment.partition(". ")
    return {
        "operationId": rpc.name,
        "tags": [rpc.containing_service.name],
        "summary": summary.partition("\n")[0],
        "description": comment,
    }


def _describe_parameter(parameter: Parameter) -> Schema:
    field = parameter.field
    schema = dict(_describe_parameter_value(parameter))
    description = read_comments()[_name_field(field)]
    if parameter.name == "programme":
        schema["default"], description = DEFAULT_PROGRAMME, "The ledger asked."
    return {
        "name": parameter.name,
        "in": "query",
        "description": description,
        "schema": {"type": "array", "items": schema} if field.is_repeated else schema,
    }


def _describe_parameter_value(parameter: Parameter) -> Schema:
    field = parameter.field
    if field.enum_type is not None:
        return {"type": "string", "enum": parameter.words}
    if field.message_type is None:
        return _SCALARS[field.type]
    text = {"type": "string", "description": "An attribute and its value: region=North."}
    return _TEXTS.get(field.message_type, text)


def _list_headers(rpc: MethodDescriptor) -> Iterator[Schema]:
    yield {"$ref": "#/components/parameters/Mutua-Organization"}
    name = "Last-Event-ID" if rpc.server_streaming else "If-None-Match"
    yield {"$ref": f"#/components/parameters/{name}"}


class _Schemas:
    """The schemas of messages and enums, as far as they are referred to."""

    def __init__(self) -> None:
        self.by_name: dict[str, Schema] = {}

    def refer_to(self, message: Descriptor, *, is_sent: bool = False) -> Schema:
        """A reference to a message, of which a client may leave out fields if it sends it."""
        if message in _TEXTS:
            return _TEXTS[message]
        is_request = message.name.endswith("Request")
        name = f"{message.name}ToRecord" if is_sent and not is_request else message.name
        if name not in self.by_name:
            self.by_name[name] = {}  # a message may contain itself
            self.by_name[name] = self._describe(message, is_sent=is_sent)
        return {"$ref": f"#/components/schemas/{name}"}

    def _describe(self, message: Descriptor, *, is_sent: bool) -> Schema:
        schema: Schema = {
            "type": "object",
            "description": read_comments()[message.name],
            "properties": {
                field.name: self._describe_field(field, is_sent=is_sent) for field in message.fields
            },
        }
        if not is_sent:
            schema["required"] = [
                field.name
                for field in message.fields
                if not field.has_presence and field.name != _PAGE_TOKEN
            ]
        return schema

    def _describe_field(self, field: FieldDescriptor, *, is_sent: bool) -> Schema:
        if field.message_type is not None:
            schema = self.refer_to(field.message_type, is_sent=is_sent)
        elif field.enum_type is not None:
            schema = self._refer_to_enum(field.enum_type)
        else:
            schema = _SCALARS[field.type]
        if field.is_repeated:
            schema = {"type": "array", "items": schema}
        return {**schema, "description": read_comments()[_name_field(field)]}

    def _refer_to_enum(self, enum: EnumDescriptor) -> Schema:
        comments = read_comments()
        values = [f"{each.name}: {comments[f'{enum.name}.{each.name}']}" for each in enum.values]
        self.by_name[enum.name] = {
            "type": "string",
            "enum": [each.name for each in enum.values],
            "description": "\n\n".join((comments[enum.name], *values)),
        }
        return {"$ref": f"#/components/schemas/{enum.name}"}


def _name_field(field: FieldDescriptor) -> str:
    assert field.containing_type is not None, "no field of the contract is an extension"
    return f"{field.containing_type.name}.{field.name}"


_PROBLEM_SCHEMA: Final[Schema] = {
    "type": "object",
    "description": "What went wrong, and what to do (RFC 9457).",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What went wrong, in words."},
        "code": {"type": "string", "description": "The code of gRPC, such as INVALID_ARGUMENT."},
        "reason": {"type": "string", "description": "A reason of the contract."},
        "remedy": {"type": "string", "description": "What to do, in words."},
        "field_violations": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"type": "string", "description": "A parameter, or a field's path."},
                    "description": {"type": "string"},
                },
                "required": ["field", "description"],
            },
        },
        "request_id": {"type": "string", "description": "Id of the request in the server's log."},
    },
    "required": ["type", "title", "status", "detail", "code"],
}
_PROBLEM_RESPONSE: Final[Schema] = {
    "description": "What went wrong, and what to do.",
    "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def _header(name: str, description: str) -> Schema:
    return {
        "name": name,
        "in": "header",
        "description": description,
        "schema": {"type": "string"},
    }


_HEADER_PARAMETERS: Final = {
    header["name"]: header
    for header in (
        _header("Mutua-Organization", "The organization that asks or records, percent-encoded."),
        _header("If-None-Match", "The ETag of the answer that the client has."),
        _header("Last-Event-ID", "The id of the last event, to resume; browsers send it."),
    )
}
