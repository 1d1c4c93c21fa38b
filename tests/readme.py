"""The commands of the README, run in one fresh folder after each other."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_CHANGING = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "EXCHANGE-ID"),
    (re.compile(r"\b[0-9a-f]{32}(?=\.0\.)"), "LOG-ID"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"), "NOW"),
)


@dataclass(frozen=True, slots=True)
class Example:
    """A command and what the README says it prints."""

    command: str
    output: str


def examples() -> Iterator[Example]:
    for block in _BLOCK.findall((ROOT / "README.md").read_text()):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield Example(command, output.rstrip())


def run(command: str, folder: Path) -> str:
    """Standard output of a command as a newcomer would type it; `make demo` is what it runs."""
    command = command.replace("make demo", ".venv/bin/mutua demo --dir .demo")
    command = command.replace(".venv/bin/mutua ", "mutua ")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MUTUA_")}
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**environment, "PATH": path},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    ).stdout.rstrip()


def settled(text: str) -> str:
    """The text without what differs each time, and without trailing spaces."""
    for pattern, word in _CHANGING:
        text = pattern.sub(word, text)
    return "\n".join(line.rstrip() for line in text.splitlines())
