"""Documents are true and complete: commands, settings, rpcs, alerts and paths."""

import re
from collections.abc import Iterator
from contextlib import closing

import click
import pytest
import yaml
from pydantic_core import PydanticUndefined

from services.cli.main import mutua
from services.dev.broker import fetch_jars
from services.dev.postgres import find_programs
from services.settings import Settings
from tests.backing_services import build_or_skip, temporary_shared_folder
from tests.readme_examples import (
    ROOT,
    ConsoleExample,
    ReadmeShell,
    read_documents,
    read_examples,
)
from tests.waiting import wait_until

MAX_README_BYTES = 10_000


@pytest.fixture(scope="module")
def readme_shell() -> Iterator[ReadmeShell]:
    with temporary_shared_folder() as folder, closing(ReadmeShell(folder)) as shell:
        yield shell


@pytest.mark.parametrize("example", list(read_examples()), ids=lambda example: example.command[:40])
def test_command_prints_documented_output(
    example: ConsoleExample, readme_shell: ReadmeShell
) -> None:
    if example.command.startswith("mutua dev"):
        build_or_skip(fetch_jars)
        build_or_skip(find_programs)
    if example.command == "mutua dev status":  # a killed process takes time to start again
        wait_until(
            lambda: example.matches(readme_shell.run(example.command)), "the documented output"
        )
    else:
        output = readme_shell.run(example.command)
        assert example.matches(output), output


class TestReadme:
    def test_fits_into_a_few_screens(self) -> None:
        assert (ROOT / "README.md").stat().st_size <= MAX_README_BYTES

    def test_links_lead_to_files(self) -> None:
        links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text())
        assert links
        assert [link for link in links if not (ROOT / link).exists()] == []


def test_paths_in_documents_exist() -> None:
    texts = [read_documents(), *(path.read_text() for path in ROOT.glob("services/**/*.md"))]
    pattern = re.compile(r"`((?:services|proto|tests|deploy|findings)/[\w./-]+)`")
    paths = {path for text in texts for path in pattern.findall(text)}
    assert paths
    assert sorted(path for path in paths if not (ROOT / path).exists()) == []


class TestSettings:
    def test_every_variable_is_documented(self) -> None:
        code = [*ROOT.glob("services/**/*.py"), *ROOT.glob("proto/mutua/*.py")]
        used = {name for path in code for name in re.findall(r"MUTUA_[A-Z_]+", path.read_text())}
        assert used
        assert used - set(re.findall(r"MUTUA_[A-Z_]+", read_documents())) == set()

    def test_every_setting_of_the_cluster_is_documented_with_its_default(self) -> None:
        table = (ROOT / "deploy/README.md").read_text()
        rows = re.findall(r"^\| (`MUTUA_.*?) \| (.*?) \| .* \|$", table, re.MULTILINE)
        defaults = {
            name: default for names, default in rows for name in re.findall(r"MUTUA_[A-Z_]+", names)
        }
        for name, field in Settings.model_fields.items():
            documented = defaults[f"MUTUA_{name.upper()}"]
            if field.default not in (None, "", PydanticUndefined):
                assert documented == f"`{field.default}`".lower(), name


def test_every_command_is_documented() -> None:
    documents = read_documents()
    context = click.Context(mutua)
    commands = mutua.list_commands(context)
    assert commands
    assert [name for name in commands if f"mutua {name}" not in documents] == ["demo"]
    assert "make demo" in documents


def test_every_rpc_is_documented() -> None:
    document = (ROOT / "proto/README.md").read_text()
    protos = "\n".join(path.read_text() for path in ROOT.glob("proto/mutua/v1/*.proto"))
    rpcs = re.findall(r"^  rpc (\w+)", protos, re.MULTILINE)
    assert rpcs
    assert [rpc for rpc in rpcs if f"`{rpc}`" not in document] == []


def test_runbook_has_a_line_for_every_alert() -> None:
    rules = yaml.safe_load((ROOT / "deploy/alerts.yaml").read_text())
    alerts = [rule["alert"] for group in rules["groups"] for rule in group["rules"]]
    runbook = (ROOT / "deploy/README.md").read_text()
    assert re.findall(r"^\| (Mutua\w+) \| .+ \| .+ \|$", runbook, re.MULTILINE) == alerts


def test_glossary_names_existing_types() -> None:
    glossary = (ROOT / "services/README.md").read_text().partition("## Glossary")[2]
    terms = re.findall(r"^\| (.+?) \| .+ \| `(.+)` \| `(.+)` \|$", glossary, re.MULTILINE)
    assert len(terms) >= 60
    for term, type_name, module in terms:
        path = ROOT / module if module.startswith("proto/") else ROOT / "services" / module
        assert re.search(rf"\b{re.escape(type_name)}\b", path.read_text()), term
