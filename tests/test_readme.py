"""The README is true: its commands print what it shows, and it names everything there is."""

import re
from collections.abc import Iterator
from contextlib import closing

import click
import pytest
from pydantic_core import PydanticUndefined

from services.cli.main import mutua
from services.dev.broker import fetch_jars
from services.dev.postgres import find_programs
from services.settings import Settings
from tests.backing_services import build_or_skip, temporary_shared_folder
from tests.faults.server_process import wait_until
from tests.readme_examples import ROOT, ConsoleExample, ReadmeShell, normalize_output, read_examples


@pytest.fixture(scope="module")
def readme_shell() -> Iterator[ReadmeShell]:
    with temporary_shared_folder() as folder, closing(ReadmeShell(folder)) as someone:
        yield someone


@pytest.mark.parametrize("example", list(read_examples()), ids=lambda each: each.command[:40])
def test_a_command_prints_what_the_readme_shows(
    example: ConsoleExample, readme_shell: ReadmeShell
) -> None:
    if example.command.startswith("mutua dev"):
        build_or_skip(fetch_jars)
        build_or_skip(find_programs)
    expected = normalize_output(example.output)
    if example.command == "mutua dev status":  # what was killed takes its time to start again
        wait_until(
            lambda: normalize_output(readme_shell.run(example.command)) == expected, expected
        )
    else:
        assert normalize_output(readme_shell.run(example.command)) == expected


def test_every_setting_is_documented() -> None:
    readme = (ROOT / "README.md").read_text()
    code = [*ROOT.glob("services/**/*.py"), *ROOT.glob("proto/mutua/*.py")]
    used = {name for path in code for name in re.findall(r"MUTUA_[A-Z_]+", path.read_text())}
    assert used
    assert used - set(re.findall(r"MUTUA_[A-Z_]+", readme)) == set()


def test_every_setting_of_the_cluster_is_documented_with_its_default() -> None:
    readme = (ROOT / "README.md").read_text()
    rows = re.findall(r"^\| (`MUTUA_.*?) \| (.*) \|$", readme, re.MULTILINE)
    told = [
        (name, default) for names, default in rows for name in re.findall(r"MUTUA_[A-Z_]+", names)
    ]
    for name, field in Settings.model_fields.items():
        told_here = [default for named, default in told if named == f"MUTUA_{name.upper()}"]
        assert told_here, name
        if field.default not in (None, "", PydanticUndefined):
            assert any(default.startswith(f"`{field.default}`".lower()) for default in told_here), (
                name
            )


def test_every_command_is_documented() -> None:
    readme = (ROOT / "README.md").read_text()
    context = click.Context(mutua)
    commands = mutua.list_commands(context)
    assert commands
    assert [name for name in commands if f"mutua {name}" not in readme] == ["demo"]
    assert "make demo" in readme


def test_every_rpc_is_documented() -> None:
    readme = (ROOT / "services/README.md").read_text()
    protos = "\n".join(path.read_text() for path in ROOT.glob("proto/mutua/v1/*.proto"))
    rpcs = re.findall(r"^  rpc (\w+)", protos, re.MULTILINE)
    assert rpcs
    assert [rpc for rpc in rpcs if f"`{rpc}`" not in readme] == []
