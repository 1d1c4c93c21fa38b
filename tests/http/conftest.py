"""One server on the generated programme for each module, asked by HTTP, gRPC and commands."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from services.app.bootstrap import EmbeddedServer, serve_embedded
from services.app.http import HttpSettings
from services.cli.main import main
from tests.waiting import PATIENCE_SECONDS

ORIGIN = "https://mutua.example.org"
AskCommand = Callable[..., Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    folder = tmp_path_factory.mktemp("http") / "data"
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["demo", "--dir", str(folder)])
    http = HttpSettings(listen="127.0.0.1:0", origins=(ORIGIN,))
    with serve_embedded(folder, purpose="tests", write=True, http=http) as running:
        yield running


@pytest.fixture(scope="module")
def http(server: EmbeddedServer) -> Iterator[httpx.Client]:
    url = f"http://{server.http_address}"
    with httpx.Client(base_url=url, timeout=PATIENCE_SECONDS) as client:
        yield client


@pytest.fixture
def ask_command(server: EmbeddedServer, capsys: pytest.CaptureFixture[str]) -> AskCommand:
    """The JSON that a command prints."""

    def ask(*words: str) -> Any:
        with pytest.raises(SystemExit, match=r"^0$"):
            main(["--server", server.address, *words, "--format", "json"])
        return json.loads(capsys.readouterr().out)

    return ask
