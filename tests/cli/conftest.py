import io
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.cli.main import main
from tests.cli.fake_programme import FakeProgrammeServer
from tests.client.scripted_server import serve


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> Any:
        return json.loads(self.out)


VARIABLES = ("DATA", "SERVER", "PROGRAMME", "RECORDED_BY", "LISTEN")
DATA = "mutua-data"
"""The data directory of commands without --data."""
RunCommand = Callable[..., CommandResult]
TypeAnswers = Callable[..., None]


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> RunCommand:
    """Runs `mutua` with these words in an empty directory, without MUTUA_ variables."""
    for name in VARIABLES:
        monkeypatch.delenv(f"MUTUA_{name}", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> CommandResult:
        with pytest.raises(SystemExit) as exit_info:
            main([str(word) for word in words])
        output = capsys.readouterr()
        assert isinstance(exit_info.value.code, int)
        return CommandResult(exit_info.value.code, output.out, output.err)

    return run


def recorded_once(record: Callable[[RunCommand], object]) -> object:
    """Makes a fixture of a function that records: `mutua` in a directory with what it recorded.

    The function runs for the first test; each later one gets a copy of the data directory.
    """
    recorded: list[Path] = []

    @pytest.fixture(name=record.__name__)
    def run_with_recorded(run: RunCommand, tmp_path_factory: pytest.TempPathFactory) -> RunCommand:
        if recorded:
            shutil.copytree(recorded[0], DATA)
        else:
            record(run)
            recorded.append(tmp_path_factory.mktemp(record.__name__) / DATA)
            shutil.copytree(DATA, recorded[0])
        return run

    return run_with_recorded


@pytest.fixture(scope="session")
def generated_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that `mutua demo` made, for `demo` to copy."""
    folder = tmp_path_factory.mktemp("demo") / ".demo"
    with pytest.MonkeyPatch.context() as patch:
        for name in VARIABLES:
            patch.delenv(f"MUTUA_{name}", raising=False)
        with pytest.raises(SystemExit) as exit_info:
            main(["demo", "--dir", str(folder)])
    assert exit_info.value.code == 0
    return folder


@pytest.fixture
def demo(run: RunCommand, generated_demo: Path) -> RunCommand:
    """Runs `mutua` in a directory where `mutua demo` ran."""
    shutil.copytree(generated_demo, ".demo")
    return run


@pytest.fixture
def programme() -> Iterator[FakeProgrammeServer]:
    programme = FakeProgrammeServer()
    with serve(programme):
        yield programme


@pytest.fixture
def ask(run: RunCommand, programme: FakeProgrammeServer) -> RunCommand:
    """Runs `mutua` against the fake programme."""
    return lambda *words: run("--server", programme.address, *words)


class Terminal(io.StringIO):
    """Standard input at which a person types these lines."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def type_answers(monkeypatch: pytest.MonkeyPatch) -> TypeAnswers:
    """Makes standard input a terminal at which a person types these lines."""

    def type_answers(*answers: str) -> None:
        lines = "".join(f"{each}\n" for each in answers)
        monkeypatch.setattr(sys, "stdin", Terminal(lines))

    return type_answers
