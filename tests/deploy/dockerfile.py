"""Parses deploy/Dockerfile, as far as it uses instructions."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
IGNORE = ROOT / "deploy" / "Dockerfile.dockerignore"


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction: `RUN`, `pip install ...`."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)


@dataclass(slots=True)
class Stage:
    """A stage: the steps after a FROM."""

    base: str
    name: str
    steps: list[Step] = field(default_factory=list)

    def find_last(self, instruction: str) -> str:
        """The text of the last instruction with this name, or ""."""
        return next((each.text for each in reversed(self.steps) if each.name == instruction), "")

    def apply_environment(self, before: dict[str, str]) -> dict[str, str]:
        """Applies the ENV instructions to an environment."""
        result = dict(before)
        for step in self.steps:
            if step.name == "ENV":
                pairs = (word.partition("=") for word in step.words)
                result |= {name: Template(value).substitute(result) for name, _, value in pairs}
        return result


def parse_stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile, in order."""
    parsed: list[Stage] = []
    for step in _steps(text):
        if step.name == "FROM":
            base, *alias = step.words
            parsed.append(Stage(base, alias[-1] if alias else ""))
        else:
            parsed[-1].steps.append(step)
    return parsed


def _steps(text: str) -> Iterator[Step]:
    instructions = "\n".join(
        line for line in text.splitlines() if not line.lstrip().startswith("#")
    )
    for line in re.sub(r"\\\n", " ", instructions).splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            yield Step(name, rest.strip())


def read_build_context() -> tuple[list[str], list[str]]:
    """The top-level names the build may copy, and the names excluded below them."""
    first, *rest = [line for line in IGNORE.read_text().splitlines() if line[:1] != "#"]
    assert first == "*", "everything is excluded, except the names after it"
    included = [line.removeprefix("!") for line in rest if line.startswith("!")]
    excluded = [line.removeprefix("**/") for line in rest if line.startswith("**/")]
    assert len(included) + len(excluded) == len(rest)
    return included, excluded
