"""`mutua rebuild`, and `status` and `verify` with a hold."""

from contextlib import closing
from pathlib import Path

import pytest

from services.adapters.sqlite.log import SqliteLog
from services.cli import rebuild
from tests.cli.conftest import DATA, RunCommand, recorded_once
from tests.projector.newer_facts import newer_fact


@recorded_once
def two_exchanges(run: RunCommand) -> None:
    for giver in "ab":
        words = ("--from", giver, "--to", "c", "--kind", "call")
        assert run("log", *words).code == 0


@pytest.fixture
def data(two_exchanges: RunCommand, tmp_path: Path) -> Path:
    """Two exchanges in mutua-data."""
    return tmp_path / DATA


def test_output_names_models_that_are_kept(run: RunCommand, data: Path) -> None:
    first, *rest = run("rebuild").out.splitlines()
    assert first.startswith("rebuilt from 2 facts in ")
    assert first.endswith("the new read models answer")
    assert rest == ["kept: read-1.sqlite; mutua rebuild --drop-old deletes what is kept"]
    assert run("rebuild", "--drop-old").out == "deleted: read-1.sqlite\n"
    assert run("rebuild", "--drop-old").out == "only the active read models are kept\n"
    assert run("verify").out == "ok: 2 facts\n"
    assert not (data / "read-1.sqlite").exists()


def test_stderr_has_progress(run: RunCommand, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild, "_SECONDS_BETWEEN_LINES", 0.0)
    assert "2 of 2 facts, " in run("rebuild").err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--back",), "--back is for a cluster: name it with --log-url and --store-url"),
        (("--back", "--drop-old"), "say one of them"),
        (("--store-url", "postgresql://127.0.0.1:1/none"), "MUTUA_LOG_URL is not set"),
        (
            ("--log-url", "kafka://127.0.0.1:1/mutua", "--store-url", "postgresql://127.0.0.1:1/x"),
            "Kafka at 127.0.0.1:1 does not answer",
        ),
        (
            (
                *("--log-url", "kafka://127.0.0.1:1/mutua"),
                *("--store-url", "postgresql://127.0.0.1:1/x", "--drop-old"),
            ),
            "PostgreSQL does not answer",
        ),
    ],
)
def test_impossible_rebuild_is_refused(
    run: RunCommand, words: tuple[str, ...], message: str
) -> None:
    result = run("rebuild", *words)
    assert result.code in (1, 2)
    assert message in result.err


def test_directory_without_data_is_refused(run: RunCommand, tmp_path: Path) -> None:
    result = run("rebuild")
    assert result.code == 1
    assert "holds no mutua data" in result.err
    assert not (tmp_path / "mutua-data").exists()


def test_status_and_verify_report_a_hold(run: RunCommand, data: Path) -> None:
    with closing(SqliteLog(data / "log.sqlite")) as log:
        log.append("default", [newer_fact(79, programme="default")]).result(timeout=120)
    reason = "fact kind 79 at offset 2 is newer than this mutua; upgrade it"
    status = run("status")
    assert f".2: {reason}.\n" in status.out
    assert "        1 fact on the log that answers do not show yet" in status.out
    [hold] = run("status", "--format", "json").answer["held"]
    assert hold["reason"] == reason
    assert run("verify").out == f"ok: 2 facts; 1 more fact is not projected: {reason}\n"
    assert run("verify", "--format", "json").answer == {
        "ok": True,
        "fact_count": 2,
        "differences": [],
    }
