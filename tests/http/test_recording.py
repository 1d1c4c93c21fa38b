"""Recording over HTTP: facts as JSON, refused with field and remedy, never by another web site."""

import json
from typing import Any

import anyio
import httpx
import pytest
from google.protobuf.json_format import MessageToDict

from mutua import Client
from mutua.v1.event_pb2 import Event
from mutua.v1.types_pb2 import Date
from services.adapters.grpc.ingest_forwarder import IngestForwarder
from services.adapters.http.application import build_application
from services.adapters.http.recording import (
    MAX_BODY_BYTES,
    RecordEvents,
    make_recording_route,
    refuse_to_record,
)
from services.adapters.telemetry.metrics import NO_OP_METER
from services.adapters.wire.json_dates import with_text_dates
from services.app.bootstrap import EmbeddedServer
from tests.http.conftest import ORIGIN
from tests.ports import allocate_port
from tests.services.facts import exchange, registration

PATH = "/api/v1/events"


def to_body(*events: Event) -> dict[str, Any]:
    documents = [MessageToDict(event, preserving_proto_field_name=True) for event in events]
    return {"events": [with_text_dates(each, Event.DESCRIPTOR) for each in documents]}


class TestRecording:
    def test_facts_are_in_answers_at_the_position(self, http: httpx.Client) -> None:
        organization = registration("A-1")
        organization.programme_id = "posted"
        day = Date(year=2026, month=1, day=2)
        organization.organization_registered.organization.open_date.CopyFrom(day)
        facts = to_body(organization, exchange("A-1", "B", programme="posted"))
        content = facts["events"][0]["organization_registered"]["organization"]
        assert content["open_date"] == "2026-01-02"
        answer = http.post(PATH, json=facts, headers={"Mutua-Organization": "Kr%C3%A4nkenhaus"})
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        params = {"programme": "posted", "min_position": answer.json()["position"]}
        [recorded] = http.get("/api/v1/exchanges", params=params).json()["exchanges"]
        assert recorded["revisions"][0]["recorded_by"] == "Kränkenhaus"
        rows = http.get("/api/v1/organizations", params=params).json()["organizations"]
        assert rows[0]["open_date"] == "2026-01-02"

    def test_repeated_request_counts_once(self, server: EmbeddedServer, http: httpx.Client) -> None:
        body = to_body(exchange(programme="twice"))
        positions = [http.post(PATH, json=body).json()["position"] for _ in range(2)]
        with Client(server.address, programme="twice") as client:
            status = client.get_status(min_position=positions[1])
        assert (status.exchange_count, status.quarantine_count) == (1, 0)


