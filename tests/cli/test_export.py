"""The log into a file and back, as people do it."""

import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from services.app import bootstrap
from services.exports import log_export as exporting
from tests.cli.conftest import RunCommand
from tests.cli.test_end_to_end import CALL, server

FULL = Path("/dev/full")


@pytest.fixture
def log(run: RunCommand) -> Iterator[Path]:
    """Two programmes with an exchange each, exported."""
    run(*CALL)
    run("--programme", "wales", *CALL)
    run("export", "log", "log.jsonl")
    yield Path("log.jsonl")
    assert not list(Path().glob(".*.jsonl*"))  # nothing unfinished is left


def test_the_demo_moves(run: RunCommand) -> None:
    run("demo")
    out = run("--data", ".demo", "export", "log", "demo.jsonl.gz")
    assert (out.code, out.out) == (0, "")
    assert out.err.splitlines() == ["624 of 624 records exported", "Programmes: default (624)."]
    into = run("--data", "moved", "replay", "demo.jsonl.gz")
    assert (into.code, into.out.splitlines()) == (
        0,
        ["Verified: moved holds 624 facts.", "Next: mutua --data moved status"],
    )
    for question in ("exchanges", "balances", "pairs", "organizations"):
        before, after = (
            run("--data", data, question, "--format", "json").answer for data in (".demo", "moved")
        )
        assert before.pop("position") != after.pop("position")
        assert before == after
    assert run("--data", "moved", "verify").code == 0


def test_what_is_exported_is_told_and_nothing_is_left_out(run: RunCommand, log: Path) -> None:
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


def test_one_programme_is_exported_when_that_is_said(run: RunCommand, log: Path) -> None:
    refused = run("--programme", "wales", "export", "log", "wales.jsonl")
    assert refused.code == 2
    assert "mutua export log --only-programme wales FILE" in refused.err
    told = run("export", "log", "wales.jsonl", "--only-programme", "wales").err
    assert told.endswith("Programmes: wales (1).\n")
    unknown = run("export", "log", "none.jsonl", "--only-programme", "Wales", "--format=json")
    assert unknown.code == 2
    unknown = run("export", "log", "none.jsonl", "--only-programme", "Wales")
    assert (unknown.code, "there are: default, wales" in unknown.err) == (1, True)


def test_a_file_is_replaced_only_when_that_is_said(run: RunCommand, log: Path) -> None:
    log.write_text("precious")
    refused = run("export", "log", log)
    assert (refused.code, "log.jsonl is there already" in refused.err) == (1, True)
    assert log.read_text() == "precious"
    assert run("export", "log", log, "--force").code == 0
    assert len(log.read_text().splitlines()) == 3


def test_a_link_stays_one(run: RunCommand, log: Path) -> None:
    Path("link.jsonl").symlink_to(log)
    assert run("export", "log", "link.jsonl", "--force").code == 0
    assert Path("link.jsonl").is_symlink()


def test_a_file_that_fails_leaves_the_one_before(
    run: RunCommand, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    before = log.read_bytes()
    monkeypatch.setattr(exporting, "format_record", fail)
    assert run("export", "log", log, "--force").code == 130
    assert log.read_bytes() == before


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("nowhere/log.jsonl", "nowhere/log.jsonl: No such file or directory"),
        (".", ". is a directory; name a file in it"),
        (FULL, "/dev/full: No space left on device"),
    ],
)
def test_a_file_that_cannot_be_written_is_told(
    run: RunCommand, log: Path, file: str | Path, told: str
) -> None:
    result = run("export", "log", file)
    assert (result.code, result.err.splitlines()[-1]) == (1, f"error: {told}")
    assert FULL.is_char_device()


def test_it_can_be_read_from_stdout(run: RunCommand, log: Path) -> None:
    whole = piped("export", "log", "-")
    assert (whole.returncode, whole.stdout) == (0, log.read_text())
    with FULL.open("w") as full:
        assert "stdout: No space left on device" in piped("export", "log", "-", out=full).stderr


def test_who_has_read_enough_of_stdout_hears_no_more(run: RunCommand, log: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        result = piped("export", "log", "-", out=closed)
    assert result.returncode == 1
    assert set(result.stderr.splitlines()) <= {"2 of 2 records exported"}


def piped(*words: str, out: int | TextIO = subprocess.PIPE) -> "subprocess.CompletedProcess[str]":
    command = "from services.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", command, *words],
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )


def test_a_server_goes_on_beside_it(run: RunCommand, log: Path) -> None:
    with server(Path("mutua-data")) as (process, _):
        run(*CALL)
        assert "3 of 3 records" in run("export", "log", "second.jsonl").err
        taken = run("replay", "log.jsonl")
        assert (taken.code, "is in use by mutua up" in taken.err) == (1, True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 0


@pytest.mark.parametrize("words", [("export", "log", "other.jsonl"), ("replay", "log.jsonl")])
def test_it_works_on_a_directory_alone(run: RunCommand, log: Path, words: tuple[str, ...]) -> None:
    result = run("--server", "localhost:1", *words)
    assert result.code == 2
    assert "run it where the data of localhost:1 is" in result.err


@pytest.mark.parametrize("words", [("export", "log", "other.jsonl"), ("quarantine", "list")])
def test_a_directory_without_data_says_so(run: RunCommand, words: tuple[str, ...]) -> None:
    result = run("--data", "nowhere", *words)
    assert (result.code, "nowhere holds no mutua data" in result.err) == (1, True)
    assert not Path("other.jsonl").exists()


def test_an_interrupted_replay_says_how_to_go_on(
    run: RunCommand, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(bootstrap, "catch_up", interrupt)
        result = run("--data", "again", "replay", log)
    assert result.code == 130
    assert "type again: mutua --data again replay log.jsonl" in result.err
    assert run("--data", "again", "replay", log).code == 0
    assert run("--data", "again", "--programme", "wales", "status").out.startswith(
        "        1 fact\n"
    )


def test_a_file_that_is_none_is_told(run: RunCommand) -> None:
    Path("calls.csv").write_text("date,from,to\n")
    Path("cut.gz").write_bytes(gzip.compress(b"x" * 1_000)[:-9])
    for name, told in (("calls.csv", "is no exported log"), ("cut.gz", "is cut or damaged")):
        result = run("replay", name)
        assert (result.code, told in result.err) == (1, True)
    assert run("replay", "missing").code == 2
    assert not Path("mutua-data").exists()
