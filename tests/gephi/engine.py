"""Gephi's engine in a process of its own: what Gephi has after it opened a file.

It needs a JDK, since Java compiles `ReadGraphs.java` when it starts. `python -m tests.cluster`
fetches the jars; a start takes some seconds, so all tests with Gephi are in one file.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.dev.broker import CHECKOUT, find_java
from services.dev.maven import fetch_from_maven
from services.dev.programs import ProgramNotFoundError

_FOLDER: Final = Path(__file__).parent
_JARS_FOLDER: Final = CHECKOUT / ".gephi"


@dataclass(frozen=True, slots=True)
class GephiElement:
    """A node or an edge. Spells are closed intervals, in milliseconds since 1970."""

    id: str
    attributes: Mapping[str, Any]
    spells: Sequence[tuple[float, float]]
    label: str = ""
    source: str = ""
    target: str = ""
    weight: float = 0.0
    is_directed: bool = False
    kind: str = ""


@dataclass(frozen=True, slots=True)
class GephiGraph:
    """What Gephi has of a file. `bounds` are its first and last time, infinite without times."""

    nodes: Mapping[str, GephiElement]
    edges: Sequence[GephiElement]
    bounds: tuple[float, float]
    issues: Sequence[str]


def fetch_gephi() -> Path:
    """The folder of Gephi's jars. Raises ProgramNotFoundError without a JDK or Maven."""
    java = Path(find_java())
    compiler = java.with_name("javac") if java.is_absolute() else Path("javac")
    if shutil.which(compiler) is None:
        raise ProgramNotFoundError(
            "a JDK, which runs Gephi's engine, is missing (javac)",
            remedy="on Debian and Ubuntu: apt install default-jdk-headless",
        )
    return fetch_from_maven(_FOLDER / "pom.xml", _JARS_FOLDER, what="the engine of Gephi")


class Gephi:
    """A running engine. Graphs of earlier files do not show in later ones."""

    def __init__(self, jars: Path, log: Path) -> None:
        self._log = log
        # It runs for seconds: optimizing its code costs more than it saves.
        options = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djava.awt.headless=true")
        # A file must not depend on the time zone of its reader.
        command = [find_java(), *options, "-Duser.timezone=America/New_York", "-cp", f"{jars}/*"]
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [*command, str(_FOLDER / "ReadGraphs.java")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={key: value for key, value in os.environ.items() if key != "JDK_JAVA_OPTIONS"},
                text=True,
            )

    def read(self, *paths: Path) -> GephiGraph:
        """Opens the files, each after the first appended to the graph."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\t".join(map(str, paths)) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, self._log.read_text(errors="replace")
        answer = json.loads(line)
        return GephiGraph(
            nodes={row["id"]: _to_element(row) for row in answer["nodes"]},
            edges=[_to_element(row) for row in answer["edges"]],
            bounds=tuple(answer["bounds"]),
            issues=answer["issues"],
        )

    def close(self) -> None:
        self._process.communicate()  # at the end of its input it ends


def _to_element(row: dict[str, Any]) -> GephiElement:
    return GephiElement(**{**row, "spells": [tuple(spell) for spell in row["spells"]]})