class TestRefusals:
    @pytest.mark.parametrize(
        ("body", "status", "reason", "words"),
        [
            ("", 400, "INVALID_FACT", "the body is not JSON"),
            ("giver=A", 400, "INVALID_FACT", "the body is not JSON"),
            ("[" * 100_000, 400, "INVALID_FACT", "the body is not JSON"),
            ("[]", 400, "INVALID_FACT", "no object"),
            ("{}", 400, "INVALID_FACT", "no events"),
            ('{"events": 1}', 400, "INVALID_FACT", "events"),
            ('{"events": [{"kind": "call"}]}', 400, "INVALID_FACT", 'no field named "kind"'),
            ('{"events": [{"event_id": "x"}]}', 400, "INVALID_FACT", "events[0].fact is missing"),
            ("x" * (MAX_BODY_BYTES + 1), 413, "REQUEST_TOO_LARGE", "send at most"),
            (json.dumps({"events": [{}] * 1001}), 413, "REQUEST_TOO_LARGE", "1,001 events"),
            (
                json.dumps({"events": [{"event_id": "x" * 1_100_000}]}),
                413, "REQUEST_TOO_LARGE", "send at most 1,048,576",
            ),
        ],
        ids=lambda value: str(value)[:30],
    )  # fmt: skip
    def test_wrong_body_is_refused_with_a_remedy(
        self, http: httpx.Client, body: str, status: int, reason: str, words: str
    ) -> None:
        answer = http.post(PATH, content=body, headers={"Content-Type": "application/json"})
        problem = answer.json()
        assert (answer.status_code, problem["reason"]) == (status, reason)
        assert words in problem["detail"]
        assert problem["request_id"]

    def test_invalid_field_is_named_by_its_path(self, http: httpx.Client) -> None:
        problem = http.post(PATH, json=to_body(exchange(programme="p", giver=""))).json()
        [violation] = problem["field_violations"]
        assert violation["field"] == "events[0].exchange_recorded.exchange.giver_ids[0]"

    def test_body_of_unknown_length_is_limited_too(self, http: httpx.Client) -> None:
        parts = (b"x" * 65_536 for _ in range(MAX_BODY_BYTES // 65_536 + 1))
        answer = http.post(PATH, content=parts, headers={"Content-Type": "application/json"})
        assert answer.json()["reason"] == "REQUEST_TOO_LARGE"

    def test_form_is_refused(self, http: httpx.Client) -> None:
        answer = http.post(PATH, data={"events": "[]"})
        assert (answer.status_code, "application/json" in answer.json()["remedy"]) == (415, True)

    @pytest.mark.parametrize(
        ("origin", "status"),
        [("https://evil.example", 403), ("null", 403), (ORIGIN, 200), ("", 200)],
    )
    def test_other_web_sites_record_nothing(
        self, server: EmbeddedServer, http: httpx.Client, origin: str, status: int
    ) -> None:
        headers = {"Origin": origin or f"http://{server.http_address}"}
        answer = http.post(PATH, json=to_body(exchange(programme="p")), headers=headers)
        assert answer.status_code == status
        assert answer.json().get("reason", "") == ("NOT_ALLOWED" if status == 403 else "")


async def post(record: RecordEvents, body: object, organization: str = "") -> httpx.Response:
    """What a process answers that records in this way."""
    transport = httpx.ASGITransport(build_application([make_recording_route(record, NO_OP_METER)]))
    headers = {"Mutua-Organization": organization}
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.post(PATH, json=body, headers=headers)


async def post_through(address: str, body: object, organization: str = "") -> httpx.Response:
    """What a process answers that passes facts on to ingest at an address."""
    forwarder = IngestForwarder(address)
    answer = await post(forwarder.record, body, organization)
    await forwarder.close()
    return answer


class TestForwarding:
    def test_facts_are_recorded_for_the_caller(
        self, server: EmbeddedServer, http: httpx.Client
    ) -> None:
        fact = exchange(programme="forwarded")
        answer = anyio.run(post_through, server.address, to_body(fact), "Kr%C3%A4nkenhaus")
        params = {"programme": "forwarded", "min_position": answer.json()["position"]}
        [recorded] = http.get("/api/v1/exchanges", params=params).json()["exchanges"]
        assert recorded["revisions"][0]["recorded_by"] == "Kränkenhaus"

    def test_refusals_of_ingest_are_passed_back(self, server: EmbeddedServer) -> None:
        answer = anyio.run(post_through, server.address, to_body(exchange(giver="")))
        problem = answer.json()
        assert (problem["status"], problem["reason"]) == (400, "INVALID_FACT")
        assert problem["field_violations"]

    def test_silent_ingest_leaves_the_outcome_unknown(self) -> None:
        answer = anyio.run(post_through, f"127.0.0.1:{allocate_port()}", to_body(exchange()))
        assert (answer.status_code, answer.json()["reason"]) == (503, "OUTCOME_UNKNOWN")
        assert answer.headers["retry-after"] == "1"

    def test_process_without_ingest_says_so(self) -> None:
        answer = anyio.run(post, refuse_to_record, to_body(exchange()))
        assert answer.status_code == 501
        assert "MUTUA_INGEST_SERVER" in answer.json()["remedy"]
