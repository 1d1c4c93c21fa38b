"""Names that people type: new ones, near misses, and ids that are not bound to the roster."""

import io
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import RunCommand
from tests.cli.fake_programme import FakeProgrammeServer

CALL = ("--to", "T-02", "--kind", "call")
MILLBURY = "Millbury General Hospital (T-01)"


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> "type[TypedAnswers]":
    TypedAnswers.monkeypatch = monkeypatch
    return TypedAnswers


class TypedAnswers:
    """Puts somebody at the terminal who answers with these lines."""

    monkeypatch: pytest.MonkeyPatch

    def __init__(self, *answers: str) -> None:
        self.monkeypatch.setattr(sys, "stdin", Terminal("".join(f"{each}\n" for each in answers)))


class TestNewNames:
    @pytest.mark.parametrize(
        ("answer", "giver"), [("1", "T-01"), ("y", "Millbry"), ("x\n9\n1", "T-01")]
    )
    def test_a_near_miss_is_asked_about_on_a_terminal(
        self,
        ask: RunCommand,
        programme: FakeProgrammeServer,
        types: type[TypedAnswers],
        answer: str,
        giver: str,
    ) -> None:
        types(answer)
        result = ask("log", "--from", "Millbry", *CALL)
        assert programme.events[0].exchange_recorded.exchange.giver_ids == [giver]
        assert f"'Millbry' is new. Did you mean one of these?\n  1  {MILLBURY}\n" in result.err
        assert "recorded as written. Did you mean" not in result.err
        assert ("New organization, recorded as written" in result.err) == (giver == "Millbry")

    def test_the_question_comes_before_anything_is_recorded(
        self, ask: RunCommand, programme: FakeProgrammeServer, types: type[TypedAnswers]
    ) -> None:
        types()  # who goes away
        result = ask("log", "--from", "Millbry", *CALL)
        assert (result.code, programme.events) == (130, [])

    def test_yes_asks_nothing(
        self, ask: RunCommand, programme: FakeProgrammeServer, types: type[TypedAnswers]
    ) -> None:
        types()
        result = ask("log", "--from", "Millbry", *CALL, "--yes")
        assert programme.events[0].exchange_recorded.exchange.giver_ids == ["Millbry"]
        assert f"recorded as written. Did you mean {MILLBURY}?" in result.err

    def test_corrections_ask_as_well(
        self, ask: RunCommand, programme: FakeProgrammeServer, types: type[TypedAnswers]
    ) -> None:
        ask("log", "--from", "T-03", *CALL)
        types("1")
        exchange_id = programme.events[0].event_id
        ask("correct", exchange_id, "--from", "Thornwik Teaching Hospitals NHS FT", "--to", "T-01")
        assert programme.events[1].exchange_corrected.exchange.giver_ids == ["T-02"]
        types("1")
        ask("nothing-to-report", "The Eastmere District Hospital Ltd", "2026-03")
        assert programme.events[2].nothing_to_report.organization_id == "T-03"

    def test_several_organizations_in_one_name_are_told(
        self, ask: RunCommand, programme: FakeProgrammeServer, types: type[TypedAnswers]
    ) -> None:
        result = ask("log", "--from", "Millbury, T-03", *CALL)
        assert programme.events[0].exchange_recorded.exchange.giver_ids == ["Millbury, T-03"]
        assert "Eastmere District Hospital (T-03), each typed by itself? Then: mutua" in result.err
        types("n")
        assert ask("log", "--from", "Millbury; T-03", *CALL).code == 130
        assert len(programme.events) == 1

    def test_spellings_of_one_new_name_are_one_organization(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        result = ask("log", "--from", "Zeta Care", "--from", "zeta\u00a0care", *CALL)
        assert programme.events[0].exchange_recorded.exchange.giver_ids == ["Zeta Care"]
        assert "New organization, recorded as written: 'Zeta Care'.\n" in result.err


class TestRecorder:
    @pytest.mark.parametrize(
        ("typed", "recorder"), [("thornwick", "T-02"), ("T-02", "T-02"), ("Elsewhere", "Elsewhere")]
    )
    @pytest.mark.parametrize("command", ["log", "correct", "retract", "nothing-to-report"])
    def test_a_name_is_recorded_as_its_id(
        self,
        ask: RunCommand,
        programme: FakeProgrammeServer,
        command: str,
        typed: str,
        recorder: str,
    ) -> None:
        ask("log", "--from", "T-03", *CALL)
        exchange_id = programme.events[0].event_id
        words = {
            "log": ("--from", "T-03", *CALL),
            "correct": (exchange_id, "--minutes", 5),
            "retract": (exchange_id, "--reason", "twice"),
            "nothing-to-report": ("T-03", "2026-03"),
        }
        programme.metadata.clear()
        assert ask("--as", typed, command, *words[command]).code == 0
        recorders = {each["mutua-organization"] for each in programme.metadata[1:]}
        assert recorders == {recorder}

    def test_a_near_miss_is_told(self, ask: RunCommand) -> None:
        result = ask("--as", "Millbry", "log", "--from", "T-03", *CALL)
        assert f"facts are recorded for it as written. Did you mean {MILLBURY}?" in result.err

    def test_an_ambiguous_name_records_nothing(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        programme.organizations[1].aliases.append("The General")
        result = ask("--as", "the general", "log", "--from", "T-03", *CALL)
        assert (result.code, programme.events) == (2, [])

    def test_an_import_is_recorded_for_the_id(self, run: RunCommand, tmp_path: Path) -> None:
        (tmp_path / "roster.csv").write_text("id,name\nash-1,Ashcombe Hospital\n")
        (tmp_path / "calls.csv").write_text(
            "date,giver,receiver,kind\n2026-03-04,Ashcombe Hospital,oak-2,call\n"
        )
        run("import", "organizations", "roster.csv")
        run("--as", "ashcombe hospital", "import", "exchanges", "calls.csv")
        [exchange] = run("exchanges", "--format", "json").answer["exchanges"]
        assert exchange["revisions"][0]["recorded_by"] == "ash-1"


class TestSharedNames:
    def test_a_roster_with_a_name_of_two_is_told(self, run: RunCommand, tmp_path: Path) -> None:
        (tmp_path / "roster.csv").write_text("id,name\na,Oak Trust\nb,oak\u00a0 trust\nc,Elm\n")
        told = run("import", "organizations", "roster.csv").out
        assert "Oak Trust (a) and oak\u00a0 trust (b) have a spelling in common: type" in told
        ambiguous = run("log", "--from", "Oak Trust", "--to", "c", "--kind", "call")
        assert (ambiguous.code, "type the id" in ambiguous.err) == (2, True)


class TestRosterChanges:
    def test_an_update_by_hand_is_not_overwritten_silently(
        self, run: RunCommand, tmp_path: Path
    ) -> None:
        rows = "".join(f"t-{n:02},Trust {n:02},North\n" for n in range(12))
        (tmp_path / "roster.csv").write_text(f"id,name,region\n{rows}")
        run("import", "organizations", "roster.csv")
        for number in range(11):
            run("organization", "update", f"t-{number:02}", "--region", "South")
        planned = run("import", "organizations", "roster.csv", "--dry-run").out
        recorded = run("import", "organizations", "roster.csv").out
        for told in (planned, recorded):
            assert "  line 2 (t-00): region: South -> North\n" in told
            assert told.count("South -> North") == 10
            assert "  and 1 more\n" in told
        again = run("import", "organizations", "roster.csv").out
        assert "->" not in again


class TestUnbound:
    """r04: exchanges that were recorded before the roster came."""

    @pytest.fixture
    def roster_came_later(self, run: RunCommand, tmp_path: Path) -> RunCommand:
        (tmp_path / "calls.csv").write_text(
            "ref,date,giver,receiver,kind\n"
            "1,2026-03-04,Ashcombe Hospital,Oakdale Trust,call\n"
            "2,2026-03-05,ASHCOMBE\u00a0HOSPITAL,Nobody,call\n"
        )
        (tmp_path / "roster.csv").write_text(
            "id,name\nash-1,Ashcombe Hospital\noak-2,Oakdale Trust\n"
        )
        run("import", "exchanges", "calls.csv")
        return run

    def test_answers_and_status_say_so_with_the_command(
        self, roster_came_later: RunCommand
    ) -> None:
        run = roster_came_later
        imported = run("import", "organizations", "roster.csv").out
        command = "To bind it: mutua organization alias 'Ashcombe Hospital' ash-1"
        assert command in imported
        for words in (["status"], ["balances"], ["pairs"], ["network"], ["organizations"]):
            told = run(*words)
            assert "(UNBOUND_NAMES)" in told.out
            assert command in told.out
            answer = run(*words, "--format", "json").answer
            assert "UNBOUND_NAMES" in answer["warnings"]
        assert command in run("balances", "--format", "csv").err
        # An answer that has no such party says nothing.
        narrowed = run("balances", "--from", "2026-04", "--format", "json").answer
        assert "UNBOUND_NAMES" not in narrowed["warnings"]

    def test_names_that_come_later_are_those_of_the_roster(
        self, roster_came_later: RunCommand, tmp_path: Path
    ) -> None:
        run = roster_came_later
        run("import", "organizations", "roster.csv")
        run("log", "--from", "Ashcombe Hospital", "--to", "oakdale trust", "--kind", "call")
        last = run("exchanges", "--format", "json").answer["exchanges"][-1]["revisions"][0]
        assert (last["content"]["giver_ids"], last["content"]["receiver_ids"]) == (
            ["ash-1"],
            ["oak-2"],
        )

    def test_the_command_binds_them(self, roster_came_later: RunCommand) -> None:
        run = roster_came_later
        run("import", "organizations", "roster.csv")
        assert run("organization", "alias", "Ashcombe Hospital", "ash-1").code == 0
        assert "oak-2" in run("status").out
        bound = run("organization", "alias", "--unbound")
        assert "Bound: 'Oakdale Trust' means Oakdale Trust (oak-2)" in bound.out
        for words in (["status"], ["balances"]):
            assert run(*words, "--format", "json").answer["warnings"] == []
        rows = run("balances", "--format", "json").answer["balances"]
        assert [(row["organization_id"], row["given"], row["received"]) for row in rows] == [
            ("Nobody", 0.0, 1.0),
            ("ash-1", 2.0, 0.0),
            ("oak-2", 0.0, 1.0),
        ]
        assert run("verify").code == 0
