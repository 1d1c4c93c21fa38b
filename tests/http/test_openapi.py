"""The OpenAPI document is valid, has every route, and describes what routes answer."""

from typing import Any, cast

import httpx
import pytest
from google.protobuf.descriptor import MethodDescriptor
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from services.adapters.http.openapi import PATH, make_document_routes
from services.adapters.http.problems import PROBLEM_TYPE
from services.adapters.http.questions import make_question_routes, name_route
from services.adapters.http.recording import make_recording_route, refuse_to_record
from services.adapters.http.watches import make_watch_routes
from services.adapters.telemetry.metrics import NO_OP_METER
from services.query.service import SERVICES
from tests.http.test_questions import RPCS


@pytest.fixture(scope="module")
def document(http: httpx.Client) -> Any:
    answer = http.get(PATH)
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


class TestDocument:
    def test_is_valid(self, document: Any) -> None:
        OpenAPIV31SpecValidator(document).validate()

    def test_has_every_route_and_no_other(self, document: Any) -> None:
        rpcs = cast("Any", None)
        routes = [
            *make_question_routes(SERVICES, rpcs, NO_OP_METER),
            *make_watch_routes(SERVICES, rpcs, NO_OP_METER),
            make_recording_route(refuse_to_record, NO_OP_METER),
            *make_document_routes(SERVICES),
        ]
        served = {
            route.path: {each.lower() for each in route.methods or ()} - {"head"}
            for route in routes
            if isinstance(route, Route)
        }
        assert {path: {*methods} for path, methods in document["paths"].items()} == served

    def test_everything_is_described(self, document: Any) -> None:
        for methods in document["paths"].values():
            for operation in methods.values():
                assert operation["summary"]
                for parameter in operation.get("parameters", ()):
                    assert parameter.get("$ref") or parameter["description"]
        for schema in document["components"]["schemas"].values():
            for part in schema.get("properties", {}).values():
                assert schema["description"]
                assert part.get("description") or part["type"] in ("string", "integer", "array")

    def test_parameters_are_those_of_a_request(self, document: Any) -> None:
        [balances] = document["paths"]["/api/v1/balances"].values()
        parameters = {each["name"]: each for each in balances["parameters"] if "name" in each}
        assert parameters["programme"]["schema"]["default"] == "default"
        assert parameters["from"]["schema"] == {"type": "string", "format": "date"}
        assert parameters["from"]["description"].startswith("First UTC day of the window.")
        assert parameters["lens"]["schema"]["enum"] == ["count", "burden", "attention", "benefit"]
        assert parameters["kind"]["schema"]["type"] == "array"

    def test_unchanged_document_is_not_sent_again(self, http: httpx.Client) -> None:
        tag = http.get(PATH).headers["etag"]
        assert http.get(PATH, headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("rpc", RPCS, ids=lambda rpc: str(rpc.name))
def test_answers_are_as_described(http: httpx.Client, document: Any, rpc: MethodDescriptor) -> None:
    exchange = http.get("/api/v1/exchanges?page_size=1").json()["exchanges"][0]
    sent = {"organization_id": "T-01", "exchange_id": exchange["exchange_id"]}
    sent = {name: sent[name] for name in sent if name in rpc.input_type.fields_by_name}
    answer = http.get(name_route(rpc), params=sent)
    responses = document["paths"][name_route(rpc)]["get"]["responses"]
    [content] = responses["200"]["content"].values()
    validate(document, content["schema"], answer.json())


def test_problems_are_as_described(http: httpx.Client, document: Any) -> None:
    problem = http.get("/api/v1/balances?lens=weight&kind=x").json()
    content = document["components"]["responses"]["Problem"]["content"][PROBLEM_TYPE]
    validate(document, content["schema"], problem)


def validate(document: Any, schema: Any, value: Any) -> None:
    """Also refuses members that are not described, except the filters of a question."""
    components = {
        "schemas": {
            name: {**each, "unevaluatedProperties": False} if each["type"] == "object" else each
            for name, each in document["components"]["schemas"].items()
        }
    }
    value.pop("filters", None)
    Draft202012Validator({**schema, "components": components}).validate(value)
