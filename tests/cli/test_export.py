"""`mutua export log` and `mutua replay`, as people type them."""

import gzip
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.app import data_maintenance
from services.exports import log_export as exporting
from tests.cli.cli_process import run_cli, run_up
from tests.cli.conftest import RunCommand
from tests.cli.test_end_to_end import CALL

FULL = Path("/dev/full")


@pytest.fixture
def log(run: RunCommand) -> Iterator[Path]:
    """Two programmes with an exchange each, exported."""
    run(*CALL)
    run("--programme", "wales", *CALL)
    run("export", "log", "log.jsonl")
    yield Path("log.jsonl")
    assert not list(Path().glob(".*.jsonl*"))  # no unfinished file


class TestReplay:
    def test_replayed_demo_gives_equal_answers(self, demo: RunCommand) -> None:
        run = demo
        export = run("--data", ".demo", "export", "log", "demo.jsonl.gz")
        assert (export.code, export.out) == (0, "")
        assert export.err.splitlines() == [
            "639 of 639 records exported",
            "Programmes: default (639).",
        ]
        replay = run("--data", "moved", "replay", "demo.jsonl.gz")
        assert (replay.code, replay.out.splitlines()) == (
            0,
            ["Verified: moved holds 639 facts.", "Next: mutua --data moved status"],
        )
        for question in ("exchanges", "balances", "pairs", "organizations"):
            before, after = (
                run("--data", data, question, "--format", "json").answer
                for data in (".demo", "moved")
            )
            assert before.pop("position") != after.pop("position")
            assert before == after
        assert run("--data", "moved", "verify").code == 0

    def test_interrupted_replay_prints_the_command_to_repeat(
        self, run: RunCommand, log: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(data_maintenance, "catch_up", interrupt)
            result = run("--data", "again", "replay", log)
        assert result.code == 130
        assert "type again: mutua --data again replay log.jsonl" in result.err
        assert run("--data", "again", "replay", log).code == 0
        assert run("--data", "again", "--programme", "wales", "status").out.startswith(
            "        1 fact\n"
        )

    def test_file_that_is_no_export_is_refused(self, run: RunCommand) -> None:
        Path("calls.csv").write_text("date,from,to\n")
        Path("cut.gz").write_bytes(gzip.compress(b"x" * 1_000)[:-9])
        for name, message in (("calls.csv", "is no exported log"), ("cut.gz", "is cut or damaged")):
            result = run("replay", name)
            assert (result.code, message in result.err) == (1, True)
        assert run("replay", "missing").code == 2
        assert not Path("mutua-data").exists()


class TestExport:
    def test_file_has_every_record_and_stderr_counts_them(self, run: RunCommand, log: Path) -> None:
        assert run("export", "log", "again.jsonl").err.splitlines() == [
            "2 of 2 records exported",
            "Programmes: default (1), wales (1).",
        ]
        assert Path("again.jsonl").read_bytes() == log.read_bytes()
        header, first, _ = map(json.loads, log.read_text().splitlines())
        assert header == {
            "format": "mutua-log",
            "version": 1,
            "log_id": header["log_id"],
            "position": f"{header['log_id']}.0.2",
            "record_count": 2,
            "programme_id": "",
        }
        assert list(first) == ["offset", "record_time", "programme_id", "event"]

    def test_only_programme_exports_one_programme(self, run: RunCommand, log: Path) -> None:
        refusal = run("--programme", "wales", "export", "log", "wales.jsonl")
        assert refusal.code == 2
        assert "mutua export log --only-programme wales FILE" in refusal.err
        stderr = run("export", "log", "wales.jsonl", "--only-programme", "wales").err
        assert stderr.endswith("Programmes: wales (1).\n")
        unknown = run("export", "log", "none.jsonl", "--only-programme", "Wales", "--format=json")
        assert unknown.code == 2
        unknown = run("export", "log", "none.jsonl", "--only-programme", "Wales")
        assert (unknown.code, "there are: default, wales" in unknown.err) == (1, True)

    def test_existing_file_is_replaced_only_with_force(self, run: RunCommand, log: Path) -> None:
        log.write_text("precious")
        refusal = run("export", "log", log)
        assert (refusal.code, "log.jsonl is there already" in refusal.err) == (1, True)
        assert log.read_text() == "precious"
        assert run("export", "log", log, "--force").code == 0
        assert len(log.read_text().splitlines()) == 3

    def test_symbolic_link_is_kept(self, run: RunCommand, log: Path) -> None:
        Path("link.jsonl").symlink_to(log)
        assert run("export", "log", "link.jsonl", "--force").code == 0
        assert Path("link.jsonl").is_symlink()

    def test_interrupted_export_leaves_existing_file(
        self, run: RunCommand, log: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        before = log.read_bytes()
        monkeypatch.setattr(exporting, "format_record", fail)
        assert run("export", "log", log, "--force").code == 130
        assert log.read_bytes() == before

    @pytest.mark.parametrize(
        ("file", "message"),
        [
            ("nowhere/log.jsonl", "nowhere/log.jsonl: No such file or directory"),
            (".", ". is a directory; name a file in it"),
            (FULL, "/dev/full: No space left on device"),
        ],
    )
    def test_unwritable_file_is_named(
        self, run: RunCommand, log: Path, file: str | Path, message: str
    ) -> None:
        result = run("export", "log", file)
        assert (result.code, result.err.splitlines()[-1]) == (1, f"error: {message}")
        assert FULL.is_char_device()

    def test_dash_writes_to_stdout(self, run: RunCommand, log: Path) -> None:
        whole = run_cli("export", "log", "-")
        assert (whole.returncode, whole.stdout) == (0, log.read_text())
        with FULL.open("w") as full:
            assert (
                "stdout: No space left on device" in run_cli("export", "log", "-", out=full).stderr
            )

    def test_closed_pipe_ends_quietly(self, run: RunCommand, log: Path) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w") as pipe:
            result = run_cli("export", "log", "-", out=pipe)
        assert result.returncode == 1
        assert set(result.stderr.splitlines()) <= {"2 of 2 records exported"}

    def test_running_server_allows_export_and_refuses_replay(
        self, run: RunCommand, log: Path
    ) -> None:
        with run_up(Path("mutua-data")) as (process, _):
            run(*CALL)
            assert "3 of 3 records" in run("export", "log", "second.jsonl").err
            refusal = run("replay", "log.jsonl")
            assert (refusal.code, "is in use by mutua up" in refusal.err) == (1, True)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=120) == 0

    @pytest.mark.parametrize("words", [("export", "log", "other.jsonl"), ("replay", "log.jsonl")])
    def test_named_server_is_refused(
        self, run: RunCommand, log: Path, words: tuple[str, ...]
    ) -> None:
        result = run("--server", "localhost:1", *words)
        assert result.code == 2
        assert "run it where the data of localhost:1 is" in result.err

    @pytest.mark.parametrize("words", [("export", "log", "other.jsonl"), ("quarantine", "list")])
    def test_directory_without_data_is_refused(
        self, run: RunCommand, words: tuple[str, ...]
    ) -> None:
        result = run("--data", "nowhere", *words)
        assert (result.code, "nowhere holds no mutua data" in result.err) == (1, True)
        assert not Path("other.jsonl").exists()
