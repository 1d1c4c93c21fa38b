"""QueryService through gRPC: answers, refusals and their reasons."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from datetime import date as day_to_date
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from mutua import Client, MutuaError
from mutua.ids import uuid7
from mutua.v1 import query_service_pb2 as pb
from mutua.v1 import types_pb2 as types
from mutua.v1.query_service_pb2_grpc import QueryServiceStub
from services.adapters.sql_store.tables import MODEL_VERSION
from tests.services import facts
from tests.services.facts import exchange
from tests.services.query_runner import get_rows

INVALID = grpc.StatusCode.INVALID_ARGUMENT
IMPOSSIBLE = (INVALID, "QUESTION_IMPOSSIBLE")
NOT_BUILT = (grpc.StatusCode.UNIMPLEMENTED, "")
LISTS = ["ListBalances", "ListPairs", "GetNetwork", "ListExchanges", "ListOrganizations"]
Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def ring_programme(address: str) -> Iterator[tuple[Client, str]]:
    """A fixed programme: 9 organizations in a ring, 4 registered, one without exchanges."""
    with Client(address, programme=f"ring-{uuid4().hex}", organization="o1") as client:
        events = [exchange(f"o{n}", f"o{(n + 1) % 9}", minutes=n, batch="ring") for n in range(9)]
        events += [
            facts.registration(each, name=each.upper()) for each in ("o1", "o2", "o3", "silent")
        ]
        events += [facts.alias("old o1", "o1"), exchange("old o1", "o5", on="2025-01-01T00:00:00Z")]
        events += [facts.joint_exchange("o1", "o2"), retracted := exchange("o7", "gone")]
        events += [facts.retraction(retracted)]
        yield client, client.record(events)


@pytest.fixture
def ask(ring_programme: tuple[Client, str]) -> Ask:
    """Sends a request about the programme. Raises MutuaError."""
    client, position = ring_programme

    def ask(method: str, question: dict[str, Any] | None = None, **fields: Any) -> Any:
        request_of = getattr(pb, f"{method}Request")
        fields.setdefault("min_position", position)
        if method != "GetStatus":
            fields["question"] = pb.Question(
                **{"programme_id": client.programme} | (question or {})
            )
        return client._query.call(lambda link: getattr(link.query, method), request_of(**fields))

    return ask


def date(text: str) -> types.Date:
    year, month, day = map(int, text.split("-"))
    return types.Date(year=year, month=month, day=day)


def refusal(ask: Callable[[], Any]) -> MutuaError:
    with pytest.raises(MutuaError) as raised:
        ask()
    return raised.value


@pytest.mark.parametrize(
    ("population", "others"),
    [
        (pb.POPULATION_UNSPECIFIED, {"o2", "o3", "silent"}),
        (pb.POPULATION_ROSTER, {"o2", "o3", "silent"}),
        (pb.POPULATION_ACTIVE, set()),
        (pb.POPULATION_SEEN, {f"o{n}" for n in range(9)}),
    ],
)
@pytest.mark.parametrize("method", ["ListBalances", "GetNetwork", "ListOrganizations"])
def test_population_selects_rows(
    ask: Ask, method: str, population: pb.Population.ValueType, others: set[str]
) -> None:
    in_2025 = {"to_date": date("2026-01-01"), "population": population}
    answer = ask(method, in_2025)
    rows = answer.nodes if method == "GetNetwork" else getattr(answer, method[4:].lower())
    assert {row.organization_id for row in rows} == others | {"o1", "o5"}


def test_empty_programme_has_empty_answers(client: Client) -> None:
    assert list(client.list_balances()) == []
    assert list(client.list_pairs()) == []
    assert list(client.list_exchanges()) == []
    assert list(client.list_organizations()) == []
    status = client.get_status()
    assert (status.fact_count, status.exchange_count, status.organization_count) == (0, 0, 0)
    assert status.coverage == pb.Coverage()
    assert refusal(lambda: client.get_balance("A")).code is grpc.StatusCode.NOT_FOUND


def test_read_at_position_of_write_reflects_it(client: Client) -> None:
    for count in range(1, 6):
        position = client.record([exchange()])
        assert client.get_balance("A", min_position=position).balance.given == count
        assert client.list_balances(min_position=position).position == position


@pytest.mark.parametrize("method", [*LISTS, "GetBalance", "GetStatus"])
class TestEveryRead:
    @staticmethod
    def fields(method: str, client: Client) -> dict[str, Any]:
        fields_by_method = {"GetBalance": {"organization_id": "o1"}}
        fields_by_method["GetStatus"] = {"programme_id": client.programme}
        return dict(fields_by_method.get(method, {}))

    def test_states_position_and_date(
        self, ask: Ask, ring_programme: tuple[Client, str], method: str
    ) -> None:
        client, position = ring_programme
        before = datetime.now(UTC).date()
        answer = ask(method, **self.fields(method, client))
        assert int(answer.position.rpartition(".")[2]) >= int(position.rpartition(".")[2])
        today = answer.as_of_date
        assert before <= day_to_date(today.year, today.month, today.day)
        assert answer.coverage.exchange_count == 11

    def test_stops_waiting_for_position_at_deadline(
        self, address: str, ring_programme: tuple[Client, str], method: str
    ) -> None:
        ring_client, position = ring_programme
        log, partition, offset = position.split(".")
        ahead = f"{log}.{partition}.{int(offset) + 10**9}"
        with Client(address, ring_client.programme, deadline_seconds=0.5) as client:
            fields = self.fields(method, client)
            if method != "GetStatus":
                fields["question"] = pb.Question(programme_id=client.programme)
            request = getattr(pb, f"{method}Request")(min_position=ahead, **fields)
            error = refusal(
                lambda: client._query.call(lambda link: getattr(link.query, method), request)
            )
        assert error.code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert error.reason == "POSITION_NOT_REACHED"

    @pytest.mark.parametrize(
        ("min_position", "code", "reason"),
        [
            ("x", INVALID, "POSITION_INVALID"),
            ("a.0.1", INVALID, "POSITION_INVALID"),
            (f"{'0' * 32}.0.-1", INVALID, "POSITION_INVALID"),
            (f"{'0' * 32}.0.{'9' * 30}", INVALID, "POSITION_INVALID"),
            (f"{'0' * 32}.0.1", grpc.StatusCode.FAILED_PRECONDITION, "POSITION_OF_ANOTHER_LOG"),
        ],
    )
    def test_refuses_position_of_another_log(
        self,
        ask: Ask,
        ring_programme: tuple[Client, str],
        method: str,
        min_position: str,
        code: grpc.StatusCode,
        reason: str,
    ) -> None:
        fields = self.fields(method, ring_programme[0])
        error = refusal(lambda: ask(method, min_position=min_position, **fields))
        assert (error.code, error.reason) == (code, reason)


@pytest.mark.parametrize("method", LISTS)
class TestEveryList:
    @pytest.mark.parametrize("page_size", [1, 2, 3, 7, 11, 1_000, 10_001])
    def test_joined_pages_equal_one_page(self, ask: Ask, method: str, page_size: int) -> None:
        whole = ask(method)
        assert whole.next_page_token == ""
        rows, token = [], ""
        while True:
            page = ask(method, page_size=page_size, page_token=token)
            assert len(get_rows(page)) <= page_size
            assert page.coverage == whole.coverage
            rows += get_rows(page)
            if not (token := page.next_page_token):
                break
            assert get_rows(page), "a page with a next one is not empty"
        assert rows == get_rows(whole)
        assert len(rows) > 7

    def test_negative_page_size_is_refused(self, ask: Ask, method: str) -> None:
        error = refusal(lambda: ask(method, page_size=-1))
        assert (error.code, error.reason) == IMPOSSIBLE
        assert error.field_violations[0].field == "page_size"

    def test_token_of_another_question_is_refused(self, ask: Ask, method: str) -> None:
        token = ask(method, page_size=1).next_page_token
        error = refusal(lambda: ask(method, {"from_date": date("2026-01-01")}, page_token=token))
        assert (error.code, error.reason) == (INVALID, "PAGE_TOKEN_INVALID")
        ask(method, page_size=5, page_token=token)

    def test_token_of_another_list_is_refused(self, ask: Ask, method: str) -> None:
        other = LISTS[LISTS.index(method) - 1]
        token = ask(other, page_size=1).next_page_token
        error = refusal(lambda: ask(method, page_token=token))
        assert error.reason == "PAGE_TOKEN_INVALID"

    @pytest.mark.parametrize(
        "token",
        [
            "x",
            "\u00e9",
            "=" * 10,
            "AAAA",
            urlsafe_b64encode(b"[1, 2]").decode(),
            urlsafe_b64encode(b"12").decode(),
            urlsafe_b64encode(b'"abc"').decode(),
            urlsafe_b64encode(b'{"a": 1, "b": 2, "c": 3}').decode(),
            urlsafe_b64encode(b"[NaN, {}, []]").decode(),
            urlsafe_b64encode(json.dumps(["", "", ""]).encode()).decode(),
            urlsafe_b64encode(b"[" * 100_000).decode(),
            "A" * 1_000_000,
        ],
        ids=lambda token: token[:12],
    )
    def test_forged_token_is_refused(self, ask: Ask, method: str, token: str) -> None:
        error = refusal(lambda: ask(method, page_token=token))
        assert (error.code, error.reason) == (INVALID, "PAGE_TOKEN_INVALID")

    @pytest.mark.parametrize(
        "order_by", ["nope", "organization_id asc", "giver_id desc desc", ",", "NET", "x" * 10_000]
    )
    def test_unknown_order_lists_sortable_fields(
        self, ask: Ask, method: str, order_by: str
    ) -> None:
        error = refusal(lambda: ask(method, order_by=order_by))
        assert (error.code, error.reason) == IMPOSSIBLE
        (violation,) = error.field_violations
        assert violation.field == "order_by"
        sortable_fields = dict(
            zip(LISTS, ("net", "net", "weight", "record_time", "sector"), strict=True)
        )
        assert sortable_fields[method] in violation.description

    @pytest.mark.parametrize(
        "question",
        [
            {"identity": pb.IDENTITY_AS_WAS},
            {"report_view": pb.REPORT_VIEW_CONFIRMED},
            {"where": [pb.AttributeFilter(attribute="region", value="Y55")]},
            {"known_at": Timestamp(seconds=1)},
            {"basis": pb.BASIS_RECORDED},
        ],
        ids=lambda question: next(iter(question)),
    )
    def test_unimplemented_filter_is_refused(
        self, ask: Ask, method: str, question: dict[str, Any]
    ) -> None:
        error = refusal(lambda: ask(method, question))
        assert (error.code, error.reason) == NOT_BUILT
        assert error.field_violations[0].field == f"question.{next(iter(question))}"

    @pytest.mark.parametrize(
        ("question", "field"),
        [
            ({"programme_id": ""}, "programme_id"),
            ({"programme_id": "UPPER"}, "programme_id"),
            ({"lens": 99}, "lens"),
            ({"allocation": 99}, "allocation"),
            ({"identity": 99}, "identity"),
            ({"from_date": date("2026-02-30")}, "from_date"),
            ({"to_date": types.Date()}, "to_date"),
            ({"from_date": date("2026-01-02"), "to_date": date("2026-01-02")}, "to_date"),
            ({"from_date": date("2026-01-03"), "to_date": date("2026-01-02")}, "to_date"),
            ({"organization_ids": [""]}, "organization_ids[0]"),
            ({"organization_ids": ["a\x07b"]}, "organization_ids[0]"),
            ({"organization_ids": ["x" * 129]}, "organization_ids[0]"),
            ({"as_of_date": date("0-1-1")}, "as_of_date"),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_impossible_question_names_field(
        self, ask: Ask, method: str, question: dict[str, Any], field: str
    ) -> None:
        error = refusal(lambda: ask(method, question))
        assert (error.code, error.reason) == IMPOSSIBLE
        assert [each.field for each in error.field_violations] == [f"question.{field}"]

    @pytest.mark.parametrize(
        "question",
        [
            {"from_date": date("1-1-1")},
            {"to_date": date("9999-12-31")},
            {"from_date": date("1-1-1"), "to_date": date("9999-12-31")},
            {"as_of_date": date("9999-12-31")},
        ],
        ids=["from the first day", "to the last", "both", "as of the last"],
    )
    def test_widest_window_has_every_exchange(
        self, ask: Ask, method: str, question: dict[str, Any]
    ) -> None:
        assert get_rows(ask(method, question)) == get_rows(ask(method))

    def test_organization_filter_selects_rows_without_changing_numbers(
        self, ask: Ask, method: str
    ) -> None:
        whole, filtered = ask(method), ask(method, {"organization_ids": [" o1 ", "o7"]})
        assert filtered.coverage == whole.coverage
        expected = [row for row in get_rows(whole) if {"o1", "o7"} & set(parties_of(row))]
        assert get_rows(filtered) == expected

    def test_alias_selects_its_organization(self, ask: Ask, method: str) -> None:
        filtered = ask(method, {"organization_ids": ["old o1"]})
        assert get_rows(filtered) == get_rows(ask(method, {"organization_ids": ["o1"]}))

    def test_more_ids_than_one_sql_statement_are_answered(self, ask: Ask, method: str) -> None:
        many = {"organization_ids": [f"x{number}" for number in range(100_000)] + ["o1"]}
        assert get_rows(ask(method, many)) == get_rows(ask(method, {"organization_ids": ["o1"]}))


def parties_of(row: Any) -> list[str]:
    """The organizations of a row, with aliases resolved."""
    match row:
        case pb.Pair() | pb.Edge():
            return [row.giver_id, row.receiver_id]
        case pb.Exchange():
            content = next(
                each.content for each in reversed(row.revisions) if each.HasField("content")
            )
            named = [*content.giver_ids, *content.receiver_ids, *content.party_ids]
            return ["o1" if each == "old o1" else each for each in named]
        case _:
            return [str(row.organization_id)]


def test_more_exchange_ids_than_a_page_are_refused(ask: Ask) -> None:
    many = [f"x{number}" for number in range(10_001)]
    error = refusal(lambda: ask("ListExchanges", exchange_ids=many))
    assert (error.code, error.reason) == IMPOSSIBLE
    assert get_rows(ask("ListExchanges", exchange_ids=many[1:])) == []


@pytest.mark.parametrize(
    ("method", "question"),
    [
        ("ListBalances", {"allocation": pb.ALLOCATION_FULL}),
        ("GetBalance", {"allocation": pb.ALLOCATION_FULL}),
        ("ListPairs", {"allocation": pb.ALLOCATION_ONCE}),
        ("GetNetwork", {"allocation": pb.ALLOCATION_ONCE}),
    ],
)
def test_allocation_unsupported_by_question_is_impossible(
    ask: Ask, method: str, question: dict[str, Any]
) -> None:
    fields = {"organization_id": "o1"} if method == "GetBalance" else {}
    error = refusal(lambda: ask(method, question, **fields))
    assert (error.code, error.reason) == IMPOSSIBLE
    assert "ask for split" in error.message


WINDOW = {"from_date": date("2026-03-01"), "to_date": date("2026-04-01")}


@pytest.mark.parametrize(
    ("question", "coverage"),
    [
        # roster, recorded, exchanges, unknown minutes, joint, straddling, internal, doubles
        ({}, (4, 1, 11, 1, 1, 0, 0, 0)),
        (WINDOW, (4, 1, 10, 0, 1, 0, 0, 0)),
        ({"to_date": date("2026-01-01")}, (4, 1, 1, 1, 0, 0, 0, 0)),
        ({"lens": pb.LENS_ATTENTION}, (4, 1, 11, 10, 1, 0, 0, 0)),
        ({"from_date": date("2030-01-01")}, (4, 0, 0, 0, 0, 0, 0, 0)),
    ],
)
def test_every_answer_has_coverage(
    ask: Ask, question: dict[str, Any], coverage: tuple[int, ...]
) -> None:
    for method in LISTS:
        coverage_message = ask(method, question).coverage
        counts = tuple(
            getattr(coverage_message, field.name) for field in coverage_message.DESCRIPTOR.fields
        )
        assert counts[: len(coverage)] == coverage


@pytest.mark.parametrize("method", ["GetBalance", "GetConcentration", *LISTS])
def test_every_answer_states_its_resolved_question(ask: Ask, method: str) -> None:
    fields = {"organization_id": "old o1"} if method == "GetBalance" else {}
    answered = ask(method, {**WINDOW, "organization_ids": ["old o1"], "kinds": [3]}, **fields)
    is_roster = method == "ListOrganizations"
    assert answered.question == pb.Question(
        programme_id=answered.question.programme_id,
        lens=pb.LENS_COUNT,
        allocation=pb.ALLOCATION_SPLIT,
        kinds=[types.EXCHANGE_KIND_CALL],
        organization_ids=["o1"],
        identity=pb.IDENTITY_AS_NOW,
        report_view=pb.REPORT_VIEW_UNION,
        population=pb.POPULATION_UNSPECIFIED if is_roster else pb.POPULATION_ROSTER,
        basis=pb.BASIS_REPORTED,
        as_of_date=answered.as_of_date,
        from_date=WINDOW["from_date"],
        to_date=WINDOW["to_date"],
    )
    filters = {"identity": pb.IDENTITY_RECORDED, "population": pb.POPULATION_SEEN}
    answered = ask(method, {**filters, "organization_ids": ["old o1"]}, **fields)
    assert answered.question.organization_ids == ["old o1"]
    assert answered.question.population == pb.POPULATION_SEEN


@pytest.mark.parametrize(
    ("organization_id", "question", "numbers"),
    [
        # given, received, joint
        ("o1", {}, (2, 1, 1)),
        ("old o1", {}, (2, 1, 1)),
        ("o1", {"identity": pb.IDENTITY_RECORDED}, (1, 1, 1)),
        ("old o1", {"identity": pb.IDENTITY_RECORDED}, (1, 0, 0)),
        ("silent", {}, (0, 0, 0)),
        pytest.param("o7", {"organization_ids": ["o1"]}, (1, 1, 0), id="a filter on another"),
        pytest.param("o1", {"organization_ids": ["o7"]}, (2, 1, 1), id="on another, registered"),
        pytest.param("o7", {"to_date": date("2026-01-01")}, (0, 0, 0), id="seen, not in window"),
    ],
)
def test_balance_of_organization(
    ask: Ask, organization_id: str, question: dict[str, Any], numbers: tuple[int, ...]
) -> None:
    balance = ask("GetBalance", question, organization_id=organization_id).balance
    assert (balance.given, balance.received, balance.joint_count) == numbers


@pytest.mark.parametrize("organization_id", ["nobody", "", "gone\x07", "x" * 100_000])
def test_unknown_organization_is_not_found(
    channel: grpc.Channel, ring_programme: tuple[Client, str], organization_id: str
) -> None:
    """A long id must not exceed the default limits of the channel in the error."""
    request = pb.GetBalanceRequest(
        question=pb.Question(programme_id=ring_programme[0].programme),
        organization_id=organization_id,
    )
    with pytest.raises(grpc.RpcError) as raised:
        QueryServiceStub(channel).GetBalance(request)
    assert raised.value.code() in (grpc.StatusCode.NOT_FOUND, INVALID), raised.value.details()


def test_retracted_exchange_is_listed_as_retracted(client: Client) -> None:
    event = exchange(batch="Z\u00fcrich")
    correction, retraction = facts.correction(event, event.event_id), facts.retraction(event)
    position = client.record([event, correction, retraction])
    (listed_exchange,) = client.list_exchanges(min_position=position)
    assert listed_exchange.state == pb.EXCHANGE_STATE_RETRACTED
    assert [each.event_id for each in listed_exchange.revisions] == [
        event.event_id,
        correction.event_id,
        retraction.event_id,
    ]
    assert listed_exchange.revisions[2].reason.plain == "recorded twice"
    assert not listed_exchange.revisions[2].HasField("content")
    assert client.get_status().exchange_count == 0
    for batch in ("Z\u00fcrich", "Zu\u0308rich", " Z\u00fcrich "):
        assert len(list(client.list_exchanges(batch=batch))) == 1, batch
    assert list(client.list_exchanges(batch="other")) == []
    assert len(list(client.list_exchanges(exchange_ids=[event.event_id.upper(), uuid7()]))) == 1


def test_status_counts_facts_and_exchanges(ask: Ask, ring_programme: tuple[Client, str]) -> None:
    status = ask("GetStatus", programme_id=ring_programme[0].programme)
    assert (status.fact_count, status.exchange_count) == (18, 11)
    assert status.organization_count == 10
    assert (status.waiting_count, status.quarantine_count, status.lag_count) == (0, 0, 0)
    assert status.projection_position == status.position == status.log_position
    assert status.model_version == MODEL_VERSION
    assert list(status.held) == []


def test_status_requires_valid_programme(ask: Ask) -> None:
    error = refusal(lambda: ask("GetStatus", programme_id="not a programme"))
    assert (error.code, error.reason) == IMPOSSIBLE


@pytest.mark.parametrize(
    "service",
    [
        "",
        "mutua.v1.AnalysisService",
        "mutua.v1.IngestService",
        "mutua.v1.QueryService",
        "mutua.v1.WatchService",
    ],
)
def test_health_is_serving(channel: grpc.Channel, service: str) -> None:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    answer = stub.Check(health_pb2.HealthCheckRequest(service=service))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_lists_the_services(channel: grpc.Channel) -> None:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    (answer,) = stub.ServerReflectionInfo(iter([request]))
    assert {each.name for each in answer.list_services_response.service} == {
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
        "mutua.v1.IngestService",
        "mutua.v1.AnalysisService",
        "mutua.v1.QueryService",
        "mutua.v1.WatchService",
    }


@pytest.mark.parametrize("method", ["/mutua.v1.QueryService/Nope", "/nobody.Service/Nope"])
def test_unknown_method_is_unimplemented(channel: grpc.Channel, method: str) -> None:
    call: Any = channel.unary_unary(method)
    with pytest.raises(grpc.RpcError) as raised:
        call(b"")
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
