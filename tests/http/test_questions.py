"""Questions over HTTP: the JSON of commands, cached by position, with errors as problems."""

from typing import Any
from urllib.parse import urlencode

import grpc
import httpx
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from mutua import Client
from services.adapters.http.parameters import parse_request
from services.adapters.http.questions import name_route
from services.adapters.wire.json_form import to_dictionary
from services.app.bootstrap import EmbeddedServer
from services.query.service import SERVICES
from tests.http.conftest import ORIGIN, AskCommand
from tests.services.facts import exchange

RPCS = [rpc for service in SERVICES for rpc in service.methods if not rpc.server_streaming]
WINDOW = ("--from", "2021-06", "--to", "2023-Q1")
SAME = {
    "balances?lens=burden&from=2021-06&to=2023-Q1": ("balances", "--lens", "burden", *WINDOW),
    "balances?half_life_days=90&order_by=net%20desc": (
        "balances", "--half-life", "90", "--order-by", "net desc",
    ),
    "pairs?kind=call&kind=shared-configuration&formality=informal": (
        "pairs", "--kind", "call", "--kind", "shared-configuration", "--formality", "informal",
    ),
    "network?population=ACTIVE&as_of=2023-05-01": (
        "network", "--population", "active", "--as-of", "2023-05-01",
    ),
    "exchanges?giver_id=T-01&standing_only=true": ("exchanges", "--giver", "T-01", "--standing"),
    "organizations?organization=T-01&organization=T-02": (
        "organizations", "--organization", "T-01", "--organization", "T-02",
    ),
    "concentration?allocation=split": ("concentration", "--allocation", "split"),
    "reciprocity?seed=7": ("reciprocity", "--seed", "7"),
    "structure": ("structure",),
    "what-if?organization_id=T-01&by_topic=true": ("what-if", "T-01", "--by-topic"),
    "lift?attributes=region&where=sector%3Dacute": (
        "lift", "--by", "region", "--where", "sector=acute",
    ),
    "latency": ("latency",),
    "asymmetry": ("asymmetry",),
    "topic-asymmetry": ("asymmetry", "--by-topic"),
    "pairings": ("pairings",),
    "batches": ("import", "list"),
    "programme": ("programme", "show"),
    "quarantine": ("quarantine", "list"),
    "status": ("status",),
}  # fmt: skip
"""Requests, and the commands that ask the same."""


class TestAnswers:
    @pytest.mark.parametrize("request_line", SAME)
    def test_answer_is_the_json_of_the_command(
        self, http: httpx.Client, ask_command: AskCommand, request_line: str
    ) -> None:
        answer = http.get(f"/api/v1/{request_line}")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == ask_command(*SAME[request_line])

    @pytest.mark.parametrize("rpc", RPCS, ids=lambda rpc: str(rpc.name))
    def test_answer_has_every_field_of_grpc(
        self, server: EmbeddedServer, http: httpx.Client, rpc: MethodDescriptor
    ) -> None:
        exchange_id = http.get("/api/v1/exchanges?page_size=1").json()["exchanges"][0][
            "exchange_id"
        ]
        fields = {"organization_id": "T-01", "exchange_id": exchange_id, "page_size": 20}
        sent = {name: fields[name] for name in fields if name in rpc.input_type.fields_by_name}
        request = parse_request(urlencode(sent).encode(), rpc.input_type)
        with grpc.insecure_channel(server.address) as channel:
            ask: Any = channel.unary_unary(
                f"/{rpc.containing_service.full_name}/{rpc.name}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=GetMessageClass(rpc.output_type).FromString,
            )
            expected = to_dictionary(ask(request))
        if not expected.get("next_page_token"):
            expected.pop("next_page_token", None)
        answer = http.get(name_route(rpc), params=sent).json()
        answer.pop("filters", None)
        assert answer == expected

    def test_pages_are_joined_unless_one_is_asked_for(self, http: httpx.Client) -> None:
        whole = http.get("/api/v1/exchanges").json()
        assert "next_page_token" not in whole
        rows, token = [], ""
        while True:
            page = http.get(f"/api/v1/exchanges?page_size=200&page_token={token}").json()
            rows += page["exchanges"]
            if not (token := page.get("next_page_token", "")):
                break
        assert len(rows) > 400
        assert rows == whole["exchanges"]

    def test_another_programme_is_empty(self, http: httpx.Client) -> None:
        assert http.get("/api/v1/balances?programme=other").json()["balances"] == []


