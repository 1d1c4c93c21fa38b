"""The parser accepts every example in the help of a command."""

import inspect
import shlex
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import click
import pytest

from services.cli.main import mutua

MARK = "Examples:\n"


def walk_commands(command: click.Command, context: click.Context) -> Iterator[click.Command]:
    """The command and every command below it."""
    yield command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from walk_commands(below, context)


def read_examples(command: click.Command) -> list[str]:
    """The lines after "Examples:" in a command's help, up to an empty line."""
    _, _, block = inspect.cleandoc(command.help or "").partition(MARK)
    lines = block.partition("\n\n")[0].replace("\\\n", " ")
    return [line.strip() for line in lines.splitlines() if line.strip().startswith("mutua")]


def split_commands(line: str) -> list[list[str]]:
    """The words of each `mutua` in a shell line, without redirections to a file."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|>")
    lexer.whitespace_split = True
    parts = [list(part) for _, part in groupby(lexer, key=lambda word: word in ("|", ">"))]
    return [words[1:] for words in parts if words[0] == "mutua"]


def parse(words: list[str]) -> None:
    """Parses a command line without running it. Raises click.UsageError."""
    command: click.Command = mutua
    context: click.Context | None = None
    while True:
        context = command.make_context(command.name, list(words), parent=context)
        if not isinstance(command, click.Group):
            return
        words = [*context._protected_args, *context.args]
        if not words:
            return
        _, below, words = command.resolve_command(context, words)
        assert below is not None
        command = below


EXAMPLES = [
    each
    for command in walk_commands(mutua, click.Context(mutua))
    for each in read_examples(command)
]


def test_commands_have_examples() -> None:
    assert len(EXAMPLES) > 50


@pytest.mark.parametrize("line", EXAMPLES)
def test_example_is_accepted(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MUTUA_LOG_URL", "kafka://127.0.0.1:9092/mutua")
    monkeypatch.setenv("MUTUA_STORE_URL", "postgresql://127.0.0.1/mutua")
    commands = split_commands(line)
    assert commands
    for words in commands:
        for word in words:
            if "." in word and "/" not in word:  # a file of the reader
                Path(word).touch()
        parse(words)


def test_unknown_choice_is_refused() -> None:
    [words] = split_commands("mutua organization add elm-3 --name Elmwood --type community")
    with pytest.raises(click.UsageError, match="community"):
        parse(words)
