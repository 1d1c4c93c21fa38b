"""The commands in the documents for users and operators, run in order in one folder."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.waiting import PATIENCE_SECONDS, wait_until

ROOT = Path(__file__).parent.parent
DOCUMENTS = ("README.md", "services/imports/README.md", "proto/README.md", "deploy/README.md")
"""One for every reader. Their commands run in this order."""
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_CHANGING = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "EXCHANGE-ID"),
    (re.compile(r"\b[0-9a-f]{32}(?=\.0\.)"), "LOG-ID"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"), "NOW"),
    (re.compile(r"\S+/mutua-dev\b"), "FOLDER"),
    (re.compile(r"127\.0\.0\.1:\d+"), "ADDRESS"),
    (re.compile(r"(?<=  )\d+(?=  ready)"), "PROCESS"),
    (re.compile(r"  +|---+"), "  "),  # a table is as wide as its addresses
)


@dataclass(frozen=True, slots=True)
class ConsoleExample:
    """A command and its documented output, where a line `...` stands for any lines."""

    command: str
    output: str

    def matches(self, output: str) -> bool:
        parts = re.split(r"^\.\.\.$", normalize_output(self.output), flags=re.MULTILINE)
        pattern = ".*".join(map(re.escape, parts))
        return re.fullmatch(pattern, normalize_output(output), re.DOTALL) is not None


def read_documents() -> str:
    return "\n".join((ROOT / name).read_text() for name in DOCUMENTS)


def read_examples() -> Iterator[ConsoleExample]:
    for block in _BLOCK.findall(read_documents()):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield ConsoleExample(command, output.rstrip())


class ReadmeShell:
    """Runs the commands in one folder, in a shell that keeps exported variables."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / ".venv").symlink_to(sys.prefix)
        own = {k: v for k, v in os.environ.items() if not k.startswith("MUTUA_")}
        programs = str(Path(sys.executable).parent)
        others = [each for each in os.environ["PATH"].split(os.pathsep) if each != programs]
        self._path = os.pathsep.join([programs, *others])
        self._environment = {**own, "PATH": os.pathsep.join(others)}
        self._cluster: subprocess.Popen[bytes] | None = None

    def run(self, command: str) -> str:
        """Standard output of a command. `make demo` runs without make.

        `mutua dev up` runs until `close`, as in another terminal.
        """
        command = command.replace("make demo", ".venv/bin/mutua demo --dir .demo")
        if not command.startswith(".venv/bin/"):
            self._environment["PATH"] = self._path  # the text says to add .venv/bin before
        if command == "mutua dev up":
            return self._up(command)
        if command.startswith("export "):
            return ""  # `_up` took the address from the output, because it changes
        return self._run_to_end(command)

    def close(self) -> None:
        if self._cluster is not None:
            self._run_to_end("mutua dev down")
            self._cluster.wait()

    def _run_to_end(self, command: str) -> str:
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=PATIENCE_SECONDS,
        ).stdout.rstrip()

    def _up(self, command: str) -> str:
        output_path = self.folder / "up"
        with output_path.open("w") as file:
            self._cluster = subprocess.Popen(
                command.split(), cwd=self.folder, env=self._environment, stdout=file
            )
        wait_until(lambda: "mutua dev status" in output_path.read_text(), "the cluster is ready")
        [server] = re.findall("export MUTUA_SERVER=(.*)", output_path.read_text())
        self._environment["MUTUA_SERVER"] = server
        return output_path.read_text().rstrip()


def normalize_output(text: str) -> str:
    """The text without words that differ in every run, and without trailing spaces."""
    for pattern, word in _CHANGING:
        text = pattern.sub(word, text)
    return "\n".join(line.rstrip() for line in text.splitlines())
