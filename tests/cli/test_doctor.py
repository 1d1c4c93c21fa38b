"""Findings and remedies of `mutua doctor` for settings and a data directory."""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from services.adapters.sqlite.log import SqliteLog
from services.app.bootstrap import serve_embedded
from services.doctor import directory_checks, program_checks
from services.doctor.finding import Check, memoize, run_checks
from services.ledger.errors import LogUnavailableError
from tests.cli.conftest import CommandResult, RunCommand
from tests.exports.recorded_logs import append_records, make_records

HOUR = 3_600_000_000


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with facts."""
    append_records(tmp_path / "data", make_records())
    with serve_embedded(tmp_path / "data", purpose="a test", write=True):
        return tmp_path / "data"


def group_findings(result: CommandResult) -> dict[str, list[Any]]:
    """The findings by check: state, message and remedy."""
    findings: dict[str, list[Any]] = {}
    for each in result.answer["checks"]:
        findings.setdefault(each["check"], []).append(
            (each["state"], each["found"], each["remedy"])
        )
    assert result.answer["ok"] == (result.code == 0)
    return findings


@pytest.fixture
def run_doctor(run: RunCommand, data: Path) -> Callable[[], dict[str, list[Any]]]:
    return lambda: group_findings(run("--data", data, "doctor", "--format", "json"))


def test_healthy_and_missing_directories_are_ok(run: RunCommand, data: Path) -> None:
    healthy, missing = run("--data", data, "doctor"), run("--data", data / "absent", "doctor")
    assert (healthy.code, missing.code) == (0, 0)
    assert f"{data} holds {len(make_records())} facts, answered from read-1.sqlite" in healthy.out
    assert {line.split()[0] for line in healthy.out.splitlines()} == {"ok"}
    assert "is not there yet; the first fact makes it" in missing.out


def test_misspelt_setting_is_reported_with_a_suggestion(
    run: RunCommand, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUTUA_LISTN", "127.0.0.1:0")
    monkeypatch.setenv("MUTUA_SLAB_BYTES", "1000000")
    monkeypatch.setenv("MUTUA_CRASH_AT", "nowhere:1")
    result = run("--data", data, "doctor")
    assert result.code == 1
    lines = [line.split(maxsplit=2) for line in result.out.splitlines()]
    assert lines[0] == ["problem", "settings", "MUTUA_LISTN is no setting"]
    assert " ".join(lines[1]) == "did you mean MUTUA_LISTEN?"
    assert lines[2][2] == "MUTUA_CRASH_AT ends processes at a named place"
    assert "MUTUA_SLAB_BYTES" not in result.out


def test_library_of_another_version_is_reported(
    run_doctor: Callable[[], dict[str, list[Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        program_checks, "version", lambda name: "9.9" if name == "faust-streaming" else "3.0.12"
    )
    [_, finding] = run_doctor()["versions"]
    assert finding[0] == "problem"
    assert "faust-streaming is 9.9" in finding[1]
    assert finding[2] == "pip install 'faust-streaming==0.15.3'"


@pytest.mark.parametrize(
    ("free", "state", "words"),
    [(10 << 20, "problem", "10 MiB are free"), (256 << 20, "note", "twice")],
)
def test_scarce_disk_space_is_reported(
    run_doctor: Callable[[], dict[str, list[Any]]],
    monkeypatch: pytest.MonkeyPatch,
    free: int,
    state: str,
    words: str,
) -> None:
    monkeypatch.setattr(directory_checks, "disk_usage", lambda _: SimpleNamespace(free=free))
    [finding] = run_doctor()["disk"]
    assert finding[0] == state
    assert words in finding[1]
    assert "free some space" in finding[2]


def test_clock_set_back_is_reported(run_doctor: Any, data: Path) -> None:
    with closing(
        SqliteLog(data / "log.sqlite", clock=lambda: time.time_ns() // 1000 + HOUR)
    ) as log:
        log.append("default", [b"a fact"]).result(20)
    [finding] = run_doctor()["clock"]
    assert finding[0] == "problem"
    assert "the last fact was recorded 3," in finding[1]
    assert "NTP" in finding[2]


def test_unreadable_file_is_reported_and_other_checks_run(
    run_doctor: Callable[[], dict[str, list[Any]]], data: Path
) -> None:
    (data / "read-1.sqlite").write_bytes(b"no file of ours")
    [finding] = run_doctor()["directory"]
    assert finding == (
        "problem",
        f"{data / 'read-1.sqlite'} is not an SQLite file of mutua, or is damaged",
        "mutua rebuild makes them again from the log",
    )
    assert [each[0] for each in run_doctor()["clock"]] == ["ok"]


def test_doctor_refuses_a_remote_server(run: RunCommand) -> None:
    result = run("--server", "127.0.0.1:1", "doctor")
    assert result.code == 2
    assert "works on a data directory" in result.err


def test_memoized_failure_is_reported_once() -> None:
    answers = iter(
        [
            LogUnavailableError("Kafka does not answer"),
            LogUnavailableError("Kafka does not answer in time"),
        ]
    )

    def read() -> NoReturn:
        raise next(answers)

    read_once = memoize(read)
    checks: dict[str, Check] = {"topic": read_once, "clock": read_once}
    messages = [(name, each.message) for name, each in run_checks(checks)]
    assert messages == [("topic", "Kafka does not answer"), ("clock", "not checked")]
