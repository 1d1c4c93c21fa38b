import json
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


RunCommand = Callable[..., CommandResult]


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> RunCommand:
    """Runs `mutua` with these words, in an empty directory and without its environment."""
    for name in ("DATA", "SERVER", "PROGRAMME", "RECORDED_BY", "LISTEN"):
        monkeypatch.delenv(f"MUTUA_{name}", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> CommandResult:
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        shown = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return CommandResult(ended.value.code, shown.out, shown.err)

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
