"""What deploy/Dockerfile says, as far as its few instructions go."""

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
    """What follows one FROM."""

    base: str
    name: str
    steps: list[Step] = field(default_factory=list)

    def find_last(self, instruction: str) -> str:
        """The text of the last such instruction; "" without one."""
        return next((each.text for each in reversed(self.steps) if each.name == instruction), "")

    def apply_environment(self, before: dict[str, str]) -> dict[str, str]:
        """What its ENV make of an environment."""
        found = dict(before)
        for step in self.steps:
            if step.name == "ENV":
                pairs = (word.partition("=") for word in step.words)
                found |= {name: Template(value).substitute(found) for name, _, value in pairs}
        return found


def parse_stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile, in order."""
    found: list[Stage] = []
    for step in _steps(text):
        if step.name == "FROM":
            base, *named = step.words
            found.append(Stage(base, named[-1] if named else ""))
        else:
            found[-1].steps.append(step)
    return found


def _steps(text: str) -> Iterator[Step]:
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\n", " ", kept).splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            yield Step(name, rest.strip())


def read_build_context() -> tuple[list[str], list[str]]:
    """What the build may copy, by its name at the top of the checkout, and names left out of it."""
    first, *rest = [line for line in IGNORE.read_text().splitlines() if line[:1] != "#"]
    assert first == "*", "everything is left out, but what is named after it"
    taken = [line.removeprefix("!") for line in rest if line.startswith("!")]
    left_out = [line.removeprefix("**/") for line in rest if line.startswith("**/")]
    assert len(taken) + len(left_out) == len(rest)
    return taken, left_out
