"""Answers as people and programs read them."""

import csv
import io
import json
import re
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict

from mutua.v1 import query_service_pb2 as query
from mutua.v1.query_service_pb2 import (
    Balance,
    Coverage,
    Edge,
    Exchange,
    Node,
    Pair,
    QuarantinedRecord,
    Question,
)
from mutua.v1.types_pb2 import EXCHANGE_KIND_CALL, EXCHANGE_KIND_VISIT, FORMALITY_FORMAL, Date
from services.cli.messages import coverage_lines, describe_balance, warning_lines
from services.cli.output import to_dictionary, to_json
from tests.cli.conftest import RunCommand
from tests.cli.fake_programme import FakeProgrammeServer, make_balances
from tests.client.scripted_server import ScriptedFailure

COMMANDS = ("balances", "pairs", "network", "concentration", "exchanges", "organizations")
BALANCE_FIELDS = [
    "organization_id", "given", "received", "net", "net_share", "exchange_count",
    "given_unknown_count", "received_unknown_count", "joint_count", "reasons", "isolate",
]  # fmt: skip


class TestBalances:
    def test_table_has_names_and_descriptions(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        programme.balances = make_balances(
            [("T-01", 1200, 3), ("T-02", 3, 4), ("T-03", 1, 1), ("T-04", 0, 0), ("1e5", 0, 9)]
        )
        result = ask("balances")
        header, _, *rows = result.out.splitlines()[:7]
        assert header.split("  ")[0] == "id"
        assert [(row.split()[0], row.split("  ")[-1].strip()) for row in rows] == [
            ("T-01", "gives more"),
            ("T-02", "about even"),
            ("T-03", "too few"),
            ("T-04", "nothing seen"),
            ("1e5", "receives more"),
        ]
        assert rows[0].split("  ")[1] == "Millbury General Hospital"
        assert "1,200" in rows[0]
        assert "3 of 4 organizations on the roster recorded something in this window" in result.out
        assert "Neither side is better" in result.out
        assert (result.code, result.err) == (0, "")

    @pytest.mark.parametrize(
        ("balance", "warnings", "words"),
        [
            (Balance(), [], "nothing seen"),
            (Balance(reasons=["TOO_FEW_EXCHANGES", "NONE_OF_THESE"]), [], "none of these"),
            (
                Balance(net=1, exchange_count=9, reasons=["MANY_UNKNOWN"]),
                [],
                "many minutes unknown",
            ),
            (Balance(net=0, net_share=0.2, exchange_count=5), [], "about even"),
            (Balance(net=0, net_share=-0.2, exchange_count=5), [], "about even"),
            (Balance(net=1, net_share=0.21, exchange_count=9), [], "gives more"),
            (Balance(net=1, net_share=-0.21, exchange_count=9), [], "receives more"),
            (Balance(net=1, exchange_count=4), [], "too few"),
            (Balance(net=1, exchange_count=9, joint_count=5), [], "too few"),
            (Balance(net=0, exchange_count=9), [], "no known amount"),
            (Balance(exchange_count=9), [], ""),
            (Balance(net=1, net_share=0.9, exchange_count=9), ["MANY_UNKNOWN"], ""),
            (Balance(net=1, exchange_count=2), ["MANY_UNKNOWN"], ""),
        ],
    )
    def test_description_follows_share_and_reasons(
        self, balance: Balance, warnings: list[str], words: str
    ) -> None:
        assert describe_balance(balance, warnings) == words


class TestForms:
    def test_json_is_one_object_with_names_of_contract(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        programme.balances = [
            *make_balances([("T-01", 4, 2)]),
            Balance(organization_id="T-02", exchange_count=2),
        ]
        programme.warnings = ["MANY_UNKNOWN"]
        result = ask("balances", "--format", "json")
        names = ["balances", "question", "position", "as_of_date", "coverage", "warnings"]
        assert list(result.answer) == names
        full, bare = result.answer["balances"]
        assert list(full) == BALANCE_FIELDS
        assert full["net_share"] == pytest.approx(1 / 3)
        assert bare == {
            "organization_id": "T-02",
            "exchange_count": 2,
            "given_unknown_count": 0,
            "received_unknown_count": 0,
            "joint_count": 0,
            "reasons": [],
            "isolate": False,
        }
        assert result.answer["coverage"] == dict.fromkeys(Coverage.DESCRIPTOR.fields_by_name, 0) | {
            "roster_count": 4,
            "recorded_count": 3,
            "exchange_count": 9,
        }
        assert result.answer["as_of_date"] == "2026-05-01"
        assert (result.answer["position"], result.answer["warnings"]) == ("p0", ["MANY_UNKNOWN"])
        assert result.err == ""

    def test_json_exchange_has_names_of_contract(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        ask("log", "--from", "T-01", "--to", "T-02", "--kind", "call", "--on", "2026-03-14")
        [exchange] = ask("exchanges", "--format", "json").answer["exchanges"]
        assert exchange["state"] == "EXCHANGE_STATE_RECORDED"
        [revision] = exchange["revisions"]
        assert revision["occur_time"] == "2026-03-14T00:00:00Z"
        assert revision["content"]["kind"] == "EXCHANGE_KIND_CALL"
        assert "giver_minutes" not in revision["content"]
        assert "call" in ask("exchanges").out

    def test_csv_has_names_of_contract_and_a_header(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        empty = ask("balances", "--format", "csv")
        assert (
            empty.out
            == ",".join(["organization_id", "organization_name", *BALANCE_FIELDS[1:]]) + "\n"
        )
        rows = list(csv.DictReader(io.StringIO(ask("organizations", "--format", "csv").out)))
        assert rows[2]["aliases"] == "Eastmere;The General"
        assert (rows[2]["registered"], rows[2]["open_date"]) == ("true", "")
        question, coverage = empty.err.splitlines()
        assert question == "Question: lens count; all time; identity as-now."
        assert coverage.startswith("3 of 4 organizations")

    def test_dates_are_text(self, ask: RunCommand, programme: FakeProgrammeServer) -> None:
        programme.organizations[0].open_date.CopyFrom(Date(year=1948, month=7, day=5))
        programme.organizations[0].last_exchange_date.CopyFrom(Date(year=2026, month=3, day=14))
        answer = ask("organizations", "--format", "json").answer
        first, second, *_ = answer["organizations"]
        assert (first["open_date"], first["last_exchange_date"]) == ("1948-07-05", "2026-03-14")
        assert "open_date" not in second
        assert ask("status", "--format", "json").answer["as_of_date"] == "2026-05-01"
        [row, *_] = csv.DictReader(io.StringIO(ask("organizations", "--format", "csv").out))
        assert (row["open_date"], row["last_exchange_date"]) == ("1948-07-05", "2026-03-14")
        assert "2026-03-14" in ask("organizations").out

    def test_json_equals_that_of_protobuf(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        """It is made several times as fast, and has 64-bit integers as numbers."""
        ask(
            "log",
            "--from",
            "T-01",
            "--to",
            "T-02",
            "--kind",
            "call",
            "--minutes",
            "5",
            "--note",
            "é",
        )
        [exchange] = programme.exchanges.values()
        balance = Balance(organization_id="é", given=0.1, exchange_count=2**62, reasons=["a"])
        record = QuarantinedRecord(offset=3, record=b"\x00\xff")
        record.event.exchange_recorded.exchange.kind = EXCHANGE_KIND_CALL
        messages = (exchange, Exchange(state=99), balance, record, Coverage(), Edge(weight=1e-9))  # type: ignore[arg-type]
        for message in messages:
            expected = MessageToDict(
                message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
            )
            dictionary = to_dictionary(message)
            assert _with_quoted_numbers(dictionary) == _with_quoted_numbers(expected)
            assert list(dictionary) == [
                each.name for each in message.DESCRIPTOR.fields if each.name in dictionary
            ]
            assert json.loads(to_json({"rows": [dictionary], "one": dictionary})) == {
                "rows": [dictionary],
                "one": dictionary,
            }


class TestLimit:
    def test_cut_rows_are_reported(self, ask: RunCommand, programme: FakeProgrammeServer) -> None:
        programme.balances = make_balances([(f"T-{number:02}", 1, 1) for number in range(30)])
        for form in ("table", "json", "csv"):
            result = ask("balances", "--limit", 2, "--format", form)
            assert "T-01" in result.out
            assert "T-02" not in result.out
            assert "The first 2 balances; there are more" in (
                result.out if form == "table" else result.err
            )
        whole = ask("balances", "--limit", 30).out
        assert (whole.count("T-"), "there are more" in whole) == (30, False)
        assert ask("balances", "--limit", 0).out.count("T-") == 30

    def test_pages_beyond_the_limit_are_not_requested(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        programme.balances = make_balances([("T-01", 1, 1), ("T-02", 1, 1)])
        programme.has_more_balances = True
        for limit, pages in ((1, 1), (2, 2), (0, 2)):
            programme.questions.clear()
            ask("balances", "--limit", limit, "--format", "json")
            assert len(programme.questions) == pages

    def test_exchange_beyond_the_limit_is_not_reported_missing(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        for giver in ("T-01", "T-02"):
            ask("log", "--from", giver, "--to", "T-03", "--kind", "call")
        ids = [word for exchange_id in programme.exchanges for word in ("--id", exchange_id)]
        assert ask("exchanges", *ids, "--limit", 1).err == ""


class TestNetwork:
    def test_table_has_ties_and_isolates(
        self, ask: RunCommand, network: FakeProgrammeServer
    ) -> None:
        text = ask("network", "--lens", "burden").out
        header, _, first, second = text.splitlines()[:4]
        assert header.split("  ")[0].strip() == "from"
        assert re.split(r"  +", first) == [
            "Millbury General Hospital (T-01)", "Thornwick Teaching Hospitals (T-02)",
            "90", "2", "1",
        ]  # fmt: skip
        assert second.startswith("Eastmere District Hospital (T-03)")
        assert "Nothing seen of 1 organization: Brackenford University Hospitals (T-04)." in text
        assert "1 organization has none of these exchanges: T-05." in text
        assert "minutes" not in ask("network").out.splitlines()[0].replace("minutes unknown", "")
        nodes = ask("network", "--nodes").out
        for organization_id, words in (("T-04", "nothing seen"), ("T-05", "none of these")):
            [line] = [line for line in nodes.splitlines() if line.startswith(organization_id)]
            assert line.endswith(words)

    def test_json_and_csv_have_nodes_and_edges(
        self, ask: RunCommand, network: FakeProgrammeServer
    ) -> None:
        answer = ask("network", "--format", "json").answer
        assert list(answer)[:3] == ["nodes", "edges", "question"]
        assert [each["organization_id"] for each in answer["nodes"]] == ["T-01", "T-04", "T-05"]
        assert answer["edges"][1] == {
            "giver_id": "T-03",
            "receiver_id": "T-01",
            "weight": 30.5,
            "exchange_count": 1,
            "unknown_count": 0,
        }
        edges = list(csv.DictReader(io.StringIO(ask("network", "--format", "csv").out)))
        nodes = list(csv.DictReader(io.StringIO(ask("network", "--nodes", "--format", "csv").out)))
        assert [each["weight"] for each in edges] == ["90.0", "30.5"]
        assert [(each["organization_id"], each["isolate"]) for each in nodes] == [
            ("T-01", "false"),
            ("T-04", "true"),
            ("T-05", "false"),
        ]

    def test_order_of_nodes_is_refused(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        result = ask("network", "--nodes", "--order-by", "weight desc")
        assert (result.code, result.out, programme.questions) == (2, "", [])
        assert "mutua balances --order-by" in " ".join(result.err.split())


class TestFilters:
    @pytest.mark.parametrize("command", COMMANDS)
    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (("--lens", "burden"), {"lens": query.LENS_BURDEN}),
            (("--lens", "ATTENTION"), {"lens": query.LENS_ATTENTION}),
            (("--allocation", "once"), {"allocation": query.ALLOCATION_ONCE}),
            (("--from", "2026-01-15"), {"from_date": Date(year=2026, month=1, day=15)}),
            (("--to", "2026-Q3"), {"to_date": Date(year=2026, month=7, day=1)}),
            (
                ("--kind", "call", "--kind", "visit"),
                {"kinds": [EXCHANGE_KIND_CALL, EXCHANGE_KIND_VISIT]},
            ),
            (("--formality", "formal"), {"formalities": [FORMALITY_FORMAL]}),
            (("--topic", "a", "--topic", "b"), {"topics": ["a", "b"]}),
            (("--organization", "millbury"), {"organization_ids": ["T-01"]}),
            (
                ("--organization", "T-01", "--identity", "recorded"),
                {"organization_ids": ["T-01"], "identity": query.IDENTITY_RECORDED},
            ),
            (("--population", "seen"), {"population": query.POPULATION_SEEN}),
            (("--as-of", "2026-05-01"), {"as_of_date": Date(year=2026, month=5, day=1)}),
        ],
    )
    def test_every_filter_reaches_the_server(
        self,
        ask: RunCommand,
        programme: FakeProgrammeServer,
        command: str,
        words: tuple[str, ...],
        expected: dict[str, Any],
    ) -> None:
        assert ask(command, *words, "--format", "json").code == 0
        assert programme.questions[-1] == Question(programme_id="default", **expected)

    @pytest.mark.parametrize("command", COMMANDS)
    def test_help_omits_unimplemented_filters(self, run: RunCommand, command: str) -> None:
        text = run(command, "--help").out
        for option in ("--report-view", "--where", "--known-at", "--basis", "as-was"):
            assert option not in text

    @pytest.mark.parametrize("command", COMMANDS)
    def test_unimplemented_answer_is_reported(
        self, ask: RunCommand, programme: FakeProgrammeServer, command: str
    ) -> None:
        programme.failure = ScriptedFailure(code=grpc.StatusCode.UNIMPLEMENTED)
        result = ask(command, "--lens", "count", "--format", "json")
        assert (result.code, result.out) == (1, "")
        assert '"code": "UNIMPLEMENTED"' in result.err

    def test_unknown_organization_is_refused_with_near_misses(self, ask: RunCommand) -> None:
        result = ask("balances", "--organization", "Thornwik", "--format", "json")
        assert "no organization is called 'Thornwik'; did you mean Thornwick Teaching" in result.err


class TestCoverage:
    def test_lines_have_every_count(self) -> None:
        assert coverage_lines(
            Coverage(
                roster_count=36,
                recorded_count=29,
                exchange_count=1560,
                unknown_minutes_count=41,
                joint_count=12,
                straddling_count=1,
                straddling_counted_count=1,
            )
        ) == [
            (
                "29 of 36 organizations on the roster recorded something in this window; "
                "41 of 1,548 directed exchanges have no minutes."
            ),
            "12 exchanges of all parties together: a contact, but neither given nor received.",
            (
                "1 exchange is known only to a month or quarter that lies partly outside "
                "the window: it is counted here."
            ),
        ]
        [line] = coverage_lines(Coverage(exchange_count=2, unknown_minutes_count=1))
        assert line.startswith("No organization is on the roster")
        assert line.endswith("; 1 of 2 directed exchanges has no minutes.")
        line, _ = coverage_lines(Coverage(exchange_count=2, joint_count=2))
        assert line.endswith("; no directed exchange was found.")

    @pytest.mark.parametrize(
        ("count", "subject", "verb"),
        [(1, "1 exchange is internal", "is"), (2, "2 exchanges are internal", "are")],
    )
    def test_internal_exchanges_have_a_line(self, count: int, subject: str, verb: str) -> None:
        line, sentence = coverage_lines(Coverage(exchange_count=9, internal_count=count))
        assert f"0 of {9 - count} directed exchanges have no minutes." in line
        assert sentence == (
            f"{subject} to one organization once its aliases are resolved, "
            f"and {verb} left out of every number."
        )

    def test_unknown_warning_is_its_own_line(self) -> None:
        assert warning_lines(["SOMETHING_NEW"]) == ["SOMETHING_NEW"]


class TestPairs:
    def test_table_has_both_directions(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        programme.pairs = [
            Pair(
                giver_id="T-01",
                receiver_id="T-02",
                given=1234.5,
                received=10,
                net=1224.5,
                given_count=7,
                received_count=1,
                given_days=1,
                received_days=2,
                direction_differs=True,
            )
        ]
        text = ask("pairs", "--lens", "burden").out
        assert "A to B, minutes" in text
        row = next(line for line in text.splitlines() if line.startswith("Millbury"))
        assert "1,234" in row
        assert row.endswith("days point the other way")
        assert "p_value" not in to_dictionary(programme.pairs[0])
        assert "exchanges" not in ask("pairs").out.splitlines()[0]

    def test_unknown_minutes_have_a_column(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        programme.pairs = [
            Pair(
                giver_id="T-01", receiver_id="T-02", given_unknown_count=3, reasons=["MANY_UNKNOWN"]
            )
        ]
        header, _, row, *_ = ask("pairs", "--lens", "burden").out.splitlines()
        assert "A to B, minutes unknown" in header
        assert "B to A, minutes unknown" not in header
        assert row.endswith("many minutes unknown")


@pytest.fixture
def network(programme: FakeProgrammeServer) -> FakeProgrammeServer:
    """Two ties, an isolate, and an organization that is named by other exchanges only."""
    programme.edges = [
        Edge(giver_id="T-01", receiver_id="T-02", weight=90, exchange_count=2, unknown_count=1),
        Edge(giver_id="T-03", receiver_id="T-01", weight=30.5, exchange_count=1),
    ]
    programme.nodes = [
        Node(organization_id="T-01", given=90, received=30.5, exchange_count=3),
        Node(organization_id="T-04", given=0, received=0, isolate=True, reasons=["NOTHING_SEEN"]),
        Node(organization_id="T-05", given=0, received=0, reasons=["NONE_OF_THESE"]),
    ]
    return programme


class TestExchanges:
    def test_evidence_of_a_tie_is_selected_by_names(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        result = ask("exchanges", "--giver", "Thornwick", "--receiver", "millbury", "--standing")
        assert result.code == 0
        request = programme.requests_for_exchanges[-1]
        assert (request.giver_id, request.receiver_id, request.standing_only) == (
            "T-02",
            "T-01",
            True,
        )
        assert "no organization is called 'Nobody'" in ask("exchanges", "--giver", "Nobody").err
        ask("exchanges", "--giver", "T-02", "--identity", "recorded")
        assert programme.requests_for_exchanges[-1].giver_id == "T-02"

    def test_exchange_by_id_has_every_revision(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        ask("--as", "T-01", "log", "--from", "T-01", "--to", "T-02", "--kind", "call")
        [exchange_id] = programme.exchanges
        ask("correct", exchange_id, "--kind", "visit", "--note", "In person.")
        ask("retract", exchange_id, "--reason", "twice")
        short = ask("exchanges", "--id", exchange_id).out
        assert [line.split()[-1] for line in short.splitlines()[2:3]] == ["retracted"]
        whole = ask("exchanges", "--id", exchange_id, "--revisions").out
        rows = [line for line in whole.splitlines() if line.startswith(exchange_id)]
        assert [("replaced" in row, "retracted" in row) for row in rows] == [
            (True, False),
            (True, False),
            (False, True),
        ]
        assert ["call" in rows[0], "visit" in rows[1], "In person." in rows[1]] == [True] * 3
        unknown = ask("exchanges", "--id", "0000", "--id", exchange_id)
        assert unknown.err == "no exchange '0000' was found with these filters\n"
        assert (exchange_id in unknown.out, unknown.code) == (True, 0)
        assert ask("exchanges", "--id", "0000").code == 1


class TestEmptyProgramme:
    def test_is_reported_with_other_programmes(self, run: RunCommand) -> None:
        """The answer is right and empty, but a person may have mistyped the name."""
        for programme in ("gde", "wales"):
            run("--programme", programme, "log", "--from", "A", "--to", "B", "--kind", "call")
        for form in ("table", "json", "csv"):
            result = run("--programme", "gdee", "pairs", "--format", form)
            assert result.code == 0
            assert (
                "nothing was recorded in programme 'gdee'; programmes here: gde, wales"
                in result.err
            )
        for words in (("import", "list"), ("quarantine", "list"), ("status",)):
            assert "programmes here: gde, wales" in run("--programme", "gdee", *words).err
            assert "nothing was recorded" not in run("--programme", "gde", *words).err
        empty_window = run("--programme", "gde", "pairs", "--from", "2050-01")
        assert "nothing was recorded" not in empty_window.err

    def test_is_reported_by_server_without_other_programmes(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        programme.fact_count = 0
        assert "nothing was recorded in programme 'default'\n" in ask("pairs").err


def test_facts_recorded_during_a_list_are_reported(
    ask: RunCommand, programme: FakeProgrammeServer
) -> None:
    programme.warnings = ["MODEL_MOVED"]
    assert "Facts were recorded while this list was read" in ask("balances").out


def _with_quoted_numbers(value: Any) -> Any:
    match value:
        case dict():
            return {name: _with_quoted_numbers(each) for name, each in value.items()}
        case list():
            return [_with_quoted_numbers(each) for each in value]
        case int() if not isinstance(value, bool):
            return str(value)
        case _:
            return value
