"""The comments of the contract, which generated code does not have."""

import re
from functools import cache
from importlib.resources import files
from typing import Final

_BLOCK: Final = re.compile(r"(?:message|enum|service) (\w+) \{")
_RPC: Final = re.compile(r"rpc (\w+)\(.*")
_FIELD: Final = re.compile(r"(?:(?:repeated|optional) )?(?:[\w.]+ )?(\w+) = -?\d+\b.*;")


@cache
def read_comments() -> dict[str, str]:
    """Comments by name: `Question.from_date`, `Lens.LENS_COUNT`, `QueryService.GetStatus`.

    The linter of the contract ensures that everything has a comment, in front of it.
    """
    comments: dict[str, str] = {}
    for path in files("mutua.v1").iterdir():
        if path.name.endswith(".proto"):
            comments |= _parse(path.read_text("utf-8"))
    return comments


def _parse(text: str) -> dict[str, str]:
    comments: dict[str, str] = {}
    scope: list[str] = []
    lines: list[str] = []
    for line in map(str.strip, text.splitlines()):
        if line.startswith("//"):
            lines.append(line.removeprefix("//").strip())
            continue
        block = _BLOCK.fullmatch(line)
        if found := block or _RPC.fullmatch(line) or _FIELD.fullmatch(line):
            comments[".".join((*filter(None, scope), found[1]))] = _join(lines)
        if line.endswith("{"):
            scope.append(block[1] if block else "")  # the fields of a oneof are the message's
        elif line == "}":
            scope.pop()
        lines = []
    return comments


def _join(lines: list[str]) -> str:
    """Paragraphs, each on one line."""
    paragraphs = "\n".join(lines).split("\n\n")
    return "\n\n".join(paragraph.replace("\n", " ") for paragraph in paragraphs)
