"""`mutua organization` registers, changes and binds organizations, or refuses to."""

from typing import Any

import pytest

from tests.cli.conftest import RunCommand, TypeAnswers, recorded_once


@recorded_once
def roster(run: RunCommand) -> None:
    """Two registered organizations, one with an alias."""
    run("organization", "add", "ash-1", "--name", "Ashcombe Hospital", "--alias", "Ashcombe")
    run("organization", "add", "oak-2", "--name", "Oakdale Trust")


def organizations(run: RunCommand) -> dict[str, dict[str, Any]]:
    rows = run("organizations", "--format", "json").answer["organizations"]
    return {row["organization_id"]: row for row in rows}


class TestAdd:
    def test_registers_every_field(self, run: RunCommand) -> None:
        result = run(
            "organization", "add", " elm-3 ", "--name", "Elmwood Trust", "--type", "acute",
            "--alias", "Elmwood", "--alias", "elm-3", "--region", "Y55", "--external-id", "ods:R1A",
            "--open-date", "2026-01-01",
        )  # fmt: skip
        assert result.code == 0, result.err
        assert result.out == (
            "Registered: Elmwood Trust (elm-3), region Y55, type acute, external-id ods:R1A, "
            "open-date 2026-01-01, alias Elmwood.\n"
            "A registration cannot be taken back. "
            "To change it: mutua organization update elm-3 ...\n"
        )
        row = organizations(run)["elm-3"]
        assert (row["name"], row["aliases"], row["registered"]) == (
            "Elmwood Trust", ["Elmwood"], True,
        )  # fmt: skip
        assert row["external_ids"] == [{"scheme": "ods", "value": "R1A"}]
        assert run("verify").code == 0

    def test_suggests_alias_for_earlier_facts(self, run: RunCommand) -> None:
        run("log", "--from", "Elmwood Trust", "--to", "B", "--kind", "call")
        result = run("organization", "add", "elm-3", "--name", "Elmwood Trust")
        assert "mutua organization alias 'Elmwood Trust' elm-3" in result.err

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (
                ("ash-1",),
                "Ashcombe Hospital (ash-1) is registered already. To change it: mutua org",
            ),
            (("Ashcombe",), "'Ashcombe' is an alias of Ashcombe Hospital (ash-1) already"),
            (("new-1", "--alias", "Ashcombe"), "is an alias of Ashcombe Hospital (ash-1) already"),
            (("new-1", "--alias", "oak-2"), "'oak-2' is itself registered"),
            (("OAK-2",), "'OAK-2' is spelled like Oakdale Trust (oak-2)"),
            (("new-1", "--name", "oakdale  trust"), "If that is meant, say --yes."),
        ],
    )
    def test_refuses_names_of_others(
        self, roster: RunCommand, words: tuple[str, ...], message: str
    ) -> None:
        before = organizations(roster)
        result = roster("organization", "add", *words)
        assert (result.code, result.out) == (1, "")
        assert message in result.err
        assert organizations(roster) == before
        assert roster("status", "--format", "json").answer["quarantine_count"] == 0

    def test_yes_registers_name_of_another(self, roster: RunCommand) -> None:
        assert roster("organization", "add", "x", "--name", "Oakdale Trust", "--yes").code == 0
        assert organizations(roster)["x"]["name"] == "Oakdale Trust"


class TestUpdate:
    def test_changes_fields_and_prints_undo(self, roster: RunCommand) -> None:
        roster("organization", "update", "oak-2", "--sector", "acute", "--external-id", "ods:R1")
        result = roster(
            "organization", "update", "oakdale trust", "--name", "Oakdale NHS Trust", "--sector",
            "", "--close-date", "2026-04-01", "--external-id", "none", "--type", "vendor",
        )  # fmt: skip
        *changes, undo = result.out.splitlines()[1:]
        assert changes == [
            "name: Oakdale Trust -> Oakdale NHS Trust",
            "sector: acute -> nothing",
            "external-id: ods:R1 -> nothing",
            "type: nothing -> vendor",
            "close-date: nothing -> 2026-04-01",
        ]
        assert undo == (
            "To undo it: mutua organization update oak-2 --name 'Oakdale Trust' --sector acute "
            "--type none --close-date none --external-id ods:R1"
        )
        undo_result = roster(
            "organization", "update", "oak-2", "--name", "Oakdale Trust", "--sector", "acute",
            "--type", "none", "--close-date", "none", "--external-id", "ods:R1",
        )  # fmt: skip
        assert undo_result.code == 0
        row = organizations(roster)["oak-2"]
        assert (row["name"], row["sector"], "close_date" in row) == (
            "Oakdale Trust",
            "acute",
            False,
        )
        assert row["external_ids"] == [{"scheme": "ods", "value": "R1"}]

    def test_adds_aliases(self, roster: RunCommand) -> None:
        result = roster("organization", "update", "ash-1", "--alias", "Ash")
        assert result.out.splitlines()[1:] == [
            "alias: Ashcombe -> Ash, Ashcombe",
            "An alias cannot be taken away.",
        ]
        assert organizations(roster)["ash-1"]["aliases"] == ["Ash", "Ashcombe"]

    def test_unchanged_field_records_nothing(self, roster: RunCommand) -> None:
        before = roster("status", "--format", "json").answer["fact_count"]
        result = roster("organization", "update", "ash-1", "--name", "Ashcombe Hospital")
        assert result.out == "It is so already: nothing changed.\n"
        assert roster("status", "--format", "json").answer["fact_count"] == before

    @pytest.mark.parametrize(
        ("words", "code", "message"),
        [
            (("oak-2",), 2, "say what to change"),
            (("Oakdle Trust", "--size", "large"), 1, "Did you mean Oakdale Trust (oak-2)? To reg"),
            (("oak-2", "--alias", "ash-1"), 1, "'ash-1' is itself registered"),
            (("oak-2", "--name", "Ashcombe"), 1, "is spelled like Ashcombe Hospital (ash-1)"),
            (("oak-2", "--external-id", "R1A"), 2, "type it like ods:R1A"),
        ],
    )
    def test_refuses_invalid_changes(
        self, roster: RunCommand, words: tuple[str, ...], code: int, message: str
    ) -> None:
        result = roster("organization", "update", *words)
        assert (result.code, result.out) == (code, "")
        assert message in result.err