class TestCaching:
    def test_unchanged_answer_is_not_sent_again(self, http: httpx.Client) -> None:
        answer = http.get("/api/v1/pairs?lens=burden")
        tag = answer.headers["etag"]
        assert tag.startswith(f'"{answer.json()["position"]}-')
        for sent in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = http.get("/api/v1/pairs?lens=burden", headers={"If-None-Match": sent})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == tag
            assert again.headers["cache-control"] == "public, max-age=0, s-maxage=1"

    def test_tag_is_of_one_request_and_day(self, http: httpx.Client) -> None:
        lines = ("pairs", "pairs?lens=burden", "balances", "pairs?as_of=2023-01-01")
        tags = {http.get(f"/api/v1/{line}").headers["etag"] for line in lines}
        assert len(tags) == len(lines)

    def test_new_fact_makes_another_tag(self, server: EmbeddedServer, http: httpx.Client) -> None:
        before = http.get("/api/v1/balances?programme=moving")
        with Client(server.address, programme="moving") as client:
            position = client.record([exchange()])
        request_line = f"/api/v1/balances?programme=moving&min_position={position}"
        assert len(http.get(request_line).json()["balances"]) == 2
        tag = before.headers["etag"]
        after = http.get("/api/v1/balances?programme=moving", headers={"If-None-Match": tag})
        assert (after.status_code, len(after.json()["balances"])) == (200, 2)

    def test_head_has_the_tag_alone(self, http: httpx.Client) -> None:
        answer = http.head("/api/v1/pairs")
        assert answer.headers["etag"] == http.get("/api/v1/pairs").headers["etag"]
        assert answer.content == b""

    def test_answer_that_depends_on_more_has_no_tag(self, http: httpx.Client) -> None:
        answer = http.get("/api/v1/status", headers={"If-None-Match": "*"})
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert "etag" not in answer.headers


class TestProblems:
    @pytest.mark.parametrize(
        ("line", "status", "reason", "field", "words"),
        [
            ("balances?fro=2026", 400, "QUESTION_IMPOSSIBLE", "fro", "did you mean from?"),
            ("balances?kinds=call", 400, "QUESTION_IMPOSSIBLE", "kinds", "did you mean kind?"),
            ("balances?lens=weight", 400, "QUESTION_IMPOSSIBLE", "lens", "none of count, burden"),
            ("balances?lens=count&lens=burden", 400, "QUESTION_IMPOSSIBLE", "lens", "once"),
            ("balances?from=yesterday", 400, "QUESTION_IMPOSSIBLE", "from", "is not a date"),
            ("balances?half_life_days=1e3", 400, "QUESTION_IMPOSSIBLE", "half_life_days", "whole"),
            ("reciprocity?seed=-1", 400, "QUESTION_IMPOSSIBLE", "seed", "from 0 to 4294967295"),
            ("exchanges?standing_only=yes", 400, "QUESTION_IMPOSSIBLE", "standing_only", "true"),
            ("lift?where=region", 400, "QUESTION_IMPOSSIBLE", "where", "write region%3DNorth"),
            (
                "balances?from=2026-02-01&to=2026-01-01",
                400, "QUESTION_IMPOSSIBLE", "question.to_date", "after from_date",
            ),
            ("balances?known_at=2026-01-01", 501, "", "question.known_at", "not answered"),
            ("balances?report_view=confirmed", 501, "", "question.report_view", "not answered"),
            ("balances?page_token=x", 400, "PAGE_TOKEN_INVALID", "", "not made by mutua"),
            ("balances?min_position=x", 400, "POSITION_INVALID", "", "not one that mutua gave"),
            ("balance?organization_id=nobody", 404, "", "", "nobody"),
            ("balances?programme=%FF", 400, "QUESTION_IMPOSSIBLE", "", "not UTF-8"),
        ],
    )  # fmt: skip
    def test_bad_request_is_a_problem_with_field_and_remedy(
        self, http: httpx.Client, line: str, status: int, reason: str, field: str, words: str
    ) -> None:
        answer = http.get(f"/api/v1/{line}")
        problem = answer.json()
        assert (answer.status_code, problem["status"]) == (status, status)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["cache-control"] == "no-store"
        assert problem.get("reason", "") == reason
        assert [each["field"] for each in problem.get("field_violations", ())] == [field] * bool(
            field
        )
        assert words in problem["detail"]

    def test_unknown_path_and_method_are_problems(self, http: httpx.Client) -> None:
        assert http.get("/api/v1/nothing").json()["status"] == 404
        assert http.post("/api/v1/balances").json()["status"] == 405


class TestBrowsers:
    def test_every_response_restricts_its_page(self, http: httpx.Client) -> None:
        for path in ("/api/v1/balances", "/api/v1/nothing"):
            headers = http.get(path).headers
            assert headers["content-security-policy"].startswith("default-src 'self'; ")
            assert headers["x-content-type-options"] == "nosniff"

    @pytest.mark.parametrize(
        "host", ["localhost:1", "127.0.0.1", "[::1]:7421", "mutua.example.org"]
    )
    def test_own_names_are_answered(self, http: httpx.Client, host: str) -> None:
        assert http.get("/api/v1/status", headers={"Host": host}).status_code == 200

    @pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", ""])
    def test_a_name_that_resolves_to_this_machine_is_refused(
        self, http: httpx.Client, host: str
    ) -> None:
        answer = http.get("/api/v1/status", headers={"Host": host})
        assert (answer.status_code, answer.json()["reason"]) == (421, "NOT_ALLOWED")

    def test_only_pages_of_named_origins_may_read(self, http: httpx.Client) -> None:
        named = http.get("/api/v1/status", headers={"Origin": ORIGIN}).headers
        assert named["access-control-allow-origin"] == ORIGIN
        other = http.get("/api/v1/status", headers={"Origin": "https://evil.example"}).headers
        assert "access-control-allow-origin" not in other
        assert "Origin" in other["vary"]

    def test_preflight_of_named_origins_is_answered(self, http: httpx.Client) -> None:
        answer = http.options("/api/v1/events", headers={"Origin": ORIGIN})
        assert (answer.status_code, answer.headers["access-control-allow-methods"]) == (
            204,
            "GET, POST",
        )
