"""Names of organizations as people type them: new ones, near misses, and names without an id."""

from pathlib import Path

import pytest

from tests.cli.conftest import RunCommand, TypeAnswers
from tests.cli.fake_programme import FakeProgrammeServer

CALL = ("--to", "T-02", "--kind", "call")
MILLBURY = "Millbury General Hospital (T-01)"


class TestNewNames:
    @pytest.mark.parametrize(
        ("answer", "giver"), [("1", "T-01"), ("y", "Millbry"), ("x\n9\n1", "T-01")]
    )
    def test_terminal_is_asked_about_near_miss(
        self,
        ask: RunCommand,
        programme: FakeProgrammeServer,
        type_answers: TypeAnswers,
        answer: str,
        giver: str,
    ) -> None:
        type_answers(answer)
        result = ask("log", "--from", "Millbry", *CALL)
        assert programme.events[0].exchange_recorded.exchange.giver_ids == [giver]
        assert f"'Millbry' is new. Did you mean one of these?\n  1  {MILLBURY}\n" in result.err
        assert "recorded as written. Did you mean" not in result.err
        assert ("New organization, recorded as written" in result.err) == (giver == "Millbry")

    def test_unanswered_question_records_nothing(
        self, ask: RunCommand, programme: FakeProgrammeServer, type_answers: TypeAnswers
    ) -> None:
        type_answers()  # end of file
        result = ask("log", "--from", "Millbry", *CALL)
        assert (result.code, programme.events) == (130, [])

    def test_yes_records_without_question(
        self, ask: RunCommand, programme: FakeProgrammeServer, type_answers: TypeAnswers
    ) -> None:
        type_answers()
        result = ask("log", "--from", "Millbry", *CALL, "--yes")
        assert programme.events[0].exchange_recorded.exchange.giver_ids == ["Millbry"]
        assert f"recorded as written. Did you mean {MILLBURY}?" in result.err

    def test_other_commands_ask_too(
        self, ask: RunCommand, programme: FakeProgrammeServer, type_answers: TypeAnswers
    ) -> None:
        ask("log", "--from", "T-03", *CALL)
        type_answers("1")
        exchange_id = programme.events[0].event_id
        ask("correct", exchange_id, "--from", "Thornwik Teaching Hospitals NHS FT", "--to", "T-01")
        assert programme.events[1].exchange_corrected.exchange.giver_ids == ["T-02"]
        type_answers("1")
        ask("nothing-to-report", "The Eastmere District Hospital Ltd", "2026-03")
        assert programme.events[2].nothing_to_report.organization_id == "T-03"

    def test_name_of_several_organizations_is_reported(
        self, ask: RunCommand, programme: FakeProgrammeServer, type_answers: TypeAnswers
    ) -> None:
        result = ask("log", "--from", "Millbury, T-03", *CALL)
        assert programme.events[0].exchange_recorded.exchange.giver_ids == ["Millbury, T-03"]
        assert "Eastmere District Hospital (T-03), each typed by itself? Then: mutua" in result.err
        type_answers("n")
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
        ("name", "recorder"), [("thornwick", "T-02"), ("T-02", "T-02"), ("Elsewhere", "Elsewhere")]
    )
    @pytest.mark.parametrize("command", ["log", "correct", "retract", "nothing-to-report"])
    def test_name_is_recorded_as_id(
        self,
        ask: RunCommand,
        programme: FakeProgrammeServer,
        command: str,
        name: str,
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
        assert ask("--as", name, command, *words[command]).code == 0
        recorders = {each["mutua-organization"] for each in programme.metadata[1:]}
        assert recorders == {recorder}

    def test_near_miss_is_reported(self, ask: RunCommand) -> None:
        result = ask("--as", "Millbry", "log", "--from", "T-03", *CALL)
        assert f"facts are recorded for it as written. Did you mean {MILLBURY}?" in result.err

    def test_ambiguous_name_records_nothing(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        programme.organizations[1].aliases.append("The General")
        result = ask("--as", "the general", "log", "--from", "T-03", *CALL)
        assert (result.code, programme.events) == (2, [])

    def test_import_is_recorded_for_id(self, run: RunCommand, tmp_path: Path) -> None:
        (tmp_path / "roster.csv").write_text("id,name\nash-1,Ashcombe Hospital\n")
        (tmp_path / "calls.csv").write_text(
            "date,giver,receiver,kind\n2026-03-04,Ashcombe Hospital,oak-2,call\n"
        )
        run("import", "organizations", "roster.csv")
        run("--as", "ashcombe hospital", "import", "exchanges", "calls.csv")
        [exchange] = run("exchanges", "--format", "json").answer["exchanges"]
        assert exchange["revisions"][0]["recorded_by"] == "ash-1"


class TestSharedNames:
    def test_roster_with_shared_name_is_reported(self, run: RunCommand, tmp_path: Path) -> None:
        (tmp_path / "roster.csv").write_text("id,name\na,Oak Trust\nb,oak\u00a0 trust\nc,Elm\n")
        output = run("import", "organizations", "roster.csv").out
        assert "Oak Trust (a) and oak\u00a0 trust (b) have a spelling in common: type" in output
        result = run("log", "--from", "Oak Trust", "--to", "c", "--kind", "call")
        assert (result.code, "type the id" in result.err) == (2, True)


class TestRosterChanges:
    def test_overwritten_updates_are_listed(self, run: RunCommand, tmp_path: Path) -> None:
        rows = "".join(f"t-{n:02},Trust {n:02},North\n" for n in range(12))
        (tmp_path / "roster.csv").write_text(f"id,name,region\n{rows}")
        run("import", "organizations", "roster.csv")
        for number in range(11):
            run("organization", "update", f"t-{number:02}", "--region", "South")
        dry_run = run("import", "organizations", "roster.csv", "--dry-run").out
        first = run("import", "organizations", "roster.csv").out
        for output in (dry_run, first):
            assert "  line 2 (t-00): region: South -> North\n" in output
            assert output.count("South -> North") == 10
            assert "  and 1 more\n" in output
        second = run("import", "organizations", "roster.csv").out
        assert "->" not in second


class TestUnboundNames:
    """Exchanges that were recorded before their organizations were registered."""

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

    def test_answers_and_status_warn_with_the_command(self, roster_came_later: RunCommand) -> None:
        run = roster_came_later
        import_output = run("import", "organizations", "roster.csv").out
        command = "To bind it: mutua organization alias 'Ashcombe Hospital' ash-1"
        assert command in import_output
        for words in (["status"], ["balances"], ["pairs"], ["network"], ["organizations"]):
            result = run(*words)
            assert "(UNBOUND_NAMES)" in result.out
            assert command in result.out
            answer = run(*words, "--format", "json").answer
            assert "UNBOUND_NAMES" in answer["warnings"]
        assert command in run("balances", "--format", "csv").err
        # An answer without such a party has no warning.
        answer = run("balances", "--from", "2026-04", "--format", "json").answer
        assert "UNBOUND_NAMES" not in answer["warnings"]

    def test_later_names_are_resolved_by_roster(
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

    def test_command_binds_every_name(self, roster_came_later: RunCommand) -> None:
        run = roster_came_later
        run("import", "organizations", "roster.csv")
        assert run("organization", "alias", "Ashcombe Hospital", "ash-1").code == 0
        assert "oak-2" in run("status").out
        result = run("organization", "alias", "--unbound")
        assert "Bound: 'Oakdale Trust' means Oakdale Trust (oak-2)" in result.out
        for words in (["status"], ["balances"]):
            assert run(*words, "--format", "json").answer["warnings"] == []
        rows = run("balances", "--format", "json").answer["balances"]
        assert [(row["organization_id"], row["given"], row["received"]) for row in rows] == [
            ("Nobody", 0.0, 1.0),
            ("ash-1", 2.0, 0.0),
            ("oak-2", 0.0, 1.0),
        ]
        assert run("verify").code == 0