class TestAlias:
    @pytest.fixture
    def roster_and_exchange(self, roster: RunCommand) -> RunCommand:
        for giver in ("Ash Hosp.", "ASH\u00a0HOSP."):
            roster("log", "--from", giver, "--to", "oak-2", "--kind", "call", "--yes")
            roster("log", "--from", "T", "--to", giver, "--kind", "call", "--yes")
        return roster

    def test_binds_spelling_in_earlier_facts(self, roster_and_exchange: RunCommand) -> None:
        result = roster_and_exchange("organization", "alias", "ash hosp.", "ashcombe")
        assert result.out == (
            "Bound: 'Ash Hosp.' means Ashcombe Hospital (ash-1), also in what was recorded "
            "before.\nAn alias cannot be taken away.\n"
        )
        assert organizations(roster_and_exchange)["ash-1"]["aliases"] == ["Ash Hosp.", "Ashcombe"]
        rows = roster_and_exchange("balances", "--format", "json").answer["balances"]
        assert [row["given"] for row in rows if row["organization_id"] == "ash-1"] == [2.0]
        again = roster_and_exchange("organization", "alias", "Ash Hosp.", "ash-1")
        assert again.out == "It is so already: nothing changed.\n"

    @pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 130)])
    def test_terminal_is_asked_first(
        self, roster: RunCommand, type_answers: TypeAnswers, answer: str, code: int
    ) -> None:
        type_answers(answer)
        result = roster("organization", "alias", "Ash", "ash-1")
        assert result.code == code
        assert "'Ash' will mean Ashcombe Hospital (ash-1).\nAn alias cannot be taken" in result.err
        assert ("Ash" in organizations(roster)["ash-1"]["aliases"]) == (code == 0)

    @pytest.mark.parametrize(
        ("words", "code", "message"),
        [
            (("oak-2", "ash-1"), 1, "'oak-2' is itself registered, so it cannot become an alias"),
            (("Ashcombe", "oak-2"), 1, "is an alias of Ashcombe Hospital (ash-1) already"),
            (("Ash", "Nobody"), 1, "'Nobody' is not registered"),
            (("Ash",), 2, "type a SPELLING and an ORGANIZATION, or --unbound"),
            (("Ash", "ash-1", "--unbound"), 2, "type a SPELLING and an ORGANIZATION"),
            ((), 2, "type a SPELLING and an ORGANIZATION"),
        ],
    )
    def test_refuses_names_that_cannot_be_bound(
        self, roster: RunCommand, words: tuple[str, ...], code: int, message: str
    ) -> None:
        result = roster("organization", "alias", *words)
        assert (result.code, result.out) == (code, "")
        assert message in result.err
        assert roster("status", "--format", "json").answer["quarantine_count"] == 0

    def test_json_has_ids_and_position(self, roster: RunCommand) -> None:
        answer = roster("organization", "alias", "Ash", "ash-1", "--format", "json").answer
        assert answer.keys() == {"organization_id", "event_id", "position"}
        assert answer["organization_id"] == "ash-1"
        answer = roster("organization", "alias", "--unbound", "--format", "json").answer
        assert answer == {"organization_id": ""}


class TestTable:
    def test_has_date_columns_if_any_organization_has_dates(self, roster: RunCommand) -> None:
        assert "open from" not in roster("organizations").out
        roster("organization", "update", "ash-1", "--open-date", "2020-04-01")
        roster("organization", "update", "oak-2", "--close-date", "2026-04-01")
        header, _, ash, oak, *_ = roster("organizations").out.splitlines()
        assert "open from" in header
        assert "closed from" in header
        assert "2020-04-01" in ash
        assert "2026-04-01" in oak
